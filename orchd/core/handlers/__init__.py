"""One function for each input, and the scheduler that runs after each."""
