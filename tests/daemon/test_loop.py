"""The loop: it sleeps until something happens, and nothing of what has happened stays behind in it."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import zmq

from orchd.core.inputs import Admit
from orchd.core.state.agents import Instant
from orchd.core.state.state import State
from orchd.daemon.loop import Loop
from orchd.daemon.sd_notify import Notifier
from orchd.protocol.frames import unpack_hint
from tests.conftest import Instance, until
from tests.support.machine import descriptors, status_of
from tests.support.raw import Raw, request

PATIENT = {"PATH": "/bin:/usr/bin"}


def switches(pid: int) -> int:
    """The number of times that threads of a process have gone to sleep and woken up."""
    tasks = Path(f"/proc/{pid}/task").iterdir()
    return sum(status_of(int(task.name), "voluntary_ctxt_switches") for task in tasks)


@pytest.mark.slow
@pytest.mark.parametrize("living", [0, 2])
def test_an_idle_daemon_does_not_wake_up(instance: Instance, living: int) -> None:
    with Raw(instance.home) as raw, Raw(instance.home) as waiting:
        raw.ask("daemon")
        for _ in range(living):
            raw.ask("spawn", {"agents": [{"command": ["sleep", "600"], "timeout": 6000.0}], "cwd": "/", "env": PATIENT})
        if living:
            waiting.send(request("w", "wait", {"scope": "all", "timeout": 6000}))
        raw.ask("daemon")
        for _ in range(4):  # a busy machine takes pages from a process at rest: to read one again is a switch too
            before = switches(instance.daemon.pid)
            assert not raw.socket.poll(2500)
            if (after := switches(instance.daemon.pid)) == before:
                break
        assert after == before
        raw.ask("cancel", {"ids": [f"{number + 1}" for number in range(living)]}) if living else None


@pytest.mark.slow
def test_agents_clients_and_waits_leak_no_descriptors_memory_or_files(instance: Instance) -> None:
    pid = instance.daemon.pid

    def work(rounds: int) -> None:
        for number in range(rounds):
            with Raw(instance.home) as raw:
                args = {"agents": [{"command": ["true"]}] * 10, "cwd": "/", "env": {**PATIENT, "N": str(number)}}
                ids = [agent["id"] for agent in raw.ask("spawn", args)["result"]["agents"]]
                raw.ask("wait", {"ids": ids, "timeout": 0.001})
                assert not raw.ask("wait", {"ids": ids})["result"]["timed_out"]
                raw.code("cancel", {"ids": ["999999"]})
                raw.code("spawn", {**args, "parent": "1"})

    work(5)
    files, memory = len(descriptors(pid)), status_of(pid, "VmRSS")
    work(30)
    until(lambda: len(descriptors(pid)) <= files + 2, what=str(descriptors(pid)))
    assert status_of(pid, "VmRSS") - memory < 6000
    until(lambda: not list(instance.home.environments.iterdir()))


def test_a_finished_wait_holds_no_descriptor_while_its_client_is_connected(instance: Instance) -> None:
    with Raw(instance.home) as raw:
        raw.ask("spawn", {"agents": [{"command": ["sleep", "600"]}], "cwd": "/", "env": PATIENT})
        before = len(descriptors(instance.daemon.pid))
        for _ in range(20):
            assert raw.ask("wait", {"ids": ["1"], "timeout": 0.01})["result"]["timed_out"]
        assert len(descriptors(instance.daemon.pid)) <= before + 1
        for number in range(20):
            raw.send(request(f"w{number}", "wait", {"ids": ["1"]}))
        raw.send(request("cancel", "cancel", {"ids": ["1"]}))
        assert len({raw.recv()["id"] for _ in range(21)}) == 21
        until(lambda: len(descriptors(instance.daemon.pid)) <= before)


def test_a_listener_receives_the_number_of_the_newest_event(instance: Instance) -> None:
    context = zmq.Context()
    listener = context.socket(zmq.SUB)
    listener.setsockopt(zmq.SUBSCRIBE, b"")
    listener.connect(f"ipc://{instance.home.events}")
    with Raw(instance.home) as raw:

        def told() -> bool:
            raw.ask("pause")
            raw.ask("resume")
            return bool(listener.poll(50))

        until(told)
        while listener.poll(200):
            newest = unpack_hint(listener.recv())
        assert newest == raw.ask("events")["result"]["last"]
        raw.ask("limit")
        assert not listener.poll(200)
    context.destroy(linger=0)


def test_a_deadline_is_kept_while_nothing_else_happens(instance: Instance) -> None:
    with Raw(instance.home) as raw:
        args = {"agents": [{"command": ["sleep", "600"], "timeout": 0.3, "grace": 0.1}], "cwd": "/", "env": PATIENT}
        raw.ask("spawn", args)
        (agent,) = raw.ask("wait", {"ids": ["1"]})["result"]["agents"]
    assert agent["status"] == "timed-out"


def test_a_deadline_beyond_the_range_of_timers_is_ignored(instance: Instance) -> None:
    with Raw(instance.home) as raw:
        args = {"agents": [{"command": ["true"], "timeout": 1e300, "silence": 1e18}], "cwd": "/", "env": PATIENT}
        raw.ask("spawn", args)
        assert raw.ask("wait", {"ids": ["1"], "timeout": 1e300})["result"]["agents"][0]["status"] == "completed"


def test_requests_sent_in_a_burst_are_answered_in_order(instance: Instance) -> None:
    with Raw(instance.home) as raw:
        for number in range(400):
            raw.send(request(f"r{number}", ("pause", "resume", "limit")[number % 3]))
        assert [raw.recv()["id"] for _ in range(400)] == [f"r{number}" for number in range(400)]


class Stage:
    """The parts of a daemon in which a commit is always on its way, and a diary of what the loop has them do."""

    def __init__(self) -> None:
        self.diary: list[str] = []
        self.fds = {name: os.eventfd(0) for name in ("router", "processes", "waits", "commits", "wakeup", "logs")}
        self.deadline: float | None = None
        self.files_due: float | None = None
        self.weighed_due: float | None = None
        self.is_pruning = False
        self.parts = self._parts()

    def _parts(self) -> Any:
        """All parts of the daemon that the loop uses."""
        note = self.diary.append
        fileno: dict[str, Callable[[], int]] = {name: partial(int, fd) for name, fd in self.fds.items()}
        return SimpleNamespace(
            context=self._context(fileno),
            dispatcher=SimpleNamespace(
                news=lambda: note("look") or [], ended=lambda *_: None, prune=lambda _: note("prune")
            ),
            remote=None,
            ports=SimpleNamespace(ended=list, fileno=fileno["router"], requests=lambda: note("hear") or iter(())),
            parked=SimpleNamespace(next_deadline=lambda: None, look=list),
            borrowers=SimpleNamespace(next_deadline=lambda: None, look=list),
            engine=SimpleNamespace(
                feed=lambda events: note("admit" if Admit() in events else "feed"),
                finish=lambda: note("finish"),
                ended=set,
                is_ahead=True,
                has_more=False,
            ),
            shell=SimpleNamespace(backlog=[], has_more=False, next_turn=lambda: None),
            space=SimpleNamespace(look=lambda has_disk_pressure: None),
            scribe=SimpleNamespace(next_deadline=lambda: self.files_due, write=lambda: note("write")),
        )

    def _context(self, fileno: dict[str, Callable[[], int]]) -> SimpleNamespace:
        """The context of the daemon, as far as the loop uses it."""
        return SimpleNamespace(
            clock=lambda: Instant(5.0, 0.0),
            state=State(),
            store=SimpleNamespace(
                last_seq=lambda: 0,
                commits=SimpleNamespace(fileno=fileno["commits"], is_pending=False),
                finish=lambda: None,
            ),
            processes=SimpleNamespace(
                fileno=fileno["processes"],
                news=lambda: ["ended"],
                next_deadline=lambda: self.weighed_due,
                rest=lambda: None,
                logs=SimpleNamespace(fileno=fileno["logs"], next_deadline=lambda: None, look=lambda: None),
            ),
            waits=SimpleNamespace(
                fileno=fileno["waits"],
                next_deadline=lambda: self.deadline,
                disconnected=lambda _: [],
                targets=tuple,
            ),
            records=SimpleNamespace(let_go=lambda: self.diary.append("tidy")),
            environments=SimpleNamespace(drop_all_but=lambda _: None),
            given=SimpleNamespace(inputs=SimpleNamespace(tidy=lambda: None)),
            pruner=SimpleNamespace(
                is_due=lambda: self.is_pruning,
                next_deadline=lambda: None,
            ),
            is_leaving=False,
        )

    def turn(self, *ready: str) -> list[str]:
        """One turn in which these are readable; what was done in it."""
        self.diary.clear()
        loop = Loop(self.parts, self.fds["wakeup"], Notifier())
        loop._patience()
        loop._turn({self.fds[name]: zmq.POLLIN for name in ready})
        return list(self.diary)

    def close(self) -> None:
        """Leave no descriptor behind."""
        for fd in self.fds.values():
            os.close(fd)


@pytest.fixture
def stage() -> Any:
    """The parts that a loop drives."""
    new_stage = Stage()
    yield new_stage
    new_stage.close()


def test_process_events_are_handled_while_a_commit_is_pending(stage: Stage) -> None:
    assert stage.turn("processes") == ["feed"]
    assert stage.turn("commits", "processes") == ["finish", "feed"]


def test_the_loop_sleeps_until_the_next_weighing_of_agents(stage: Stage) -> None:
    loop = Loop(stage.parts, stage.fds["wakeup"], Notifier())
    assert loop._patience() is None
    stage.weighed_due = 5.25
    assert loop._patience() == 250
    loop._turn({})
    assert "hear" not in stage.diary


def test_remaining_work_prevents_sleep_and_is_done_after_the_requests(stage: Stage) -> None:
    loop = Loop(stage.parts, stage.fds["wakeup"], Notifier())
    assert loop._patience() is None
    for part in (stage.parts.engine, stage.parts.shell):
        part.has_more = True
        assert loop._patience() == 0
        part.has_more = False
    stage.parts.engine.has_more = True
    assert stage.turn("processes") == ["admit"]
    assert stage.turn("router")[-3:] == ["finish", "tidy", "admit"]


def test_environments_are_removed_only_without_a_pending_commit(stage: Stage) -> None:
    stage.parts.engine.is_ahead = False
    assert stage.turn("processes") == ["feed", "tidy"]


def test_prune_runs_only_after_all_decisions_are_committed(stage: Stage) -> None:
    stage.is_pruning = True
    assert stage.turn("processes") == ["feed", "finish", "tidy", "prune"]
    stage.parts.context.store.commits.is_pending = True  # the rows that are leaving
    assert stage.turn("processes") == ["feed", "finish"]


@pytest.mark.parametrize("ready", ["router", "waits", "deadline"])
def test_requests_are_read_and_answered_only_after_all_commits(stage: Stage, ready: str) -> None:
    stage.deadline = 4.0 if ready == "deadline" else 6.0
    calls = stage.turn("processes", *({ready} & stage.fds.keys()))
    assert calls[:3] == ["feed", "finish", "tidy"]
    assert calls[3:5] == ["look", "hear"]
    assert calls[-2:] == ["finish", "tidy"]


def test_idle_shims_are_released_at_the_end_of_a_turn(stage: Stage) -> None:
    stage.parts.context.processes.rest = lambda: stage.diary.append("rest")
    assert stage.turn("processes") == ["feed", "rest"]
    calls = stage.turn("processes", "router")
    assert calls.index("hear") < calls.index("rest")
    assert "feed" not in calls[calls.index("rest") :]


def test_a_waiting_client_is_notified_of_ends_after_their_commit(
    stage: Stage,
) -> None:
    stage.parts.engine.is_ahead, ended = False, [{"agent-001"}]
    stage.parts.engine.ended = lambda: ended.pop() if ended else set()
    stage.parts.dispatcher.ended = lambda over, flush: stage.diary.append("tell")
    stage.parts.context.processes.news = list
    assert stage.turn("router", "commits")[:2] == ["finish", "tell"]


def test_files_are_written_when_due_and_only_after_the_commit(stage: Stage) -> None:
    stage.files_due = 6.0
    assert "write" not in stage.turn("processes")
    stage.files_due = 5.0
    assert stage.turn()[-2:] == ["finish", "write"]
