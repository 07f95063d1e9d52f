"""Changes that agents and people make to files of the home: other things in the place of logs, a lost database."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks.faults.killing import BRIEF, CODES
from benchmarks.faults.lab import Lab, is_alive, rest
from benchmarks.faults.tally import Tally
from orchctl.client import Client
from orchctl.errors import NoDaemonError
from orchd.protocol.errors import WireError

_LEAVES = 5.0  # seconds within which a daemon leaves that can keep nothing
_OWN = '"$ORCHD_HOME/agents/$ORCHD_AGENT.$ORCHD_ATTEMPT.log"'
_MINE = "not the agent's\n"
# An agent puts a FIFO in the place of its own log, and writes on into the file that it has open.
_SWAPS = f"rm {_OWN}; mkfifo {_OWN}; echo more; {BRIEF}"


def _fifo(log: Path, victim: Path) -> None:  # noqa: ARG001 - all take both
    os.mkfifo(log)


def _link(log: Path, victim: Path) -> None:
    log.symlink_to(victim)


def _second_name(log: Path, victim: Path) -> None:
    log.hardlink_to(victim)


def _broken_link(log: Path, victim: Path) -> None:
    log.symlink_to(victim.with_name("nowhere"))


_PUT: tuple[Callable[[Path, Path], None], ...] = (_link, _second_name, _broken_link, _fifo)


def in_the_place_of_logs(tally: Tally) -> Iterator[None]:
    """Put a link, a second name, a FIFO or a directory where the log of the next agent is to be."""
    while True:
        with Lab(tally, "limit = 3\n") as lab:
            lab.start()
            lab.watch(3, 12)
            pid = lab.pid
            (agent_id,) = lab.spawn([lab.spec()])
            victim = lab.directory / "victim"
            victim.write_text(_MINE)
            logs = [lab.home.agents / f"agent-{number + 2:03d}.1.log" for number in range(len(_PUT) + 1)]
            for put, log in zip(_PUT, logs, strict=False):
                put(log, victim)
            logs[-1].mkdir()
            ids = lab.spawn([lab.spec(f"echo said; {BRIEF}", 7)] * len(_PUT))
            (without,) = lab.spawn([lab.spec()])
            swapping = lab.spawn([lab.spec(_SWAPS, 3, silence=600, timeout=600)] * 2)
            lab.audit(dict.fromkeys(ids, 7) | dict.fromkeys(swapping, 3) | {agent_id: 0, without: "failed"})
            mistakes = [log.name for log in logs[:-1] if log.is_symlink() or log.read_text() != "said\n"]
            tally.count("lost", len(mistakes), f"the output of an agent is not in its log: {mistakes}")
            nowhere = victim.with_name("nowhere").exists()
            tally.count("lost", int(nowhere or victim.read_text() != _MINE), "another file was written to")
            tally.count("unreported", int(lab.pid != pid), "the daemon died")
            _ask_for_output(lab, [*ids, without, *swapping])
        yield


def _ask_for_output(lab: Lab, ids: list[str]) -> None:
    """Each `orchctl logs` ends soon, with the output or with a sentence."""
    processes = [lab.command("logs", agent_id) for agent_id in ids]
    for process in processes:
        errors = process.communicate(timeout=30)[1]
        is_answered = process.returncode == 0 or "in the place of the file" in errors
        lab.tally.count("unreported", int(not is_answered or "Traceback" in errors), f"{process.args!r}: {errors}")


def database(tally: Tally) -> Iterator[None]:
    """Remove the database and put a copy back later; in between the daemon may acknowledge nothing."""
    while True:
        for removal in (_removed, _replaced):
            with Lab(tally, "limit = 3\n") as lab:
                lab.start()
                lab.watch(3, 12)
                gate = 'until [ -e "$ORCHD_HOME/../go" ]; do sleep 0.01; done'
                expected: dict[str, int | str] = dict.fromkeys(lab.spawn([lab.spec(gate, 8)] * 2), 8)
                brief = lab.spawn([lab.spec(BRIEF, code) for code in CODES])
                lab.client.wait(ids=brief, timeout=20.0)  # what is copied must not change meanwhile
                expected |= dict(zip(brief, CODES, strict=True))
                _database_goes(lab, expected, removal)
                (lab.directory / "go").touch()
                lab.audit(expected)
            yield


def _database_goes(lab: Lab, expected: dict[str, int | str], removal: Callable[[Path], None]) -> None:
    pid, files = lab.pid, [path for path in lab.home.directory.glob(f"{lab.home.database.name}*") if path.is_file()]
    copies = lab.directory / "copies"
    copies.mkdir()
    for path in files:
        shutil.copy2(path, copies)
    for path in files:
        removal(path)
    for _ in range(int(_LEAVES * 100)):
        if not is_alive(pid):
            break
        rest(0.01)
    lab.client.close()
    try:
        with Client(lab.home) as client:
            args = {"agents": [lab.spec(BRIEF)] * 2, "cwd": str(lab.directory), "env": lab.env}
            expected |= dict.fromkeys((agent["id"] for agent in client.call("spawn", args, patience=3.0)["agents"]), 0)
    except (NoDaemonError, WireError):
        pass
    if is_alive(pid):
        lab.kill_daemon()
    for path in files:
        path.unlink(missing_ok=True)
        shutil.copy2(copies / path.name, path)
    lab.client = Client(lab.home)
    lab.start()


def _removed(path: Path) -> None:
    path.unlink()


def _replaced(path: Path) -> None:
    """Replace the file by an empty one, as an editor or a restore may leave it."""
    replacement = path.with_name(f"{path.name}.new")
    replacement.touch(0o600)
    replacement.replace(path)
