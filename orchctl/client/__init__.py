"""The client of a daemon: `from orchctl.client import Client`."""

from orchctl.client.client import Client

__all__ = ["Client"]
