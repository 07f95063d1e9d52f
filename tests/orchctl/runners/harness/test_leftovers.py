"""Processes left running: a job, or a server that was meant to stay."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from orchctl.runners.harness.leftovers import LeftProcess, is_server, of_attempt, serves, still, trees
from tests.conftest import until

SERVES = (
    "import socket, sys, time\n"
    "s = socket.socket(*({families})[sys.argv[1]]); s.bind({{'tcp': ('127.0.0.1', 0)}}.get(sys.argv[1], sys.argv[2]))\n"
    "s.listen(); print('ready', flush=True); time.sleep(300)"
).format(families="{'tcp': (socket.AF_INET,), 'unix': (socket.AF_UNIX,)}")
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """The environment of an attempt."""
    marks = {"ORCHD_HOME": str(tmp_path), "ORCHD_AGENT": "agent-001", "ORCHD_ATTEMPT": "2"}
    return {"PATH": os.environ["PATH"], **marks}


@pytest.fixture
def start(env: dict[str, str]) -> Iterator[Start]:
    """Starts processes of the attempt, which are ended with the test."""
    started: list[subprocess.Popen[str]] = []

    def begin(*argv: str, **more: object) -> subprocess.Popen[str]:
        settings = {"env": env, "stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "text": True, **more}
        started.append(subprocess.Popen(argv, start_new_session=True, **settings))  # type: ignore[call-overload]
        return started[-1]

    yield begin
    for process in started:
        with suppress(ProcessLookupError):  # the test has seen its end
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        if process.stdout is not None:
            process.stdout.close()


@pytest.mark.parametrize(
    "command",
    [
        *("npm run dev", "cd web && npm start", "PORT=80 nohup yarn dev &", "npx vite --port 3", "bun run serve"),
        *("python3 -m http.server 8000", ".venv/bin/python manage.py runserver", "exec uvicorn app:app", "flask run"),
        *("make build; bin/rails s", "tail -n 3 -f log", "tail --follow=name log", "docker compose up", "watch ls"),
    ],
)
def test_commands_that_serve_or_watch_are_servers(command: str) -> None:
    assert is_server(command)


@pytest.mark.parametrize(
    "command",
    [
        *(
            "",
            "&",
            "sleep 25; make",
            "npm test",
            "npm run build",
            "npx vite build",
            "npx vitest run",
            "npm run dev; make",
        ),
        *("python3 -m pytest", "tail -n 3 log", "make server", "echo npm run dev > x", "docker compose build"),
    ],
)
def test_commands_that_end_are_not_servers(command: str) -> None:
    assert not is_server(command)


def test_only_processes_of_the_attempt_are_listed(env: dict[str, str], start: Start) -> None:
    own = start("sleep", "300")
    for changed_marks in ({"ORCHD_ATTEMPT": "1"}, {"ORCHD_HOME": "/other"}, {"ORCHD_AGENT": "agent-0012"}):
        start("sleep", "300", env={**env, **changed_marks})
    until(lambda: len(of_attempt(env)) == 1)
    (process,) = of_attempt(env)
    assert (process.pid, process.parent, process.command) == (own.pid, os.getpid(), "sleep 300")
    assert not process.is_daemon
    assert not process.is_below
    assert of_attempt(env, cli=own.pid) == []
    assert of_attempt({**env, "ORCHD_HOME": ""}) == []


def test_processes_of_the_cli_are_marked_as_its_descendants(env: dict[str, str], start: Start) -> None:
    cli = start("sh", "-c", "sleep 300; true")
    until(lambda: [process.is_below for process in of_attempt(env, cli.pid)] == [True])


@pytest.mark.parametrize("kind", ["tcp", "unix"])
def test_a_listening_process_counts_as_a_daemon(env: dict[str, str], start: Start, kind: str, tmp_path: Path) -> None:
    server = start(sys.executable, "-c", SERVES, kind, str(tmp_path / "s"))
    assert server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    assert [(process.pid, process.is_daemon) for process in of_attempt(env)] == [(server.pid, True)]


def test_a_process_with_only_a_connection_is_not_a_daemon(env: dict[str, str], start: Start) -> None:
    with (
        socket.create_server(("127.0.0.1", 0)) as server,
        socket.create_connection(server.getsockname()[:2]) as connection,
    ):
        os.set_inheritable(connection.fileno(), True)
        start("sleep", "300", close_fds=False)
        until(lambda: [process.is_daemon for process in of_attempt(env)] == [False])


@pytest.mark.parametrize(
    ("argv", "is_mute", "is_daemon"),
    [(("sleep", "300"), True, True), (("sleep", "300"), False, False), (("sh", "-c", "sleep 300; true"), True, False)],
    ids=["detached", "with an output", "a shell"],
)
def test_a_detached_process_counts_as_a_daemon_but_a_shell_as_a_job(
    env: dict[str, str], start: Start, argv: tuple[str, ...], *, is_mute: bool, is_daemon: bool
) -> None:
    streams = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL} if is_mute else {}
    process = start(*argv, **streams)
    until(lambda: process.pid in {process.pid for process in of_attempt(env) if process.command == " ".join(argv)})
    assert {process.pid: process.is_daemon for process in of_attempt(env)}[process.pid] == is_daemon


def test_processes_that_end_in_time_are_not_leftovers(env: dict[str, str], start: Start) -> None:
    short, _ = start("sh", "-c", "read x; exit 0", stdin=subprocess.PIPE), start("sleep", "300")
    until(lambda: len(of_attempt(env)) == 2)
    processes = of_attempt(env)
    assert still(processes, 0.0) == processes
    assert short.stdin is not None
    short.stdin.close()
    assert [process.command for process in still(processes, 1.0)] == ["sleep 300"]
    short.wait()
    assert [process.command for process in still(processes, 0.0)] == ["sleep 300"]


def process(pid: int, parent: int, command: str, *, is_daemon: bool = False) -> LeftProcess:
    """A process."""
    return LeftProcess(pid, parent, command, is_daemon, is_below=False)


def test_a_process_tree_that_contains_a_server_counts_as_a_daemon() -> None:
    started = [process(5, 1, "sh start.sh"), process(6, 5, "node app", is_daemon=True), process(7, 6, "node worker")]
    job = [process(8, 1, "sh -c make"), process(9, 8, "make")]
    assert list(trees([*started, *job])) == [("sh start.sh", True), ("sh -c make", False)]


def test_a_command_serves_by_its_text_or_by_a_daemon_in_its_tree() -> None:
    running = [process(5, 1, "bash -c eval 'node app'"), process(6, 5, "node app", is_daemon=True)]
    assert serves("node app", running)
    assert not serves("node build", running)
    assert not serves("", running)
    assert serves("npm run dev", [])
