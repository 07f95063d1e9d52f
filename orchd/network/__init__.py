"""Connections: who connects, who they are, what they may do."""
