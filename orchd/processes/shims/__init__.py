"""Shims between the daemon and its agents, and their pool."""
