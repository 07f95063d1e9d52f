"""A machine with a real systemd on it: PID 1 of its own namespaces, on the files of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchd.procs.cgroups import own_cgroup
from tests.conftest import BIN, DEADLINE, until

ROOT = Path(__file__).parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
_APART = ("--fork", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--mount-proc")
_BOOT = ROOT / "tests/systemd/boot.sh"
_HIDDEN = (Path("/tmp"), Path("/run"))  # what programs need of these is brought along


def why_not() -> str | None:
    """What keeps a systemd from being booted here; None where nothing does."""
    if not SYSTEMD.exists():
        return "no systemd is installed"
    if os.geteuid():
        return "only root may make these namespaces"
    if own_cgroup() is None:
        return "there is no cgroup2 hierarchy"
    tried = subprocess.run(
        ["unshare", *_APART, "mount", "-t", "tmpfs", "tmpfs", "/run"], capture_output=True, text=True
    )
    return f"namespaces are not allowed: {tried.stderr.strip()}" if tried.returncode else None


class Box:
    """A booted machine. What it has in memory and in cgroups is gone with it."""

    def __init__(self) -> None:
        above = own_cgroup()
        assert above is not None
        self._cgroup = Path(tempfile.mkdtemp(prefix="orchd-systemd-", dir=above))
        kept = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
        needed = sorted(str(path) for path in kept if any(path.is_relative_to(hidden) for hidden in _HIDDEN))
        self._outer = subprocess.Popen(
            ["sh", "-c", f'echo 0 > {self._cgroup}/cgroup.procs && exec unshare "$@"', "sh", *_APART, _BOOT, *needed],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self.env = {
            "PATH": f"{BIN}:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": "/root",
            "USER": "root",
            "XDG_RUNTIME_DIR": "/run/user/0",
            "XDG_CONFIG_HOME": "/run/config",
            "XDG_STATE_HOME": "/run/state",
            "LC_ALL": "C.UTF-8",
        }
        self._init = until(self._child, what="the child of unshare")
        # before systemd has taken over, its control socket is not there
        until(lambda: "running" in self.run("systemctl", "is-system-running", code=None), what="a booted systemd")
        self.run("systemctl", "start", "user@0.service")

    def _child(self) -> str:
        assert self._outer.poll() is None, "systemd did not boot"
        pid = self._outer.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def run(self, *words: object, code: int | None = 0, env: Mapping[str, str] | None = None) -> str:
        """The standard output (and error, when it may fail) of a command inside, which must end with `code`."""
        done = subprocess.run(
            self._inside(*words), env={**self.env, **(env or {})}, capture_output=True, text=True, timeout=60, cwd="/"
        )
        assert code is None or done.returncode == code, (words, done.returncode, done.stdout, done.stderr)
        return done.stdout if code == 0 else done.stdout + done.stderr

    def begin(
        self, *words: object, env: Mapping[str, str] | None = None, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """The same, without waiting for its end."""
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": stdin}
        return subprocess.Popen(self._inside(*words), env={**self.env, **(env or {})}, text=True, cwd="/", **pipes)

    def _inside(self, *words: object) -> list[str]:
        return ["nsenter", "-t", self._init, "-m", "-p", "-u", "-i", "-n", "-C", *map(str, words)]

    def close(self) -> None:
        """End it, and leave no cgroup behind."""
        with suppress(ProcessLookupError):
            os.kill(int(self._init), signal.SIGKILL)
        self._outer.wait(DEADLINE)
        until(self._is_swept, what=f"{self._cgroup} to be empty")

    def _is_swept(self) -> bool:
        for directory, _, _ in os.walk(self._cgroup, topdown=False):
            with suppress(OSError):
                os.rmdir(directory)
        return not self._cgroup.exists()


class Installed:
    """A home in a box, and the service that serves it."""

    def __init__(self, box: Box, home: str, scope: str = "user") -> None:
        self.box = box
        self.home = home
        self.scope = scope
        self.unit = "orchd.service" if scope == "user" else "orchd@root.service"
        self.env = {"ORCHD_HOME": home} if scope == "user" else {}
        self._flag = ["--user"] if scope == "user" else []

    def ctl(self, *words: object, code: int | None = 0) -> str:
        """One `orchctl` command."""
        return self.box.run("orchctl", *words, code=code, env=self.env)

    def systemctl(self, *words: object, code: int | None = 0) -> str:
        """One `systemctl` command."""
        return self.box.run("systemctl", *self._flag, *words, code=code).strip()

    def shows(self, name: str) -> str:
        """A property of the unit."""
        return self.systemctl("show", "--value", f"--property={name}", self.unit)

    def set(self, text: str) -> None:
        """Give the unit other settings."""
        self.box.run("mkdir", "-p", f"/run/config/systemd/user/{self.unit}.d")
        self.box.run(
            "sh", "-c", f'printf "[Service]\\n{text}\\n" > /run/config/systemd/user/{self.unit}.d/of-the-test.conf'
        )
        self.systemctl("daemon-reload")

    def spawn(self, *words: str) -> str:
        """The id of a new agent."""
        return self.ctl("spawn", "--", *words).strip()

    def agents(self, *words: str) -> list[dict[str, Any]]:
        """The agents as `status` shows them."""
        found: list[dict[str, Any]] = json.loads(self.ctl("status", "--json", *words))["agents"]
        return found

    def says(self, *words: str) -> str:
        """What the journal has of the unit, in full."""
        kind = "--user-unit" if self.scope == "user" else "--unit"
        return self.box.run("journalctl", "--no-pager", kind, self.unit, *words)

    def end(self) -> None:
        """Leave nothing of it in the box."""
        self.ctl("daemon", "stop", "--stop-agents", code=None)
        self.box.run("rm", "-rf", f"/run/config/systemd/user/{self.unit}.d", self.home)
        self.ctl("service", "uninstall", f"--{self.scope}", code=None)
        self.systemctl("reset-failed", code=None)
