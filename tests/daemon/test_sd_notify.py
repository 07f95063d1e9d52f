"""Messages to a service manager, from a real daemon and from its pieces."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchd.daemon.sd_notify import PAUSE, Notifier
from tests.conftest import DEADLINE, Instance, until
from tests.daemon.test_loop import switches
from tests.support.machine import descriptors
from tests.support.raw import Raw


class Manager:
    """A service manager's ear."""

    def __init__(self, address: str) -> None:
        self.address = address
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(f"\0{address[1:]}" if address.startswith("@") else address)
        self.socket.settimeout(DEADLINE)

    def hear(self) -> str:
        """The next thing that is said."""
        return self.socket.recv(4096).decode().strip()

    def has_heard(self) -> list[str]:
        """All messages so far."""
        self.socket.setblocking(False)
        messages = []
        try:
            while True:
                messages.append(self.hear())
        except BlockingIOError:
            return messages
        finally:
            self.socket.settimeout(DEADLINE)

    def wait_for(self, line: str) -> None:
        """Hear on until this is said."""
        until(lambda: self.hear() == line)


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[Manager]:
    """One that listens."""
    new_manager = Manager(str(tmp_path / "n"))
    yield new_manager
    new_manager.socket.close()


@pytest.fixture(params=["path", "abstract"])
def either(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Manager]:
    """One that listens, on each kind of socket."""
    new_manager = Manager(
        str(tmp_path / "n") if request.param == "path" else f"@orchd-test-{os.getpid()}-{id(request)}"
    )
    yield new_manager
    new_manager.socket.close()


def start(instance: Instance, manager: Manager, **more: str) -> None:
    """A daemon that this manager has started."""
    instance.env.update(NOTIFY_SOCKET=manager.address, **more)
    instance.start()


def test_the_daemon_notifies_readiness_slot_changes_and_stopping(stopped: Instance, either: Manager) -> None:
    stopped.home.create()
    start(stopped, either)
    assert either.hear() == "READY=1"
    assert either.hear() == "STATUS=slots 0/7 in use, 0/28 alive, 0 queued"
    stopped.spawn("sleep", "600")
    assert (
        until(lambda: "1/7" in (message := either.hear()) and message)
        == "STATUS=slots 1/7 in use, 1/28 alive, 0 queued"
    )
    stopped.ctl("pause")
    assert until(lambda: either.hear()).endswith("0 queued, paused")
    stopped.stop()
    assert until(lambda: either.has_heard()[-1:]) == ["STOPPING=1"]


def test_a_daemon_that_fails_to_start_never_notifies_readiness(stopped: Instance, manager: Manager) -> None:
    stopped.home.create()
    stopped.configure("limit = 0")
    with pytest.raises(AssertionError, match="limit must be"):
        start(stopped, manager)
    assert manager.has_heard() == [f"STATUS={stopped.home.config}: limit must be between 1 and 10,000, not 0"]


def test_agents_inherit_no_variable_or_socket_of_the_service_manager(stopped: Instance, manager: Manager) -> None:
    start(stopped, manager)
    for name in ("NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID"):
        stopped.env.pop(name, None)
    agent_id = stopped.spawn("sh", "-c", "echo [$NOTIFY_SOCKET$WATCHDOG_USEC]; ls -l /proc/self/fd")
    stopped.ctl("wait", agent_id)
    output = stopped.ctl("logs", agent_id)
    assert output.startswith("[]")
    assert "socket:" not in output
    assert [what for what in descriptors(stopped.daemon.pid).values() if what.startswith("socket:")]


def test_an_idle_daemon_sends_watchdog_messages(stopped: Instance, manager: Manager) -> None:
    start(stopped, manager, WATCHDOG_USEC="200000")
    manager.wait_for("READY=1")
    lines = [manager.hear() for _ in range(8)]
    assert {line for line in lines if not line.startswith("STATUS=")} == {"WATCHDOG=1"}


@pytest.mark.slow
def test_an_idle_daemon_without_listeners_does_not_wake_up(stopped: Instance, manager: Manager) -> None:
    start(stopped, manager)
    with Raw(stopped.home) as raw:
        raw.ask("daemon")
        assert not raw.socket.poll(300)
        before = switches(stopped.daemon.pid)
        assert not raw.socket.poll(1500)
        assert switches(stopped.daemon.pid) == before


def test_status_lines_in_quick_succession_are_not_all_sent(manager: Manager) -> None:
    notify = Notifier(manager.address)
    notify.status("a", 5.0)
    assert notify.next_deadline() is None
    notify.status("b", 5.1)
    assert notify.next_deadline() == 5.0 + PAUSE
    notify.status("c", 5.0 + PAUSE)
    notify.status("c", 9.0)
    assert manager.has_heard() == ["STATUS=a", "STATUS=c"]
    assert notify.next_deadline() is None
    notify.close()


def test_the_notifier_reports_the_start_and_the_end_of_a_reload(manager: Manager) -> None:
    notify = Notifier(manager.address)
    notify.reloading()
    notify.ready()
    assert manager.has_heard() == ["RELOADING=1", "READY=1"]
    notify.close()


@pytest.mark.parametrize("way", ["signal", "request"])
def test_a_daemon_notifies_the_manager_of_a_configuration_reload(stopped: Instance, manager: Manager, way: str) -> None:
    start(stopped, manager)
    manager.wait_for("READY=1")
    if way == "signal":
        stopped.daemon.send_signal(signal.SIGHUP)
    else:
        stopped.ctl("config", "reload")
    lines = [line for line in (manager.hear(), manager.hear(), manager.hear()) if not line.startswith("STATUS")]
    assert lines == ["RELOADING=1", "READY=1"]


def test_manager_variables_are_removed_and_apply_only_to_their_process() -> None:
    variables = {"NOTIFY_SOCKET": "/n", "WATCHDOG_USEC": "3000000", "WATCHDOG_PID": "12", "HOME": "/"}
    environ = dict(variables)
    own = Notifier.from_environment(environ, 12)
    assert environ == {"HOME": "/"}
    assert own.next_deadline() == 0.0
    other = Notifier.from_environment(dict(variables), 13)
    assert other.is_wanted
    assert other.next_deadline() is None
    unaddressed = Notifier.from_environment({"WATCHDOG_USEC": "3000000"}, 13)
    assert not unaddressed.is_wanted
    assert unaddressed.next_deadline() is None
    for notifier in (own, other, unaddressed):
        notifier.close()


def test_a_missing_service_manager_is_logged_only_once(caplog: pytest.LogCaptureFixture) -> None:
    notify = Notifier("/nowhere/n", 1.0)
    notify.ready()
    notify.live(1.0)
    assert [record.message for record in caplog.records if "service manager" in record.message] == [
        "cannot notify the service manager: [Errno 2] No such file or directory"
    ]
    notify.close()


def test_a_stopped_loop_sends_no_watchdog_message(stopped: Instance, manager: Manager) -> None:
    start(stopped, manager, WATCHDOG_USEC="200000")
    manager.wait_for("READY=1")  # what is said before the first sign of life must not be taken for one
    manager.wait_for("WATCHDOG=1")
    subprocess.run(["kill", "-STOP", str(stopped.daemon.pid)], check=True)
    until(lambda: Path(f"/proc/{stopped.daemon.pid}/stat").read_text().split()[2] == "T")
    manager.has_heard()
    manager.socket.settimeout(0.5)
    with pytest.raises(TimeoutError):
        manager.hear()
    subprocess.run(["kill", "-CONT", str(stopped.daemon.pid)], check=True)
    manager.socket.settimeout(DEADLINE)
    manager.wait_for("WATCHDOG=1")
