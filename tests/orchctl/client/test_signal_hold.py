"""A wait that a signal ends while no daemon runs: the agent stays blocked until one does."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchctl.client.signal_hold import SignalHold
from tests.conftest import Instance, until
from tests.e2e.fleet import is_alive
from tests.e2e.parents import clients_of

SCRIPT = "orchctl spawn -- sh -c 'read x < {0}/gate'; orchctl wait --children; echo $? > {0}/code; read x < {0}/last"
WINDOW = 1.0  # seconds in which a client that does not hold the signal has long ended


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130), (signal.SIGHUP, 129)])
def test_an_agent_stays_blocked_if_its_wait_is_signalled_without_a_daemon(
    stopped: Instance, tmp_path: Path, number: signal.Signals, code: int
) -> None:
    stopped.home.create()
    stopped.configure("limit = 1\n")
    stopped.start()
    for name in ("gate", "last"):
        os.mkfifo(tmp_path / name)
    parent = stopped.spawn("sh", "-c", SCRIPT.format(tmp_path))
    until(lambda: [agent["status"] for agent in stopped.status()["agents"]] == ["waiting", "running"])
    (client,) = clients_of(stopped.directory)[parent]
    stopped.kill()
    os.kill(client, number)
    deadline = time.monotonic() + WINDOW
    until(lambda: not is_alive(client) or time.monotonic() > deadline)
    assert is_alive(client), "its agent works beside its child"
    stopped.start()
    until(lambda: stopped.agent(parent)["frozen"] == "wait-cut")  # with the client in it, or after that has ended
    (tmp_path / "gate").write_text("\n")
    until(lambda: (tmp_path / "code").exists() and (tmp_path / "code").read_text())
    assert (tmp_path / "code").read_text() == f"{code}\n"
    (tmp_path / "last").write_text("\n")
    until(lambda: stopped.agent(parent)["status"] == "completed")


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """The signals that reached the handler of this process."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def wait_until(hold: SignalHold, is_enough: Callable[[], bool]) -> None:
    """Wait as a client does, until `is_enough` returns true."""
    next_look: float | None = None
    while not is_enough():
        select.select([source for source in hold.sources() if isinstance(source, int)], [], [], next_look)
        next_look = hold.look()


def test_a_signal_takes_effect_once_a_daemon_answers(handled: list[int]) -> None:
    answers = iter([False, False, True])
    with SignalHold(lambda: next(answers), 60.0, None) as hold:
        signal.raise_signal(signal.SIGTERM)
        assert handled == []
        wait_until(hold, lambda: bool(handled))
        assert next(answers, None) is None
    assert handled == [signal.SIGTERM]


def test_a_signal_takes_effect_at_the_next_look_while_a_daemon_answers(handled: list[int]) -> None:
    with SignalHold(lambda: True, 60.0, None) as hold:
        signal.raise_signal(signal.SIGTERM)
        assert handled == []  # a handler may interrupt anything, so it looks at nothing
        wait_until(hold, lambda: bool(handled))
    assert handled == [signal.SIGTERM]


def test_a_signal_takes_effect_after_the_maximum_hold_time(handled: list[int]) -> None:
    with SignalHold(lambda: False, 0.2, None) as hold:
        began = time.monotonic()
        signal.raise_signal(signal.SIGTERM)
        wait_until(hold, lambda: bool(handled))
        assert time.monotonic() - began >= 0.2
    assert handled == [signal.SIGTERM]


def test_a_signal_takes_effect_when_the_wait_ends(handled: list[int]) -> None:
    with SignalHold(lambda: False, 60.0, None):
        signal.raise_signal(signal.SIGTERM)
        signal.raise_signal(signal.SIGTERM)
        assert handled == []
    assert handled == [signal.SIGTERM]


def test_ignored_signals_stay_ignored_and_handlers_are_restored(handled: list[int]) -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with SignalHold(lambda: False, 60.0, None):
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            signal.raise_signal(signal.SIGHUP)
        assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
    finally:
        signal.signal(signal.SIGHUP, before)
    signal.raise_signal(signal.SIGTERM)
    assert handled == [signal.SIGTERM]
