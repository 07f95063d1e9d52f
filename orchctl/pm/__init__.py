"""Runs an agent (a developer) for each ready item of a work list, and reports the results."""
