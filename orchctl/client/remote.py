"""The daemon of another machine: its profile, its and our keys, and what becomes of a connection to it."""

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
    str, schema.Constraint(keys.is_key, "the public key of the daemon, as `orchctl keys list` there shows it")
]
_KeyFile = Annotated[
    str,
    schema.Constraint(lambda text: keys.is_name(text) or text[:1] == "/", "a name of `orchctl keys new`, or a path"),
]


@dataclass(frozen=True, slots=True)
class Profile:
    """One daemon on another machine."""

    connect: _Address
    server_key: _Key
    key: _KeyFile


@dataclass(frozen=True, slots=True)
class Profiles:
    """The client's `config.toml`."""

    profiles: dict[str, Profile] = field(default_factory=dict)


def directory() -> Path:
    """Where the client keeps its configuration and its keys."""
    from platformdirs import user_config_path

    from orchctl.daemon import user

    user.directory()  # raises where there is none
    return user_config_path("orchctl")


def key_file(name: str) -> Path:
    """Where the secret key of this name is."""
    return directory() / "keys" / f"{name}.key"


def profile(name: str | None, connect: str | None) -> RemoteDaemon:
    """The daemon that is meant, by the name of its profile or by its address. Raises UsageError, RefusedError."""
    path = directory() / "config.toml"
    known = _read(path).profiles
    if name is not None:
        found = known.get(name)
    else:
        name, found = next(((one, two) for one, two in known.items() if two.connect == connect), (connect or "", None))
    if found is None:
        names = ", ".join(known) or "none"
        raise UsageError(
            f"{path} has no profile for {name}; there are {names}. It has the lines [profiles.NAME], connect, "
            "server_key and key: without the key of the daemon nothing is sent to it"
        )
    file = Path(found.key) if found.key[:1] == "/" else key_file(found.key)
    try:
        return RemoteDaemon(name, found.connect, found.server_key, key_files.read_secret(file))
    except FileNotFoundError:
        raise RefusedError(f"there is no key {file}: `orchctl keys new {found.key}` makes one", code="no-key") from None
    except key_files.KeyFileError as error:
        raise RefusedError(str(error), code="bad-key-file") from None


def _read(path: Path) -> Profiles:
    import tomllib

    try:
        with path.open("rb") as file:
            _check(path, os.fstat(file.fileno()))
            whole = tomllib.load(file)
    except FileNotFoundError:
        return Profiles()
    except (ValueError, RecursionError) as error:
        raise RefusedError(f"{path}: {error}; correct it", code="bad-config") from None
    if found := list(schema.violations(Profiles, whole)):
        what = "; ".join(problem.message for problem in found)
        details = {"problems": [problem._asdict() for problem in found]}
        raise RefusedError(f"{path}: {what}; correct it", code="bad-config", details=details)
    return schema.parse(Profiles, whole)


def _check(path: Path, found: os.stat_result) -> None:
    """Whoever can write it says which daemon is the right one."""
    if found.st_uid not in (os.getuid(), 0) or stat.S_IMODE(found.st_mode) & 0o022:
        what = f"{path} can be written by others: whose key is right would be their word; `chmod go-w {path}`"
        raise RefusedError(what, code="bad-config")


class RemoteDaemon:
    """A daemon on another machine, whom we trust by its key, and that knows us by ours."""

    def __init__(self, name: str, where: str, server_key: str, secret: str) -> None:
        self.name = name
        self.address = where
        self._server_key = bytes.fromhex(server_key)
        self._secret = secret
        self.was_up = False
        self.failures = 0

    def dial(self, dealer: zmq.Socket[bytes]) -> Link:
        """Connect to it."""
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
        """What to say when nobody answers."""
        return NoDaemonError(
            f"nobody answers at {self.address}: is the daemon of {self.name} running, with [remote] listen, "
            "and can this machine reach it?"
        )

    def ask_for_hints(self, dealer: zmq.Socket[bytes]) -> None:
        """Be told when something happens."""
        with suppress(zmq.Again):  # it is gone again
            dealer.send(pack_request(os.urandom(16).hex(), "listen", {}), zmq.NOBLOCK)


class Link:
    """What is known of one connection."""

    def __init__(self, far: RemoteDaemon) -> None:
        self._far = far
        self._since = time.monotonic()
        self.is_up = False

    def bound(self, until: float) -> float:
        """Until when to wait: not for ever for a machine that is not there."""
        return until if self.is_up else min(until, self._since + PATIENCE)

    def is_broken(self, event: int) -> bool:
        """Whether what was asked must be asked again on a new one.

        Raises RefusedError when the other side does not let us in, and NoDaemonError when nobody was ever there.
        """
        far = self._far
        if event & zmq.Event.HANDSHAKE_SUCCEEDED:
            self.is_up = far.was_up = True
            far.failures = 0
        elif event & zmq.Event.HANDSHAKE_FAILED_AUTH:
            raise RefusedError(
                f"{far.address} does not let the key of this machine in: it was never authorised there, or is revoked; "
                "`orchctl keys authorize` on that machine lets it in",
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
        f"who answers at {far.address} is not the daemon that the profile {far.name} names: its `server_key` is not "
        "that one's key, or something else listens there; nothing was sent to it",
        code="wrong-server",
    )
