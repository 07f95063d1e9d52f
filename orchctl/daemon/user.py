"""The user of this process. In a container its uid may have no entry in the password database, and no HOME."""

from __future__ import annotations

import os
import pwd
from pathlib import Path

from orchctl.errors import RefusedError


def name() -> str | None:
    """Return the user's name; None where the password database has no entry for the uid."""
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return None


def named() -> str:
    """Return the user's name. Raises RefusedError where there is none."""
    user = name()
    if user is None:
        raise RefusedError(
            f"uid {os.getuid()} has no entry in the password database: add the user, or use `--user`", code="no-user"
        )
    return user


def directory() -> Path:
    """Return the user's home directory. Raises RefusedError where there is none."""
    try:
        return Path.home()
    except RuntimeError:
        raise RefusedError(
            f"uid {os.getuid()} has no home directory: HOME is not set, and the password database has no entry; "
            "set HOME",
            code="no-user",
        ) from None
