"""Keys of CURVE, as 64 hexadecimal digits, which no shell and no file reads as anything else, and files that hold them.

A file with something secret in it is used only when it is its user's own, closed to everybody else and no link.
"""

from __future__ import annotations

import errno
import os
import re
import stat
from pathlib import Path

from orchd.wire.opening import open_file

_KEY = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}")
_MOST = 1 << 20  # bytes of such a file


class KeyFileError(Exception):
    """A file that must not be used; the message says why and what to do, and nothing of what is in it."""


def is_key(text: str) -> bool:
    """Whether it is written as a key is."""
    return _KEY.fullmatch(text) is not None


def is_name(text: str) -> bool:
    """Whether a key can be called so: it is also the name of a file."""
    return _NAME.fullmatch(text) is not None


def new_secret() -> str:
    """The secret half of a new pair. Raises KeyFileError where the libzmq that is installed cannot encrypt."""
    import zmq
    from zmq.utils import z85

    if not zmq.has("curve"):
        raise KeyFileError("this libzmq has no CURVE, and nothing is sent in the clear: install pyzmq from its wheels")
    return z85.decode(zmq.curve_keypair()[1]).hex()


def public_of(secret: str) -> str:
    """The public half of the pair."""
    import zmq
    from zmq.utils import z85

    return z85.decode(zmq.curve_public(z85.encode(bytes.fromhex(secret)))).hex()


def read_secret(path: Path) -> str:
    """The secret key in a file. Raises KeyFileError, and FileNotFoundError where there is none."""
    text = read_private(path).decode("ascii", "replace").strip()
    if not is_key(text):
        raise KeyFileError(
            f"{path} holds no key, which is 64 hexadecimal digits: put it back, or delete it for a new one"
        )
    return text


def read_private(path: Path) -> bytes:
    """What is in a file of this user's alone. Raises KeyFileError, and FileNotFoundError where there is none."""
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        raise
    except OSError as error:
        why = "it is a link" if error.errno == errno.ELOOP else error.strerror
        raise KeyFileError(f"{path} cannot be used: {why}; it must be a file of your own") from None
    try:
        _check(path, os.fstat(descriptor))
        return os.read(descriptor, _MOST)
    finally:
        os.close(descriptor)


def _check(path: Path, found: os.stat_result) -> None:
    if found.st_uid != os.getuid():
        raise KeyFileError(f"{path} cannot be used: it belongs to uid {found.st_uid}; it must be a file of your own")
    if (mode := stat.S_IMODE(found.st_mode)) & 0o077:
        raise KeyFileError(
            f"{path} cannot be used: it is open to others (mode {mode:o}); if nobody else has been there, "
            f"`chmod 600 {path}`, otherwise delete it and make new keys"
        )
