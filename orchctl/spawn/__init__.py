"""Requests to spawn agents, from the command line and batch files."""
