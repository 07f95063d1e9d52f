"""Readers of plans, a module per format."""
