"""Connections of clients: their transport, identity and permissions."""
