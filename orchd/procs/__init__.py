"""Attempts as processes of this machine. Nothing outside this package knows that an attempt has a pid or a file."""
