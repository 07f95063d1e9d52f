"""Making one attempt's process: its files, its descriptors, its environment."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from orchd.procs import launch
from orchd.procs.launch import environment_of, files_of
from orchd.wire import Home
from tests.conftest import Instance
from tests.shell.bench import Bench
from tests.shell.machine import descriptors

SHOW = """
import json, os, signal, sys
print(json.dumps({
    "fds": sorted(int(name) for name in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{name}")),
    **{name: os.readlink(f"/proc/self/fd/{fd}") for fd, name in enumerate(("stdin", "out", "err"))},
    "cwd": os.getcwd(), "env": dict(os.environ), "args": sys.argv[1:], "session": os.getsid(0) == os.getppid(),
    "ignored": [number for number in (2, 3, 13, 15, 17) if signal.getsignal(number) == signal.SIG_IGN],
    "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
}))
"""


def shown(bench: Bench, *args: str, env: dict[str, str] | None = None, **fields: object) -> dict[str, object]:
    """What an agent sees of itself."""
    one = bench.spawn(sys.executable, "-c", SHOW, *args, env=env, **fields)
    bench.until_over(one)
    text = Path(files_of(bench.home, one.id, 1).log).read_text()
    assert bench.agent(one.id).status.value == "completed", text
    found: dict[str, object] = json.loads(text)
    return found


def test_an_agent_has_its_three_descriptors_and_none_of_ours(bench: Bench) -> None:
    found = shown(bench)
    log = files_of(bench.home, "agent-001", 1).log
    own = {int(name) for name in descriptors(os.getpid())}
    of_the_test = {fd for fd in own if fd > 5 and os.path.exists(f"/proc/self/fd/{fd}") and os.get_inheritable(fd)}
    assert set(found["fds"]) - of_the_test == {0, 1, 2}  # type: ignore[call-overload]
    assert (found["stdin"], found["out"], found["err"]) == ("/dev/null", log, log)
    assert found["session"]


def test_no_signal_is_ignored_or_blocked_in_it(bench: Bench) -> None:
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        found = shown(bench)
    finally:
        signal.signal(signal.SIGINT, old)
    assert [number for number in found["ignored"] if number != signal.SIGPIPE] == []  # type: ignore[attr-defined]
    assert found["blocked"] == []


@pytest.mark.parametrize("word", ["", "a b", "$HOME", "*", "';echo x", "-n", "\n", "\udcff"])
def test_its_arguments_are_what_was_asked_for_to_the_byte(bench: Bench, word: str) -> None:
    assert shown(bench, word)["args"] == [word]


def test_modules_that_lie_where_it_works_are_not_its_runners(instance: Instance, tmp_path: Path) -> None:
    """A checkout, or a variable of the agent's, may hold files that are called as modules of ours or of Python's."""
    planted = f"open({str(tmp_path / 'ran')!r}, 'w')\n"
    for name in ("json.py", "sitecustomize.py", "orchctl/__init__.py", "orchctl/runners/__init__.py"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(planted)
    there = ["--cwd", str(tmp_path), "--env", f"PYTHONPATH={tmp_path}"]
    asked = ["--runner", "mock", "--goal", "g", "--result", str(tmp_path / "r.md")]
    one = instance.ctl("spawn", *asked, *there).strip()
    instance.ctl("wait", one)
    assert (tmp_path / "r.md").is_file()
    assert not (tmp_path / "ran").exists()


def test_it_is_told_whose_it_is_over_whatever_its_client_says(bench: Bench) -> None:
    env = {"PATH": "/usr/bin:/bin", "MINE": "1", "ORCHD_HOME": "/x", "ORCHD_AGENT": "agent-9", "ORCHD_OUTPUT_DIR": "/x"}
    found = shown(bench, env=env)["env"]
    assert {name: value for name, value in found.items() if name != "LC_CTYPE"} == {  # type: ignore[attr-defined]
        "PATH": f"{bench.home.bin}:/usr/bin:/bin",
        "MINE": "1",
        "PWD": "/",
        "ORCHD_HOME": str(bench.home.directory),
        "ORCHD_AGENT": "agent-001",
        "ORCHD_ATTEMPT": "1",
        "ORCHD_NAME": "python",
    }


def test_where_it_works_reads_and_writes_is_what_was_asked_for(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "in").write_text("x")
    out = tmp_path / "made" / "for it"
    found = shown(bench, cwd=str(tmp_path), stdin=str(tmp_path / "in"), output_dir=str(out))
    assert (found["cwd"], found["stdin"]) == (str(tmp_path), str(tmp_path / "in"))
    assert found["env"]["ORCHD_OUTPUT_DIR"] == str(out)  # type: ignore[index]
    assert out.is_dir()
    assert Path.cwd() != tmp_path


def test_without_a_path_there_is_the_systems(bench: Bench) -> None:
    one = bench.spawn("true", env={})
    assert environment_of(bench.home, one, {})["PATH"] == f"{bench.home.bin}:{os.defpath}"
    assert environment_of(bench.home, one, {"PATH": ""})["PATH"] == f"{bench.home.bin}:{os.defpath}"


def test_a_program_may_be_named_from_where_it_works(bench: Bench, tmp_path: Path) -> None:
    program = tmp_path / "it.sh"
    program.write_text("#!/bin/sh\nexit 0\n")
    program.chmod(0o700)
    for command in ("./it.sh", str(program)):
        one = bench.spawn(command, cwd=str(tmp_path))
        bench.until_over(one)
        assert bench.agent(one.id).status.value == "completed"


@pytest.mark.parametrize(
    ("path", "meant"),
    [("./bin:/usr/bin:/bin", "bin/tool"), ("/usr/bin:bin", "bin/tool"), (":/usr/bin", "tool"), ("/usr/bin:", "tool")],
)
def test_what_is_relative_in_its_path_is_relative_to_where_it_works(
    bench: Bench, tmp_path: Path, path: str, meant: str
) -> None:
    there = tmp_path / "a:b"  # which no PATH could name
    for program in (there / "bin" / "tool", there / "tool"):
        program.parent.mkdir(parents=True, exist_ok=True)
        program.write_text('#!/bin/sh\necho "$0"\n')
        program.chmod(0o700)
    one = bench.spawn("tool", cwd=str(there), env={"PATH": path})
    bench.until_over(one)
    assert bench.agent(one.id).status.value == "completed"
    said = Path(files_of(bench.home, one.id, 1).log).read_text().strip()
    assert (there / said).samefile(there / meant)


def test_a_program_beside_the_daemon_is_none_of_its_own(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = tmp_path / "ours"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    monkeypatch.chdir(tmp_path)
    one = bench.spawn("ours", cwd="/", env={"PATH": ".:/usr/bin:/bin"})
    assert one.status.value == "failed"
    assert "no such program" in str(one.reason)


def test_a_builtin_of_the_shell_is_no_program(bench: Bench) -> None:
    one = bench.spawn("trap")
    assert one.status.value == "failed"
    assert "no such program" in str(one.reason)


def test_its_files_are_private(bench: Bench) -> None:
    one = bench.spawn("sleep", "600")
    found = [path for path in bench.home.agents.iterdir() if path.name.startswith(f"{one.id}.")]
    assert [path.name for path in sorted(found)] == ["agent-001.1.exit", "agent-001.1.log"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in found} == {0o600}
    assert stat.S_IMODE(bench.home.agents.stat().st_mode) == 0o700


def test_a_fifo_that_nobody_writes_does_not_hold_up_the_daemon(bench: Bench, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "in")
    assert bench.spawn("cat", stdin=str(tmp_path / "in")).status.value == "running"


def test_the_files_of_an_attempt_are_named_by_agent_and_attempt() -> None:
    assert files_of(Home(Path("/h")), "agent-007", 2).stem == "/h/agents/agent-007.2"


@pytest.mark.parametrize(("ours", "becomes"), [(-500, 0), (0, 300), (100, 300)])
def test_what_protects_us_when_memory_runs_out_protects_no_agent(
    ours: int, becomes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(launch, "_oom_score", lambda: ours)
    with subprocess.Popen(["sleep", "600"]) as child:
        score = Path(f"/proc/{child.pid}/oom_score_adj")
        score.write_text("300")  # to have one below nought takes a right that tests need not have
        launch._expose(child.pid)
        assert int(score.read_text()) == becomes
        child.kill()
    launch._expose(child.pid)


def test_our_own_score_is_the_kernels() -> None:
    assert launch._oom_score() == int(Path("/proc/self/oom_score_adj").read_text())


def test_an_agent_of_a_protected_daemon_is_ended_as_soon_as_any_other_process(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Anybody may ask to be ended sooner, and that is inherited as a protection is."""
    own = Path("/proc/self/oom_score_adj")
    before = own.read_text()
    own.write_text("300")
    try:
        for score, expected in ((-500, "0"), (300, "300")):
            monkeypatch.setattr(launch, "_oom_score", lambda score=score: score)
            one = bench.spawn("cat", "/proc/self/oom_score_adj")
            bench.until_over(one)
            assert Path(files_of(bench.home, one.id, 1).log).read_text().strip() == expected
    finally:
        own.write_text(before)
