"""The shells of this machine that a system may have as /bin/sh, and a daemon for which each is."""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest

WANTED = ("dash", "bash", "busybox")
SHELLS = [path for name in (*WANTED, "mksh", "ksh", "yash") if (path := shutil.which(name))]
_APART = ["unshare", "--mount", *([] if os.getuid() == 0 else ["--map-root-user"])]


def with_shell(shell: str, *command: str) -> list[str]:
    """The command in a mount namespace of its own, in which /bin/sh is this shell. Skips where that cannot be."""
    path = shutil.which(shell)
    if path is None:
        pytest.skip(f"{shell} is not installed")
    words = [*_APART, path, *(["sh"] if shell == "busybox" else []), "-c", 'mount --bind "$0" /bin/sh && exec "$@"']
    tried = subprocess.run([*words, path, "true"], capture_output=True, text=True, check=False)
    if tried.returncode:
        pytest.skip(f"no mount namespace can be made here: {tried.stderr.strip()}")
    return [*words, path, *command]
