"""Agents, runs, sessions and events as plain maps."""
