"""A handler for each input, and the scheduler that runs after each."""
