"""A CLI as a process: read to its end and no further, in bounded memory."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import psutil
import pytest

from orchctl.runners.harness import leftovers, process
from tests.conftest import until
from tests.orchctl.runners.conftest import Stage

MEGABYTE = 1 << 20
DONE = '{"type":"result","subtype":"success","result":"All done."}'
FLOOD = """
import sys
short = '{"type":"user","message":{"content":[{"type":"tool_result","content":"%s"}]}}\\n' % ("x" * 100_000)
for _ in range(500):
    sys.stdout.write(short)
sys.stdout.write('"')
for _ in range(30):
    sys.stdout.write("x" * (1 << 20))
sys.stdout.write('"\\n')
print(sys.argv[1])
"""


def test_a_leftover_process_that_holds_the_pipe_is_not_waited_for(stage: Stage) -> None:
    stage.says("claude", first=f"sleep 60 & echo $! > {stage.directory}/pid; printf '%s\\n' '{DONE}'")
    result = stage.run("claude")
    child_pid = int((stage.directory / "pid").read_text())
    assert psutil.pid_exists(child_pid)
    os.kill(child_pid, signal.SIGKILL)
    assert (result.code, stage.result.read_text()) == (0, "All done.")


def test_a_cli_that_closes_its_output_is_waited_for(stage: Stage) -> None:
    stage.program("claude", f"echo '{DONE}'; exec >&- 2>&-; sleep 0.1; echo late > {stage.directory}/late")
    assert stage.run("claude").code == 0
    assert (stage.directory / "late").exists()


def test_a_signal_to_the_runner_is_passed_on_to_the_cli(stage: Stage) -> None:
    stage.program("codex", "trap 'echo heard; exit 7' TERM; echo ready; while :; do sleep 0.01; done")
    running = stage.start("codex")
    until(lambda: "ready" in stage.log)
    running.terminate()
    result = stage.ended(running)
    assert (result.code, result.reason) == (143, "ended by SIGTERM")
    assert "heard" in result.log


@pytest.mark.parametrize(
    ("on_int", "output"), [("echo INT; exit 7", ["INT"]), ("echo INT", ["INT", "TERM"])], ids=["ends", "does not end"]
)
def test_claude_receives_sigint_before_its_tree_receives_sigterm(stage: Stage, on_int: str, output: list[str]) -> None:
    marks = {"ORCHD_AGENT": "agent-001", "ORCHD_ATTEMPT": "1"}
    trap_command = "setsid sh -c 'trap \"echo REST >&2; exit\" TERM; echo up; while :; do sleep 0.01; done' &"
    script = (
        f"trap '{on_int}' INT; trap 'echo TERM; exit 7' TERM; {trap_command} echo ready; while :; do sleep 0.01; done"
    )
    stage.program("claude", script)
    running = stage.start("claude", **marks)
    until(lambda: {"ready", "up"} <= set(stage.log.splitlines()))
    running.terminate()
    result = stage.ended(running)
    assert (result.code, result.reason) == (143, "ended by SIGTERM")
    assert [line for line in result.log.splitlines() if line in ("INT", "TERM")] == output
    if "TERM" in output:
        until(lambda: "REST" in stage.log)
    for leftover in leftovers.of_attempt({**os.environ, "ORCHD_HOME": str(stage.directory), **marks}):
        os.kill(leftover.pid, signal.SIGKILL)


def test_a_cli_killed_by_a_signal_exits_with_128_plus_the_signal(stage: Stage) -> None:
    stage.program("claude", "kill -9 $$")
    result = stage.run("claude")
    assert (result.code, result.reason) == (137, "Claude exited with 137 without a result")


def test_signal_handlers_are_restored() -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)]
    with Path(os.devnull).open() as file:
        ended = process.run(["/bin/sh", "-c", "exit 3"], {}, file.fileno(), lambda data: None)
    assert ended == (3, None, False)
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGALRM)] == before


@pytest.mark.parametrize(("trap", "code"), [("", 143), ("trap '' TERM;", 137)], ids=["terminated", "killed"])
def test_a_cli_that_does_not_exit_in_time_is_ended(trap: str, code: int) -> None:
    with Path(os.devnull).open() as file:
        argv = ["/bin/sh", "-c", f"{trap} echo done; while :; do sleep 0.01; done"]
        ended = process.run(argv, dict(os.environ), file.fileno(), lambda data: None, lambda pid: 0.1)
    assert ended == (code, None, True)


def test_each_output_restarts_the_exit_timeout() -> None:
    with Path(os.devnull).open() as file:
        argv = ["/bin/sh", "-c", "for one in 1 2 3 4 5 6 7 8; do echo $one; sleep 0.5; done; exit 3"]
        ended = process.run(argv, dict(os.environ), file.fileno(), lambda data: None, lambda pid: 3.0)
    assert ended == (3, None, False)


def test_stderr_is_read_separately_from_stdout() -> None:
    received: dict[str, bytes] = {"out": b"", "error": b""}

    def keep(name: str) -> Callable[[bytes], None]:
        return lambda data: received.update({name: received[name] + data})

    with Path(os.devnull).open() as file:
        argv = ["/bin/sh", "-c", "echo a; echo b >&2; sleep 0.1; echo c >&2; echo d"]
        process.run(argv, dict(os.environ), file.fileno(), keep("out"), hear_error=keep("error"))
    assert received == {"out": b"a\nd\n", "error": b"b\nc\n"}


@pytest.mark.slow
def test_eighty_megabytes_of_output_do_not_grow_the_memory_of_the_runner(stage: Stage) -> None:
    script = stage.directory / "flood.py"
    script.write_text(FLOOD)
    stage.program("claude", f"exec {sys.executable} {script} '{DONE}'")
    running = stage.start("claude")
    largest = 0
    while running.poll() is None:
        try:
            largest = max(largest, psutil.Process(running.pid).memory_info().rss)
        except psutil.NoSuchProcess:
            break
    result = stage.ended(running)
    assert (result.code, stage.result.read_text()) == (0, "All done.")
    assert f"[a line of {30 * MEGABYTE + 2:,} bytes is omitted]" in result.log
    assert largest < 40 * MEGABYTE
