"""Requests of clients: their operations, and the replies to them."""
