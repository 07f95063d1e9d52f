"""Keys of CURVE as text: 64 hexadecimal digits, which no shell and no file reads as anything else."""

from __future__ import annotations

import re

_KEY = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")


class NoCurveError(Exception):
    """The libzmq that is installed cannot encrypt."""


def is_key(text: str) -> bool:
    """Return whether `text` has the form of a key."""
    return _KEY.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Return whether `text` can be the name of a key, which is also the name of a file."""
    return _NAME.fullmatch(text) is not None


def new_secret() -> str:
    """Return the secret half of a new pair. Raises NoCurveError where the libzmq that is installed cannot encrypt."""
    import zmq
    from zmq.utils import z85

    if not zmq.has("curve"):
        raise NoCurveError("the installed libzmq does not support CURVE encryption; install pyzmq from its wheels")
    return z85.decode(zmq.curve_keypair()[1]).hex()


def public_of(secret: str) -> str:
    """Return the public half of the pair."""
    import zmq
    from zmq.utils import z85

    return z85.decode(zmq.curve_public(z85.encode(bytes.fromhex(secret)))).hex()
