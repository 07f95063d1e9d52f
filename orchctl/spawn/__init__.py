"""Agents as the command line and batch files describe them."""
