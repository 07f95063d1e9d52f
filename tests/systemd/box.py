"""A machine with a real systemd on it: PID 1 of its own namespaces, on the files of this machine."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchd.instance.system.own_cgroup import own_cgroup
from tests.conftest import BIN, DEADLINE, until

ROOT = Path(__file__).parents[2]
SYSTEMD = Path("/lib/systemd/systemd")
_APART = ("--fork", "--pid", "--mount", "--uts", "--ipc", "--net", "--cgroup", "--mount-proc")
ANN = 1234  # somebody who is not root
_BOOT = ROOT / "tests/systemd/boot.sh"
_HIDDEN = (Path("/tmp"), Path("/run"), Path("/root"))  # what programs need of these is brought along


def why_not() -> str | None:
    """The reason why a systemd cannot be booted here, or None."""
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


def _by(who: str, init: str, words: Iterable[object]) -> list[str]:
    """A command inside the box, as one of its users."""
    rights = ["setpriv", f"--reuid={ANN}", f"--regid={ANN}", "--clear-groups"] if who == "ann" else []
    return ["nsenter", "-t", init, "-m", "-p", "-u", "-i", "-n", "-C", *rights, *map(str, words)]


def _env(who: str, more: Mapping[str, str] | None) -> dict[str, str]:
    """The variables of a login shell of this user."""
    return {
        "PATH": f"{BIN}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/run/ann" if who == "ann" else "/root",
        "USER": who,
        "XDG_RUNTIME_DIR": f"/run/user/{ANN if who == 'ann' else 0}",
        "LC_ALL": "C.UTF-8",
        **(more or {}),
    }


class Box:
    """A booted machine. What it has in memory and in cgroups is gone with it."""

    def __init__(self) -> None:
        above = own_cgroup()
        assert above is not None
        self._cgroup = Path(tempfile.mkdtemp(prefix="orchd-systemd-", dir=above))
        self._cgroup.chmod(0o755)
        paths = {ROOT, Path(sys.prefix), Path(sys.base_prefix)}
        needed = sorted(str(path) for path in paths if any(path.is_relative_to(hidden) for hidden in _HIDDEN))
        self._outer = subprocess.Popen(
            ["sh", "-c", f'echo 0 > {self._cgroup}/cgroup.procs && exec unshare "$@"', "sh", *_APART, _BOOT, *needed],
            stdin=subprocess.DEVNULL,
            start_new_session=True,
        )
        self._init = until(self._child, what="the child of unshare")
        try:
            self._boot()
        except BaseException:
            self.close()
            raise

    def _boot(self) -> None:
        """Return when its managers answer: its own, root's and ann's."""
        until(lambda: "running" in self.run("systemctl", "is-system-running", code=None), what="a booted systemd")
        self.run("systemctl", "start", "user@0.service", f"user@{ANN}.service")

    def _child(self) -> str:
        assert self._outer.poll() is None, "systemd did not boot"
        pid = self._outer.pid
        return Path(f"/proc/{pid}/task/{pid}/children").read_text().strip()

    def run(self, *words: object, code: int | None = 0, who: str = "root", env: Mapping[str, str] | None = None) -> str:
        """The standard output (and error, when it may fail) of a command inside, which must end with `code`."""
        process = subprocess.run(
            _by(who, self._init, words), env=_env(who, env), capture_output=True, text=True, timeout=60, cwd="/"
        )
        assert code is None or process.returncode == code, (words, process.returncode, process.stdout, process.stderr)
        return process.stdout if code == 0 else process.stdout + process.stderr

    def begin(
        self, *words: object, who: str = "root", env: Mapping[str, str] | None = None, stdin: int = subprocess.DEVNULL
    ) -> subprocess.Popen[str]:
        """The same, without waiting for its end."""
        pipes: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": stdin}
        return subprocess.Popen(_by(who, self._init, words), env=_env(who, env), text=True, cwd="/", **pipes)

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
    """A home of a user in a box, and the service that serves it."""

    def __init__(self, box: Box, home: str, scope: str = "user") -> None:
        self.box = box
        self.home = home
        self.unit = "orchd.service" if scope == "user" else "orchd@ann.service"
        self.env = {"ORCHD_HOME": home} if scope == "user" else {}
        self._keeper = "ann" if scope == "user" else "root"  # who may install it, and ask systemd for something
        self._scope = scope

    def ctl(self, *words: object, code: int | None = 0) -> str:
        """One `orchctl` command of ann's."""
        return self.box.run("orchctl", *words, code=code, who="ann", env=self.env)

    def service(self, *words: object, code: int | None = 0) -> str:
        """Run one `orchctl service` command as the user of the service."""
        env = {**self.env, "SUDO_USER": "ann"} if self._scope == "system" else self.env
        return self.box.run("orchctl", "service", *words, f"--{self._scope}", code=code, who=self._keeper, env=env)

    def begin(self, *words: object) -> subprocess.Popen[str]:
        """One `orchctl` command of ann's that goes on."""
        return self.box.begin("orchctl", *words, who="ann", env=self.env)

    def systemctl(self, *words: object, code: int | None = 0) -> str:
        """One `systemctl` command."""
        return self.box.run("systemctl", f"--{self._scope}", *words, code=code, who=self._keeper).strip()

    def shows(self, name: str) -> str:
        """A property of the unit."""
        return self.systemctl("show", "--value", f"--property={name}", self.unit)

    def set(self, text: str) -> None:
        """Give the unit another setting."""
        folder = f"/run/ann/.config/systemd/user/{self.unit}.d"
        script = f'mkdir -p {folder}; printf "[Service]\\n{text}\\n" > {folder}/of-the-test.conf'
        self.box.run("sh", "-c", script, who="ann")
        self.systemctl("daemon-reload")

    def spawn(self, *words: str) -> str:
        """The id of a new agent."""
        return self.ctl("spawn", "--", *words).strip()

    def agents(self, *words: str) -> list[dict[str, Any]]:
        """The agents as `status` shows them."""
        agents: list[dict[str, Any]] = json.loads(self.ctl("status", "--json", *words))["agents"]
        return agents

    def says(self, *words: str) -> str:
        """The lines of the unit in the journal, as its user reads them."""
        kind = "--user-unit" if self._scope == "user" else "--unit"
        return self.box.run("journalctl", "--no-pager", kind, self.unit, *words, who=self._keeper)

    def end(self) -> None:
        """Leave nothing of it in the box."""
        self.systemctl("reset-failed", code=None)
        self.systemctl("start", self.unit, code=None)
        self.ctl("daemon", "stop", "--stop-agents", code=None)
        self.service("uninstall", code=None)
        self.box.run("sh", "-c", f"rm -rf /run/ann/.config/systemd/user/{self.unit}* {self.home}")
        self.systemctl("daemon-reload")
        self.systemctl("reset-failed", code=None)
