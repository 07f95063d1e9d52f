"""Python's UTF-8 mode for our own programs, whatever the locale.

Arguments, variables and paths are bytes to the kernel. On the wire they are UTF-8, and what is not UTF-8 comes through
as half characters (PEP 383). In a locale with another encoding Python would read these bytes as other characters, and
an agent would get other bytes than its caller gave.
"""

from __future__ import annotations

import os
import sys


def use_utf8() -> None:
    """Replace this process by the same program in UTF-8 mode where the locale has another encoding."""
    if sys.getfilesystemencoding() != "utf-8" and sys.executable:
        os.execv(sys.executable, [sys.orig_argv[0], "-X", "utf8", *sys.orig_argv[1:]])  # noqa: S606 - itself
