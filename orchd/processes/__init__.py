"""Attempts of agents as Linux processes."""
