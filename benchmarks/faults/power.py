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
    """What was known outside when the power was cut."""

    def __init__(self) -> None:
        self.spawned: list[str] = []
        self.ended: dict[str, int] = {}
        self.begun: set[str] = set()

    def hears(self, change: Change) -> None:
        """An agent has begun, or somebody was told of one."""
        if change.kind == "a":
            word, agent_id, *rest = change.path.split()
            if word == "spawned":
                self.spawned.append(agent_id)
            else:
                self.ended[agent_id] = int(rest[0])
        elif change.path == "book" and change.data.startswith(b"begin"):
            self.begun.add(change.data.split()[1].decode())


def cut(tally: Tally) -> Iterator[None]:
    """A daemon lives and ends under the layer; then each moment of it is opened, in three kinds; a try is a disk."""
    chance = random.Random(2026)
    while True:
        with Lab(tally, "limit = 2\n") as lab:
            changes = lived(lab, 2)
        for number, (moment, files) in enumerate(disks(changes, chance)):
            with tempfile.TemporaryDirectory(prefix="orchd-cut-", dir=_fast()) as name:
                journal.write(Path(name), files, MEMORY)
                opened(tally, Path(name) / "home", moment)
                if number % _EVERY == _EVERY - 1:
                    _run_again(tally, Path(name), moment)
            yield


def _fast() -> str | None:
    """Where a disk that is thrown away costs least."""
    return "/dev/shm" if Path("/dev/shm").is_dir() else None


def lived(lab: Lab, batches: int) -> list[Change]:
    """Batches, each awaited, and an orderly end, with which the log of the database is folded into it."""
    layer = Layer(lab.directory, lab.directory, journal=True)
    lab.start(**layer.env)
    for _ in range(batches):
        ids = lab.spawn([lab.spec(BRIEF, code) for code in CODES], **layer.env)
        for agent_id in ids:
            journal.told(layer.journal, f"spawned {agent_id}")
        for agent in lab.client.wait(ids=ids)["agents"]:
            journal.told(layer.journal, f"ended {agent['id']} {agent['exit_code']}")
    lab.ends()
    return journal.read(layer.journal)


def disks(changes: list[Change], chance: random.Random) -> Iterator[tuple[Moment, dict[str, bytes]]]:
    """Each different disk, with the most that may have been known outside while it looked so."""
    disk, moment, before = Disk(), Moment(), {"all": b"", "certain": b"", "some": b""}
    for number, change in enumerate(changes):
        disk.play(change)
        moment.hears(change)
        after = changes[number + 1].kind if number + 1 < len(changes) else "w"
        if after == "a" or (number + 1 < len(changes) and changes[number + 1].path == "book"):
            continue  # more is known outside in a moment, and nothing else has changed
        for kind in journal.KINDS:
            files = dict(disk.state(kind, chance))
            digest = hashlib.sha256(repr(sorted(files.items())).encode()).digest()
            if digest != before[kind] or change.kind == "a":
                before[kind] = digest
                yield moment, files


def opened(tally: Tally, home: Path, moment: Moment) -> None:
    """What the product's own store says of it. Nobody whom it holds for queued has begun, and nobody is missing."""
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


def _run_again(tally: Tally, directory: Path, moment: Moment) -> None:
    """A whole daemon, after a reboot: all that it knows comes to an end, and nobody begins who had begun."""
    for record in (directory / "home/agents").glob("*.exit"):
        record.write_bytes(record.read_bytes().replace(BOOT, b"0" * len(BOOT)))
    with Lab(tally, "limit = 2\n", place=directory) as lab:
        lab.start()
        until(lambda: all(agent["ended_at"] for agent in lab.shown().values()), "all ends")
        repeated = set(lab.signed("begin")) & moment.begun
        tally.count("twice", len(repeated), f"begun again after the power was back: {sorted(repeated)[:5]}")
        lab.audit_rest()
    shutil.rmtree(directory, ignore_errors=True)
    directory.mkdir()
