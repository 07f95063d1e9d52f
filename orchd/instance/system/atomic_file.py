"""Files that are replaced as a whole: whoever reads one sees what was there or what is there now, and no part of it."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from orchd.instance.system.open_file import check_replaceable


def write(path: Path, content: bytes, mode: int | None = None) -> None:
    """Put it there, or leave what was there. Raises OSError, also where a device or FIFO is at `path`.

    `mode` are its permissions; None are those that any new file gets.
    """
    check_replaceable(path)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)  # of somebody who died; or a link that a checkout brought, which leads anywhere
    try:
        first = 0o666 if mode is None else mode & 0o600  # nobody may read what they may not in the end
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, first)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            if mode is not None:
                os.fchmod(file.fileno(), mode)
        draft.replace(path)
    except OSError:
        with suppress(OSError):
            draft.unlink()
        raise
