"""The unit files of systemd: the shipped ones adapted to this installation, and where they belong."""

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
    """Return the path of the unit file, whether it exists or not."""
    if scope == "system":
        return Path("/etc/systemd/system") / _FILES[scope]
    config = os.environ.get("XDG_CONFIG_HOME") or users.directory() / ".config"
    return Path(config) / "systemd/user" / _FILES[scope]


def service_of(scope: str, user: str | None = None) -> Service:
    """Return the service that serves `user`; a system service needs the name of a user."""
    return Service(
        scope, _FILES[scope].replace("@", f"@{user or users.named()}") if scope == "system" else _FILES[scope]
    )


def text_of(scope: str, home: Path, version: int) -> str:
    """Return the unit file that runs this installation. A user unit names `home`, as its manager lacks shell variables.

    From `version` 254 of systemd on a daemon can have a cgroup of its own below the unit's: then the kernel can enforce
    the resource limits of agents beside it.
    """
    # -P: the working directory is the user's home, which may have a folder called orchd
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
    """Quote `word` for systemd.syntax(7): no specifier, no variable, no quote that ends early."""
    word = word.replace("%", "%%").replace("\\", "\\\\").replace('"', '\\"')
    return f'"{word.replace("$", "$$") if is_command else word}"'
