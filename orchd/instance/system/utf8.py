"""UTF-8 mode of the interpreter (PEP 540), whatever the locale.

Paths in requests, journals and the history are UTF-8. A process whose locale names files in another encoding
could not open such a path, and would name the same directory by another text than the other processes do.
"""

from __future__ import annotations

import os
import sys

_MARK = "orchd-output"  # the -X option with the encoding that the locale has for stdout


def ensure() -> None:
    """Replace this process by the same program in UTF-8 mode, unless paths are UTF-8 already."""
    if sys.getfilesystemencoding().lower() == "utf-8" or not sys.executable:
        return
    encoding = getattr(sys.stdout, "encoding", None) or "ascii"
    words = [sys.executable, "-X", "utf8", "-X", f"{_MARK}={encoding}", *sys.orig_argv[1:]]
    os.execv(words[0], words)  # noqa: S606 - no shell is wanted


def output_encoding() -> str | None:
    """Return the encoding that the locale has for stdout and stderr where `ensure` replaced it; None otherwise."""
    encoding = sys._xoptions.get(_MARK)  # noqa: SLF001 - the only way to read it
    return encoding if isinstance(encoding, str) else None
