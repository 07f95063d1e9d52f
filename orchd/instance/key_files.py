"""Files that hold keys: used only when they belong to this user, are closed to others and are no links."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

from orchd.instance.system.open_file import open_file
from orchd.protocol.keys import is_key

_MOST = 1 << 20  # bytes of such a file


class KeyFileError(Exception):
    """A file must not be used; the message has the reason and the remedy, and nothing of its content."""


def read_secret(path: Path) -> str:
    """Return the secret key in a file. Raises KeyFileError, and FileNotFoundError without a file."""
    text = read_private(path).decode("ascii", "replace").strip()
    if not is_key(text):
        raise KeyFileError(
            f"{path} does not contain a key of 64 hexadecimal digits; restore it, or delete it to create a new key"
        )
    return text


def read_private(path: Path) -> bytes:
    """Return the content of a private file of this user. Raises KeyFileError, and FileNotFoundError without a file."""
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except FileNotFoundError:
        raise
    except OSError as error:
        why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror
        raise KeyFileError(f"{path} cannot be used: {why}; it must be a file of your own") from None
    try:
        status = os.fstat(descriptor)
        if status.st_uid != os.getuid():
            raise KeyFileError(
                f"{path} cannot be used: it belongs to uid {status.st_uid}; it must be a file of your own"
            )
        if (mode := stat.S_IMODE(status.st_mode)) & 0o077:
            raise KeyFileError(
                f"{path} cannot be used: other users have access (mode {mode:o}); if no other user has read it, "
                f"`chmod 600 {path}`, otherwise delete it and create new keys"
            )
        return os.read(descriptor, _MOST)
    finally:
        os.close(descriptor)
