"""Power loss: the state directory as any moment of a busy daemon may have left it on the disk, opened again."""

from __future__ import annotations

import hashlib
import random
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from benchmarks.faults import journal
from benchmarks.faults.journal import Change, Disk
from benchmarks.faults.killing import BRIEF, CODES
from benchmarks.faults.lab import Lab, until
from benchmarks.faults.layer import Layer
from benchmarks.faults.tally import Tally
from orchd.core.state.agents import AgentId, Instant, Status
from orchd.core.state.state import State
from orchd.errors import StoreError
from orchd.processes.linux.procfs import BOOT
from orchd.store.database import Store

MEMORY = ("-shm", ".sock", ".lock")  # what is no content of a disk
_EVERY = 25  # of the disks each so many-th is opened by a daemon, and all that is queued there is run


class Moment:
    """What clients outside knew when the power was cut."""

    def __init__(self) -> None:
        self.spawned: list[str] = []
        self.ended: dict[str, int] = {}
        self.begun: set[str] = set()

    def note(self, change: Change) -> None:
        """Note that an agent has begun, or that a client was told of an agent."""
        if change.kind == "a":
            word, agent_id, *rest = change.path.split()
            if word == "spawned":
                self.spawned.append(agent_id)
            else:
                self.ended[agent_id] = int(rest[0])
        elif change.path == "book" and change.data.startswith(b"begin"):
            self.begun.add(change.data.split()[1].decode())


def cut(tally: Tally) -> Iterator[None]:
    """Run a daemon under the layer; then open each moment of its disk, in three kinds. A try is a disk."""
    chance = random.Random(2026)
    while True:
        with Lab(tally, "limit = 2\n") as lab:
            changes = recorded(lab, 2)
        for number, (moment, files) in enumerate(disks(changes, chance)):
            with tempfile.TemporaryDirectory(prefix="orchd-cut-", dir=_fast()) as name:
                journal.write(Path(name), files, MEMORY)
                check_store(tally, Path(name) / "home", moment)
                if number % _EVERY == _EVERY - 1:
                    _check_daemon(tally, Path(name), moment)
            yield


def _fast() -> str | None:
    """Return the directory where a temporary disk costs least."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def recorded(lab: Lab, batches: int) -> list[Change]:
    """Run batches to their ends and end the daemon, which folds the log of the database into it; return the changes."""
    layer = Layer(lab.directory, lab.directory, journal=True)
    lab.start(**layer.env)
    for _ in range(batches):
        ids = lab.spawn([lab.spec(BRIEF, code) for code in CODES], **layer.env)
        for agent_id in ids:
            journal.note(layer.journal, f"spawned {agent_id}")
        for agent in lab.client.wait(ids=ids)["agents"]:
            journal.note(layer.journal, f"ended {agent['id']} {agent['exit_code']}")
    lab.end_all()
    return journal.read(layer.journal)


def disks(changes: list[Change], chance: random.Random) -> Iterator[tuple[Moment, dict[str, bytes]]]:
    """Yield each different disk, with the most that clients outside may have known at that moment."""
    disk, moment, before = Disk(), Moment(), {"all": b"", "certain": b"", "some": b""}
    for number, change in enumerate(changes):
        disk.play(change)
        moment.note(change)
        after = changes[number + 1].kind if number + 1 < len(changes) else "w"
        if after == "a" or (number + 1 < len(changes) and changes[number + 1].path == "book"):
            continue  # more is known outside in a moment, and nothing else has changed
        for kind in journal.KINDS:
            files = dict(disk.state(kind, chance))
            digest = hashlib.sha256(repr(sorted(files.items())).encode()).digest()
            if digest != before[kind] or change.kind == "a":
                before[kind] = digest
                yield moment, files


def check_store(tally: Tally, home: Path, moment: Moment) -> None:
    """Open the disk with the product's own store: no agent that it has queued has begun, and no agent is missing."""
    if not moment.spawned and not (home / "orchd.db").exists():
        return
    try:
        store = Store(home / "orchd.db")
    except StoreError as error:
        tally.count("lost", 1, str(error))
        return
    store.restore(State(), Instant(0.0, 0.0))
    agents = {agent_id: store.agent(AgentId(agent_id)) for agent_id in {*moment.spawned, *moment.begun}}
    store.close()
    gone = [agent_id for agent_id in moment.spawned if agents[agent_id] is None]
    repeated = [
        agent_id
        for agent_id in moment.begun
        if (agent := agents[agent_id]) is None or agent.attempt == 0 or agent.status is Status.QUEUED
    ]
    wrong_ends = [
        agent_id for agent_id, code in moment.ended.items() if (agent := agents[agent_id]) and _code(agent) != code
    ]
    tally.count("lost", len(gone), f"acknowledged and unknown: {gone[:5]}")
    tally.count("twice", len(repeated), f"begun, and to be begun: {repeated[:5]}")
    tally.count("lost", len(wrong_ends), f"told as ended, and not known to be: {wrong_ends[:5]}")


def _code(agent: object) -> int | None:
    outcome = getattr(agent, "outcome", None)
    return outcome.code if outcome else None


def _check_daemon(tally: Tally, directory: Path, moment: Moment) -> None:
    """Start a daemon on the disk, as after a reboot: all known agents end, and no begun agent begins again."""
    for record in (directory / "home/agents").glob("*.exit"):
        record.write_bytes(record.read_bytes().replace(BOOT, b"0" * len(BOOT)))
    with Lab(tally, "limit = 2\n", place=directory) as lab:
        lab.start()
        until(lambda: all(agent["ended_at"] for agent in lab.listed().values()), "all ends")
        repeated = set(lab.signed("begin")) & moment.begun
        tally.count("twice", len(repeated), f"begun again after the power was back: {sorted(repeated)[:5]}")
        lab.audit_rest()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
