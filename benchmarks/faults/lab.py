"""One instance under faults: agents sign a book at their begin and end, and an audit trusts only that book."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from benchmarks.faults.tally import Tally
from benchmarks.harness import orchctl
from orchctl.client import Client
from orchctl.errors import NoDaemonError
from orchd.instance.home import Home
from orchd.protocol.errors import WireError
from orchd.protocol.frames import MOST
from tests.runnable import Runnable
from tests.witness import Witness

# Seconds after which something has not come; a planted bug is not waited for as long as what is to be proved sound.
DEADLINE = float(os.environ.get("FAULTS_DEADLINE", "60"))
BOOK = '"$ORCHD_HOME/../book"'
Expected = Mapping[str, int | str]  # by agent: its exit code, or the status that it must come to


class Stuck(Exception):
    """An awaited condition did not become true in time."""


def until(condition: Callable[..., Any], what: str, seconds: float | None = None) -> Any:
    """Return the first true value of `condition`. Raises Stuck.

    `condition` is called without arguments: those of a lambda in a loop have the variables of the loop as defaults.
    """
    end = time.monotonic() + (seconds or DEADLINE)
    while not (value := condition()):
        if time.monotonic() > end:
            raise Stuck(f"not within {seconds or DEADLINE:g} s: {what}")
        rest(0.005)
    return value


def rest(seconds: float) -> None:
    """Sleep: the wait is for time itself."""
    select.select([], [], [], seconds)


def is_alive(pid: int) -> bool:
    """Return whether a process that has not ended has this pid."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] not in "ZX"


def processes_of(home: Path, mark: str = "ORCHD_HOME") -> dict[int, str]:
    """The processes of an instance that carry `mark` too, by pid, with their command lines."""
    wanted, prefix, pids = b"ORCHD_HOME=" + os.fsencode(home), f"{mark}=".encode(), {}
    for name in os.listdir("/proc"):
        if not name.isdigit() or int(name) == os.getpid():
            continue
        try:
            variables = Path(f"/proc/{name}/environ").read_bytes().split(b"\0")
            if wanted in variables and any(variable.startswith(prefix) for variable in variables):
                pids[int(name)] = (
                    Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
                )
        except OSError:
            continue
    return pids


