"""Requests become inputs of the core or answers."""
