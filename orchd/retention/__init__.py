"""Retention: deletes finished agents, runs and their files from the history, in slices."""