class Lab:
    """A home, its daemon, a connection and the book. The lab observes the daemon from outside."""

    def __init__(self, tally: Tally, config: str = "", *, place: Path | None = None, **more: str) -> None:
        self.tally = tally
        self.directory = place or Path(tempfile.mkdtemp(prefix="orchd-fault-", dir="/tmp"))
        self.home = Home(self.directory / "home")
        self.home.create()
        self.home.config.write_text(f"session_files = false\n{config}")
        self.book = self.directory / "book"
        self.book.touch()
        self.said = self.directory / "said"
        self.env = {**os.environ, "ORCHD_HOME": str(self.home.directory), **more}
        os.environ["ORCHD_HOME"] = str(
            self.home.directory
        )  # a daemon that our own client brings back shows whose it is
        self.client = Client(self.home)
        self.daemon: subprocess.Popen[bytes] | None = None
        self.witness: Witness | None = None
        self.runnable: Runnable | None = None  # a witness of what can run, where agents leave their waits
        self.judged_windows = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def start(self, *program: str, **more: str) -> None:
        """Start a daemon, which answers when this returns. Raises Stuck when it does not answer."""
        reader, writer = os.pipe()
        words = list(program) or [sys.executable, "-m", "orchd"]
        with self.said.open("ab") as stream:
            self.daemon = subprocess.Popen(
                [*words, "--home", str(self.home.directory), "--ready-fd", str(writer)],
                env={**self.env, **more},
                stdin=subprocess.DEVNULL,
                stdout=stream,
                stderr=stream,
                pass_fds=[writer],
                start_new_session=True,
            )
        os.close(writer)
        with os.fdopen(reader, "rb") as ready:
            answer = ready.readline()
        if answer != b"ready\n":
            raise Stuck(f"the daemon did not start: {answer.decode(errors='replace').strip() or self.last_words()}")

    def words(self) -> str:
        """Return all output of daemons, also of daemons that clients restarted."""
        logs = (path for path in (self.said, self.home.log) if path.exists())
        return "\n".join(path.read_text(errors="replace") for path in logs)

    def last_words(self) -> str:
        """Return the last lines of that output."""
        return " / ".join(self.words().splitlines()[-3:])

    @property
    def pid(self) -> int:
        """Return the pid of the daemon that serves now."""
        return int(self.client.call("daemon")["pid"])

    def kill_daemon(self) -> None:
        """`kill -9` the daemon that serves."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        until(lambda: not is_alive(pid), "the daemon's death")

    def wait_for_death(self) -> None:
        """Return when the daemon that was started here has ended; the layer or a point ends it."""
        daemon = self.daemon
        until(lambda: daemon is None or daemon.poll() is not None, "the daemon's death", 20.0)

    def command(self, *words: str) -> subprocess.Popen[str]:
        """Start an `orchctl` command in the background."""
        return subprocess.Popen(
            [orchctl(), *words],
            env=self.env,
            cwd=self.directory,
            text=True,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def watch(self, limit: int, resident: int) -> None:
        """Let a witness count from here on."""
        self.witness = Witness(self.home.directory, limit=limit, resident=resident)

    def wait_for_windows(self, windows: int) -> None:
        """Return when the witness of runnable agents has judged this many more windows."""
        assert self.runnable is not None
        for _ in range(windows):
            self.runnable.next_window()

    def script(self, work: str = ":", code: int = 0) -> list[str]:
        """Return the command of an agent that signs the book, works, and signs again."""
        sign = f'"$ORCHD_AGENT $ORCHD_ATTEMPT" >> {BOOK}'
        return ["sh", "-c", f"echo begin {sign}; {work}; echo end {sign}; exit {code}"]

    def spec(self, work: str = ":", code: int = 0, **fields: object) -> dict[str, object]:
        """Return such an agent as a request has it."""
        return {"command": self.script(work, code), **fields}

    def spawn(self, specs: list[dict[str, object]], **more: str) -> list[str]:
        """Spawn a batch and return the ids. Raises the errors of the client."""
        args = {"agents": specs, "cwd": str(self.directory), "env": {**self.env, **more}}
        return [agent["id"] for agent in self.client.call("spawn", args)["agents"]]

    def signed(self, word: str) -> Counter[str]:
        """Return how often each agent has signed at its begin, or at its end."""
        lines = (line.split() for line in self.book.read_text().splitlines())
        return Counter(line[1] for line in lines if len(line) == 3 and line[0] == word)

    def listed(self, ids: Iterable[str] | None = None) -> dict[str, dict[str, Any]]:
        """Return agents by id, as `status` shows them: the known agents among `ids`, or all."""
        if ids is None:
            return {agent["id"]: agent for agent in self.client.call("status", {"all": True, "usage": False})["agents"]}
        agents: dict[str, dict[str, Any]] = {}
        for agent_id in list(ids):
            with suppress(WireError):
                (agents[agent_id],) = self.client.call("status", {"ids": [agent_id], "usage": False})["agents"]
        return agents

    def audit(self, expected: Expected, *, waits: bool = True, are_all: bool = False) -> None:
        """Count the faults once all expected agents have ended; `are_all`: no other agent may have run."""
        agents = self.listed(expected)
        gone = [agent_id for agent_id in expected if agent_id not in agents]
        self.tally.count("lost", len(gone), f"unknown {gone[:5]}")
        ids = list(agents) if waits else []
        for first in range(0, len(ids), MOST):  # half an hour of load makes more than one request can name
            self.client.wait(ids=ids[first : first + MOST], timeout=DEADLINE)
        agents = self.listed(agents)
        wrong = [
            f"{agent_id} {mistake}"
            for agent_id, agent in agents.items()
            if (mistake := _wrong(agent, expected[agent_id]))
        ]
        self.tally.count("lost", len(wrong), "; ".join(wrong[:5]))
        self.audit_book(agents, expected)
        if are_all:  # a request that was answered by a later daemon had its agents started by the one before
            unknown_ids = [agent for agent in self.signed("begin") if agent not in expected]
            self.tally.count("twice", len(unknown_ids), f"ran and are in no answer: {unknown_ids[:5]}")
        self.audit_rest()

    def audit_book(self, agents: Mapping[str, dict[str, Any]], expected: Expected) -> None:
        """Compare the ends with what the agents signed themselves."""
        begins, ends = self.signed("begin"), self.signed("end")
        repeated = [agent_id for agent_id, count in begins.items() if count > 1]
        self.tally.count("twice", len(repeated), f"{repeated[:5]}")
        silent = [
            agent_id
            for agent_id in agents
            if isinstance(expected[agent_id], int) and not (begins[agent_id] and ends[agent_id])
        ]
        self.tally.count("lost", len(silent), f"said to have ended, and did not: {silent[:5]}")

    def audit_rest(self) -> None:
        """No process of an agent lives after all ended, the limit was kept, and no daemon died without a sentence."""
        processes = processes_of(self.home.directory, "ORCHD_AGENT")
        self.tally.count("left", len(processes), str(list(processes.values())[:5]))
        self.audit_witness()
        traces = self.words().count("Traceback")
        self.tally.count("unreported", traces, self.last_words())

    def _witnesses(self) -> list[Witness | Runnable]:
        return [witness for witness in (self.witness, self.runnable) if witness is not None]

    def audit_witness(self) -> None:
        """Count the windows in which the witnesses saw more than the limit."""
        for witness in self._witnesses():
            witness.close()
            self.tally.count("over", len(witness.violations), "; ".join(witness.violations[:3]))
            self.judged_windows += witness.windows
        self.witness = self.runnable = None

    def close(self) -> None:
        """End the instance and remove its files."""
        for witness in self._witnesses():
            witness.close()
        self.end_all()
        self.client.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def end_all(self) -> None:
        """End every process of this instance, and no other process."""
        try:
            with Client(self.home, starts=False) as client:
                client.call("stop", {"agents": "stop"}, patience=5.0)
            if self.daemon is not None:
                self.daemon.wait(10.0)
        except (NoDaemonError, WireError, subprocess.TimeoutExpired):
            pass
        while processes := processes_of(self.home.directory):
            for pid in processes:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    continue
            rest(0.02)
        if self.daemon is not None:
            self.daemon.kill()
            self.daemon.wait()


def _wrong(agent: dict[str, Any], expected: int | str) -> str:
    """Return what is wrong with the end of an agent."""
    if isinstance(expected, str):
        return "" if agent["status"] == expected else f"is {agent['status']}, not {expected}"
    status = "failed" if expected else "completed"
    if (agent["status"], agent["exit_code"]) == (status, expected):
        return ""
    return f"is {agent['status']} with {agent['exit_code']}, not {status} with {expected}: {agent['reason']}"
