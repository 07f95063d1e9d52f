"""`orchctl events`."""

from __future__ import annotations

import json
import signal
import subprocess

from tests.conftest import Instance
from tests.orchctl.conftest import Background, Orchctl


def numbers(lines: str) -> list[int]:
    """The numbers of the events in JSON lines."""
    return [json.loads(line)["seq"] for line in lines.splitlines()]


def test_events_prints_one_line_for_each_event(instance: Instance, orchctl: Orchctl) -> None:
    instance.spawn("true", options=["--name", "api"])
    instance.ctl("wait", "1")
    result = orchctl("events")
    assert (result.code, result.err) == (0, "")
    opened, queued = (line.split() for line in result.out.splitlines()[:2])
    assert (opened[0], opened[2]) == ("1", "session-opened")
    assert (queued[0], queued[2], queued[3], queued[4]) == ("2", "agent-queued", "agent-001", "name=api")


def test_events_without_since_shows_the_latest_fifty(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("pause")
    instance.ctl("spawn", "--batch", "-", stdin="\n".join('{"command": ["true"]}' for _ in range(1100)))
    all_numbers = numbers(orchctl("events", "--since", "0", "--json").out)
    assert all_numbers == list(range(1, 1103))
    assert numbers(orchctl("events", "--json").out) == all_numbers[-50:]
    assert numbers(orchctl("events", "--since", "1090", "--json").out) == all_numbers[1090:]
    assert orchctl("events", "--since", "1102").out == ""
    assert orchctl("events", "--since", "-1").code == 2


def test_events_follow_prints_each_event_once_across_a_daemon_kill(instance: Instance, background: Background) -> None:
    command = background("events", "-f", "--json", "--since", "0")
    numbers: list[int] = []
    for expected_number in (1, 2, 3):
        instance.ctl("pause" if expected_number % 2 else "resume")
        numbers += read(command, expected_number - len(numbers))
    instance.kill()
    instance.ctl("resume")
    instance.ctl("pause")
    numbers += read(command, 2)
    command.send_signal(signal.SIGINT)
    assert command.wait(30) == 130
    assert numbers == [1, 2, 3, 4, 5]


def read(command: subprocess.Popen[str], count: int) -> list[int]:
    """The numbers of the next events."""
    assert command.stdout is not None
    return [numbers(command.stdout.readline())[0] for _ in range(count)]


def test_events_follow_does_not_restart_a_killed_daemon(
    instance: Instance, background: Background, orchctl: Orchctl
) -> None:
    instance.ctl("pause")
    command = background("events", "-f", "--json")
    read(command, 1)
    instance.kill()
    assert orchctl("status").code == 69
    instance.start()
    instance.ctl("resume")
    read(command, 1)
    command.send_signal(signal.SIGINT)
    assert command.communicate(timeout=30) == ("", "")
