"""Remote connections that receive hints, and changes of the authorized keys."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from dataclasses import asdict

from orchd.network.callers import Caller
from orchd.network.keyring import Keyring
from orchd.network.remote import NOTHING, RemoteSocket
from orchd.network.roles import RemoteClient
from orchd.protocol.errors import WireError
from orchd.protocol.remote_operations import KeyAuthorize, KeyRevoke

_MOST_LISTENERS = 64  # connections of one key
_REMEMBERED = 64  # answers about keys: a client that its own request cuts off repeats it


class Subscribers:
    """Authorized keys and subscribed connections. `remote` is the remote port, or None without one."""

    def __init__(self, keyring: Keyring, remote: RemoteSocket | None, now: Callable[[], str]) -> None:
        self._keyring = keyring
        self._remote = remote
        self._now = now
        self._listeners: dict[tuple[bytes, ...], RemoteClient] = {}
        self._answered: OrderedDict[tuple[str, Caller], dict[str, object]] = OrderedDict()

    def keys(self) -> dict[str, object]:
        """Return the authorized keys and the daemon's own public key."""
        return {"keys": [asdict(record) for record in self._keyring.records()], "server": self._server()}

    def change(self, request: str, caller: Caller, args: KeyAuthorize | KeyRevoke) -> dict[str, object]:
        """Authorize or revoke a key; a repeated request with the same id succeeds. Raises WireError."""
        known = self._answered.get((request, caller))
        if known is not None:
            return known
        if isinstance(args, KeyAuthorize):
            result = {**asdict(self._keyring.authorize(args, self._now())), "server": self._server()}
        else:
            before = len(self._keyring.records())
            try:
                result = asdict(self._keyring.revoke(args.key))
            finally:  # also when the disk did not take it: from now on the key opens nothing
                if len(self._keyring.records()) < before:
                    # all shake hands again, and listen again: nothing reaches any client in the old way
                    self._listeners.clear()
                    if self._remote is not None:
                        self._remote.cut()
        self._answered[request, caller] = result
        if len(self._answered) > _REMEMBERED:
            self._answered.popitem(last=False)
        return result

    def listen(self, caller: Caller, route: tuple[bytes, ...]) -> None:
        """Send hints to this route from now on. Raises WireError."""
        if not isinstance(caller, RemoteClient):
            raise WireError(
                "bad-request", "`listen` is for remote clients only; local clients subscribe to events.sock"
            )
        own = [listener for listener, remote_client in self._listeners.items() if remote_client.key == caller.key]
        if len(own) >= _MOST_LISTENERS:
            self._drop([listener for listener in own if not self.is_there(listener)])
        if len(own) >= _MOST_LISTENERS and all(listener in self._listeners for listener in own):
            raise WireError("busy", f"{caller} already listens on {_MOST_LISTENERS} connections; close some and retry")
        self._listeners[route] = caller

    def publish(self, hint: bytes) -> None:
        """Send a hint to all subscribers."""
        if self._remote is not None and self._listeners:
            self._drop([route for route in self._listeners if not self._remote.reply(route, hint)])

    def is_there(self, route: tuple[bytes, ...]) -> bool:
        """Return whether a client is still connected at this route."""
        return self._remote is not None and self._remote.reply(route, NOTHING)

    def _drop(self, routes: list[tuple[bytes, ...]]) -> None:
        for route in routes:
            self._listeners.pop(route, None)

    def _server(self) -> dict[str, object] | None:
        return {"public": self._remote.public, "listens": self._remote.address} if self._remote else None
