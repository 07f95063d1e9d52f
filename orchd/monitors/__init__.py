"""Measurements of the daemon while agents run."""
