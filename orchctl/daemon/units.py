"""The units that are shipped, made to fit this installation, and where they belong."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from orchctl.daemon import user as users
from orchd.instance.service import Service

SHIPPED = Path(__file__).parents[1] / "systemd"
_WITH_SUBGROUPS = 254
_FILES = {"user": "orchd.service", "system": "orchd@.service"}


def path_of(scope: str) -> Path:
    """Where the unit is, or would be."""
    if scope == "system":
        return Path("/etc/systemd/system") / _FILES[scope]
    config = os.environ.get("XDG_CONFIG_HOME") or users.directory() / ".config"
    return Path(config) / "systemd/user" / _FILES[scope]


def service_of(scope: str, user: str | None = None) -> Service:
    """The service that serves `user`, who has to have a name for one of the system."""
    return Service(
        scope, _FILES[scope].replace("@", f"@{user or users.named()}") if scope == "system" else _FILES[scope]
    )


def text_of(scope: str, home: Path, version: int) -> str:
    """The unit that runs this very installation. A user's has `home`: their manager may not know what a shell knows.

    From `version` 254 of systemd on a daemon can have a cgroup of its own below the unit's: then the kernel can hold
    the bounds of agents beside it.
    """
    # -P: its directory is the user's home, in which there may be a folder called orchd
    program = " ".join(quoted(word) for word in (sys.executable, "-P", "-m", "orchd"))
    lines = []
    for line in (SHIPPED / _FILES[scope]).read_text(encoding="utf-8").splitlines():
        if line.startswith("ExecStart="):
            if scope == "user":
                lines.append(f"Environment={quoted(f'ORCHD_HOME={home}', is_command=False)}")
            line = f"ExecStart={program} {line.partition(' ')[2]}"  # noqa: PLW2901 - the same line, made to fit
        lines.append(line)
        if line == "Delegate=yes" and version >= _WITH_SUBGROUPS:
            lines.append("DelegateSubgroup=daemon")
    return "\n".join(lines) + "\n"


def quoted(word: str, *, is_command: bool = True) -> str:
    """`word` as systemd.syntax(7) wants it: no specifier, no variable, no quote that ends early."""
    word = word.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{word.replace("$", "$$") if is_command else word}"'
