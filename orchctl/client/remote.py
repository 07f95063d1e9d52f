"""The daemon of another machine: its profile, the keys of both sides, and the state of a connection to it."""

from __future__ import annotations

import os
import stat
import time
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

import zmq

from orchctl.errors import NoDaemonError, RefusedError, UsageError
from orchd.instance import key_files
from orchd.instance.system import os_errors
from orchd.protocol import addresses, keys, schema
from orchd.protocol.frames import pack_request

PATIENCE = 30.0  # seconds without a connection
EVENTS = (
    zmq.Event.HANDSHAKE_SUCCEEDED
    | zmq.Event.HANDSHAKE_FAILED_AUTH
    | zmq.Event.HANDSHAKE_FAILED_PROTOCOL
    | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL
    | zmq.Event.DISCONNECTED
    | zmq.Event.CONNECT_RETRIED
)
_TRIES = 3  # handshakes in which the other side hangs up: one may be a daemon that was just ended
_TIMEOUT = 10_000  # milliseconds for a connection, and for a handshake


_Address = Annotated[str, schema.Constraint(lambda text: addresses.address(text) is not None, "tcp://HOST:PORT")]
_Key = Annotated[
    str, schema.Constraint(keys.is_key, "the public key of the daemon, as `orchctl keys list` shows it on that machine")
]
_KeyFile = Annotated[
    str,
    schema.Constraint(
        lambda text: keys.is_name(text) or text[:1] == "/", "a name given to `orchctl keys new`, or an absolute path"
    ),
]


@dataclass(frozen=True, slots=True)
class Profile:
    """The address of a daemon on another machine, its public key, and the key of this client."""

    connect: _Address
    server_key: _Key
    key: _KeyFile


@dataclass(frozen=True, slots=True)
class Profiles:
    """The client's `config.toml`."""

    profiles: dict[str, Profile] = field(default_factory=dict)


def directory() -> Path:
    """Return the directory of the client's configuration and keys. Raises RefusedError without a home directory."""
    from platformdirs import user_config_path

    from orchctl.daemon import user

    user.directory()  # raises where there is none
    return user_config_path("orchctl")


def key_file(name: str) -> Path:
    """Return the path of the secret key of this name."""
    return directory() / "keys" / f"{name}.key"


def profiles() -> dict[str, Profile]:
    """Return the profiles of the client's configuration. Raises RefusedError."""
    return _read(directory() / "config.toml").profiles


def profile(name: str | None, connect: str | None) -> RemoteDaemon:
    """Return the daemon of the profile with this name or address. Raises UsageError, RefusedError."""
    path = directory() / "config.toml"
    known = _read(path).profiles
    if name is not None:
        match = known.get(name)
    else:
        entries = ((name, entry) for name, entry in known.items() if entry.connect == connect)
        name, match = next(entries, (connect or "", None))
    if match is None:
        names = ", ".join(known) or "none"
        raise UsageError(
            f"no profile for {name} in {path} (profiles: {names}). Add [profiles.NAME] with connect, "
            "server_key and key; nothing is sent to a daemon whose key is unknown"
        )
    file = Path(match.key) if match.key[:1] == "/" else key_file(match.key)
    try:
        return RemoteDaemon(name, match.connect, match.server_key, key_files.read_secret(file))
    except FileNotFoundError:
        raise RefusedError(
            f"no key file {file}; create it with `orchctl keys new {match.key}`", code="no-key"
        ) from None
    except key_files.KeyFileError as error:
        raise RefusedError(str(error), code="bad-key-file") from None


def _read(path: Path) -> Profiles:
    """Return the profiles of the client's configuration. Raises RefusedError for a file that is not valid or safe."""
    import tomllib

    try:
        with path.open("rb") as file:
            status = os.fstat(file.fileno())
            # another user who can write the file decides which daemon is the right one
            if status.st_uid not in (os.getuid(), 0) or stat.S_IMODE(status.st_mode) & 0o022:
                what = f"{path} can be written by other users, who could replace its keys; run `chmod go-w {path}`"
                raise RefusedError(what, code="bad-config")
            whole = tomllib.load(file)
    except FileNotFoundError:
        return Profiles()
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{path}: {os_errors.summary(error)}; correct it", code="bad-config") from None
    if problems := list(schema.violations(Profiles, whole)):
        what = "; ".join(problem.message for problem in problems)
        details = {"problems": [problem._asdict() for problem in problems]}
        raise RefusedError(f"{path}: {what}; correct it", code="bad-config", details=details)
    return schema.parse(Profiles, whole)


