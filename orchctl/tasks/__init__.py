"""Task files: one file per task, their agents, and their results."""
