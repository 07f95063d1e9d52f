"""Making one attempt's process: its files, its descriptors, its environment."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from orchd.processes.attempt_files import files_of
from orchd.processes.shims import launch
from tests.support.bench import Bench
from tests.support.machine import descriptors
from tests.support.process_state import process_state


def test_an_agent_has_three_descriptors_and_none_of_the_daemon(bench: Bench) -> None:
    state = process_state(bench)
    log = files_of(bench.home, "agent-001", 1).log
    own = {int(name) for name in descriptors(os.getpid())}
    of_the_test = {fd for fd in own if fd > 5 and os.path.exists(f"/proc/self/fd/{fd}") and os.get_inheritable(fd)}
    assert set(state["fds"]) - of_the_test == {0, 1, 2}  # type: ignore[call-overload]
    assert (state["stdin"], state["out"], state["err"]) == ("/dev/null", log, log)
    assert state["session"]


def test_agent_ignores_and_blocks_no_signal(bench: Bench) -> None:
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        state = process_state(bench)
    finally:
        signal.signal(signal.SIGINT, old)
    assert [number for number in state["ignored"] if number != signal.SIGPIPE] == []  # type: ignore[attr-defined]
    assert state["blocked"] == []


def test_agent_gets_the_requested_cwd_stdin_and_output_directory(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("x")
    out = tmp_path / "made" / "for it"
    state = process_state(bench, cwd=str(tmp_path), stdin=str(tmp_path / "in"), output_dir=str(out))
    assert (state["cwd"], state["stdin"]) == (str(tmp_path), str(tmp_path / "in"))
    assert state["env"]["ORCHD_OUTPUT_DIR"] == str(out)  # type: ignore[index]
    assert out.is_dir()
    assert Path.cwd() != tmp_path


def test_a_stdin_fifo_without_a_writer_does_not_block_the_daemon(bench: Bench, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in")
    assert bench.spawn("cat", stdin=str(tmp_path / "in")).status.value == "running"


@pytest.mark.parametrize(("own_score", "becomes"), [(-500, 0), (0, 300), (100, 300)])
def test_oom_protection_of_the_daemon_is_removed_from_a_child(
    own_score: int, becomes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_oom_score", lambda: own_score)
    with subprocess.Popen(["sleep", "600"]) as child:
        score = Path(f"/proc/{child.pid}/oom_score_adj")
        score.write_text("300")  # to have one below nought takes a right that tests need not have
        launch._expose(child.pid)
        assert int(score.read_text()) == becomes
        child.kill()
    launch._expose(child.pid)


def test_own_oom_score_is_read_from_the_kernel() -> None:
    assert launch._oom_score() == int(Path("/proc/self/oom_score_adj").read_text())


def test_agent_of_an_oom_protected_daemon_has_no_oom_protection(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    """Anybody may ask to be ended sooner, and that is inherited as a protection is."""
    own = Path("/proc/self/oom_score_adj")
    before = own.read_text()
    own.write_text("300")
    try:
        for score, expected in ((-500, "0"), (300, "300")):
            monkeypatch.setattr(launch, "_oom_score", lambda score=score: score)
            agent = bench.spawn("cat", "/proc/self/oom_score_adj")
            bench.until_over(agent)
            assert Path(files_of(bench.home, agent.id, 1).log).read_text().strip() == expected
    finally:
        own.write_text(before)