class RemoteDaemon:
    """A daemon on another machine. Each side identifies the other by its key."""

    def __init__(self, name: str, where: str, server_key: str, secret: str) -> None:
        self.name = name
        self.address = where
        self._server_key = bytes.fromhex(server_key)
        self._secret = secret
        self.was_up = False
        self.failures = 0

    def dial(self, dealer: zmq.Socket[bytes]) -> Link:
        """Connect a socket to the daemon, encrypted, and return the state of the connection."""
        for option, value in (
            (zmq.CURVE_SERVERKEY, self._server_key),
            (zmq.CURVE_PUBLICKEY, bytes.fromhex(keys.public_of(self._secret))),
            (zmq.CURVE_SECRETKEY, bytes.fromhex(self._secret)),
            (zmq.IPV6, 1),
            (zmq.CONNECT_TIMEOUT, _TIMEOUT),
            (zmq.HANDSHAKE_IVL, _TIMEOUT),
            (zmq.RECONNECT_IVL_MAX, 2000),
            (zmq.TCP_KEEPALIVE, 1),
            (zmq.TCP_KEEPALIVE_IDLE, addresses.KEEPALIVE_IDLE),
            (zmq.TCP_KEEPALIVE_INTVL, addresses.KEEPALIVE_INTERVAL),
            (zmq.TCP_KEEPALIVE_CNT, addresses.KEEPALIVE_PROBES),
        ):
            dealer.setsockopt(option, value)
        dealer.connect(self.address)
        return Link(self)

    def silent(self) -> NoDaemonError:
        """Return the error for a machine that does not answer."""
        return NoDaemonError(
            f"no daemon answers at {self.address}: is the daemon of {self.name} running, with [remote] listen, "
            "and can this machine reach it?"
        )

    def ask_for_hints(self, dealer: zmq.Socket[bytes]) -> None:
        """Ask the daemon to send a hint whenever an event is recorded."""
        with suppress(zmq.Again):  # the connection is gone again
            dealer.send(pack_request(os.urandom(16).hex(), "listen", {}), zmq.NOBLOCK)


class Link:
    """The state of a connection to the daemon of another machine, from the events of its socket."""

    def __init__(self, far: RemoteDaemon) -> None:
        self._far = far
        self._since = time.monotonic()
        self.is_up = False

    def bound(self, until: float) -> float:
        """Return the end of the wait: `until`, or earlier for a machine without a connection yet."""
        return until if self.is_up else min(until, self._since + PATIENCE)

    def is_broken(self, event: int) -> bool:
        """Return whether an open request must be sent again on a new connection, after this event.

        Raises RefusedError when the daemon refuses the key of this client or has another key than the profile, and
        NoDaemonError when there was never a connection.
        """
        far = self._far
        if event & zmq.Event.HANDSHAKE_SUCCEEDED:
            self.is_up = far.was_up = True
            far.failures = 0
        elif event & zmq.Event.HANDSHAKE_FAILED_AUTH:
            raise RefusedError(
                f"{far.address} refused the key of this machine: it is not authorized there, or was revoked; "
                "authorize it with `orchctl keys authorize` on that machine",
                code="key-refused",
            )
        elif event & zmq.Event.HANDSHAKE_FAILED_PROTOCOL:
            raise _stranger(far)
        elif event & zmq.Event.HANDSHAKE_FAILED_NO_DETAIL:
            far.failures += 1
            if far.failures >= _TRIES:
                raise _stranger(far)
        elif event & zmq.Event.CONNECT_RETRIED and not (far.was_up or far.failures):
            raise far.silent()
        return bool(event & zmq.Event.DISCONNECTED)


def _stranger(far: RemoteDaemon) -> RefusedError:
    return RefusedError(
        f"the server at {far.address} does not have the `server_key` of profile {far.name}: the key in the profile is "
        "wrong, or another program listens there; nothing was sent to it",
        code="wrong-server",
    )
