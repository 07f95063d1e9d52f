"""The load of a soak: batches, families, commands and faults, and a sample of the daemon each second."""

from __future__ import annotations

import json
import os
import random
import signal
import statistics
import time
from collections import Counter
from pathlib import Path
from typing import Any, Self

from benchmarks.faults import clients
from benchmarks.faults.killing import BRIEF
from benchmarks.faults.lab import Lab, rest
from benchmarks.faults.tally import Tally
from tests.support.raw import Raw, provoked_codes

LIMIT, RESIDENT = 7, 28
_QUEUED = 40  # no more is asked for while so many are queued
_COMMANDS = ("status", "limit", "usage", "events", "runs", "daemon status", "spawn -- true")
_WORK = f"{BRIEF}; sleep 0.6; {BRIEF}"


class Load:
    """One soak. One thread does everything in turn, so that no sample of the daemon meets a fault of the test."""

    def __init__(self, tally: Tally, seconds: float) -> None:
        self.lab = Lab(tally, f"limit = {LIMIT}\nresident = {RESIDENT}\ngrace = 0.3\n")
        self.seconds = seconds
        self.samples: list[tuple[float, dict[str, float]]] = []
        self.marks: list[float] = []
        self.faults: Counter[str] = Counter()
        self.peak = self.agents = 0
        self._tally = tally
        self._chance = random.Random(2026)
        self._codes = provoked_codes()
        self._expected: dict[str, int | str] = {}
        self._hurt: set[str] = set()  # of whom only an end can be expected
        self._began = time.monotonic()

    def __enter__(self) -> Self:
        children = self.lab.directory / "children.jsonl"
        children.write_text("\n".join(json.dumps(self.lab.spec(BRIEF)) for _ in range(3)))
        self._family = f"orchctl spawn --batch {children} >/dev/null; orchctl wait --children >/dev/null"
        self.lab.start()
        self.lab.watch(LIMIT, RESIDENT)
        return self

    def __exit__(self, *_: object) -> None:
        self.lab.close()

    @property
    def now(self) -> float:
        """Return the seconds since the begin."""
        return time.monotonic() - self._began

    def run(self) -> None:
        """Run a beat a second, until the time is up."""
        beat = 0
        while self.now < self.seconds:
            begin = self.now
            beat += 1
            self._send(beat)
            if beat % 5 == 0:
                self._harm(beat // 5)
            self._sample()
            rest(max(0.0, 1.0 - (self.now - begin)))

    def _send(self, beat: int) -> None:
        """Spawn work and start a command."""
        if len(self.lab.client.call("status", {"usage": False})["agents"]) < _QUEUED:
            codes = [self._chance.choice([0, 0, 0, 1, 9]) for _ in range(8)]
            self._expected |= dict(
                zip(self.lab.spawn([self.lab.spec(_WORK, code) for code in codes]), codes, strict=True)
            )
            if beat % 3 == 0:
                self._expected |= dict.fromkeys(self.lab.spawn([self.lab.spec(self._family, nesting=1)]), 0)
        if beat % 4 == 0:
            process = self.lab.command(*_COMMANDS[beat // 4 % len(_COMMANDS)].split())
            _, errors = process.communicate(timeout=90)
            self._tally.count("unreported", int(process.returncode != 0), f"{process.args!r}: {errors}")

    def _harm(self, number: int) -> None:
        """Inject one fault after the other; the daemon itself dies in the first quarter only."""
        kinds = [self._shim, self._client, self._stop, self._nonsense, self._deaf_listeners, self._cancel]
        if self.now < self.seconds / 4:
            kinds.append(self._daemon)
        kind = kinds[number % len(kinds)]
        kind()
        self.faults[kind.__name__.strip("_").replace("_", " ")] += 1

    def _daemon(self) -> None:
        self.lab.kill_daemon()
        self.marks.append(self.now)

    def _victim(self) -> dict[str, Any] | None:
        agents = self.lab.client.call("status", {"usage": False})["agents"]
        living_agents = [agent for agent in agents if agent["status"] in ("running", "waiting") and agent["pid"]]
        return self._chance.choice(living_agents) if living_agents else None

    def _shim(self) -> None:
        if victim := self._victim():
            self._hurt.add(victim["id"])
            try:
                os.kill(victim["pid"], signal.SIGKILL)
            except ProcessLookupError:
                return

    def _client(self) -> None:
        process = self.lab.command("wait", "--all")
        rest(self._chance.uniform(0.0, 0.4))
        process.kill()
        process.communicate()

    def _stop(self) -> None:
        pid = self.lab.pid
        os.kill(pid, signal.SIGSTOP)
        rest(0.5)
        os.kill(pid, signal.SIGCONT)

    def _nonsense(self) -> None:
        with Raw(self.lab.home) as raw:
            frames = [clients.nonsense_of(self._chance) for _ in range(100)]
            clients.answered(self._tally, raw, frames, self._codes)

    def _deaf_listeners(self) -> None:
        crowd = clients.crowd(self.lab, "listens", 20)
        crowd.kill()
        crowd.communicate()

    def _cancel(self) -> None:
        if victim := self._victim():
            self._hurt.add(victim["id"])
            self.lab.client.call("cancel", {"ids": [victim["id"]]})

    def _sample(self) -> None:
        """Take the daemon's values from /proc, and the time of an answer."""
        pid, durations = self.lab.pid, []
        for _ in range(20):
            begin = time.perf_counter()
            limit = self.lab.client.call("limit")
            durations.append(1000 * (time.perf_counter() - begin))
        values = {
            "memory": clients.resident(pid) / 1024,
            "descriptors": clients.descriptors(pid),
            "threads": len(os.listdir(Path(f"/proc/{pid}/task"))),
            "latency": statistics.median(durations),
            "working": limit["working"],
        }
        self.samples.append((self.now, values))

    def finish(self) -> None:
        """Every spawned agent has come to its end, and to the right one."""
        self.lab.client.wait(scope="all", timeout=120.0)
        unhurt = {agent_id: code for agent_id, code in self._expected.items() if agent_id not in self._hurt}
        self.agents = len(self.lab.signed("begin"))
        if self.lab.witness is not None:
            self.peak = self.lab.witness.peak_working
        self.lab.audit(unhurt)
