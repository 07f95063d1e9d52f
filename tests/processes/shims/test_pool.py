"""Shims that serve one attempt after another: by whom they are followed in, and what is known when anything dies."""

from __future__ import annotations

import errno
import os
import shutil
import signal
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import psutil
import pytest

from orchd.core.inputs import Exited, Input, NeverRan, Spawned, SpawnFailed
from orchd.core.state.agents import Agent
from orchd.instance.home import Home
from orchd.network.callers import Callers
from orchd.network.peers import Outside
from orchd.processes.linux import process_tree as trees
from orchd.processes.linux.cgroups import Cgroups
from orchd.processes.linux.procfs import environment_markers, read_process
from orchd.processes.local import LocalProcesses
from orchd.processes.shims.script import header
from orchd.processes.shims.shim import MOST
from tests.conftest import until
from tests.support.attempts import ENV, agent
from tests.support.machine import descriptors
from tests.support.peers import peer_of


class Cast:
    """Attempts with cgroups, one at a time."""

    def __init__(self, home: Home, cgroups: Cgroups | None) -> None:
        home.create()
        self.home = home
        self.variables: dict[str, dict[str, str]] = {"e": ENV, "other": {**ENV, "OTHER": "1"}}
        self.processes = LocalProcesses(home, self.variables.__getitem__, cgroups, time.monotonic, time.time)
        self.pids: set[int] = set()

    def start(self, agent: Agent) -> int:
        """The pid of its shim, which is behind its gate."""
        result = self.processes.start(agent)
        assert isinstance(result, Spawned)
        agent.pid, agent.cgroup = result.pid, result.cgroup
        self.pids.add(result.pid)
        return result.pid

    def news(self) -> list[Input]:
        """What is new, once something is."""
        return until(self.processes.news)

    def end(self, agent: Agent) -> Exited:
        """How it ended that has been started; a turn that has not come to its end."""
        self.processes.release(agent.id, 1)
        (exited,) = self.news()
        assert isinstance(exited, Exited)
        return exited

    def run(self, *command: str, **fields: object) -> int:
        """The pid of the shim of a first attempt, which is over."""
        new_agent = agent(*command, **fields)  # type: ignore[arg-type]
        pid = self.start(new_agent)
        assert self.end(new_agent).is_tree_gone
        return pid

    def log(self, agent: Agent) -> str:
        """What it put out."""
        return Path(f"{self.home.agents}/{agent.id}.1.log").read_text()

    def next_daemon(self) -> LocalProcesses:
        """That of a daemon which finds what is left when this one has died."""
        for key, handle in self.processes._handles.items():
            self.processes._shims.dismiss(handle.shim)
            self.processes._watch.forget(key)
        return LocalProcesses(self.home, self.variables.__getitem__, None, time.monotonic, time.time)

    def close(self) -> None:
        """Have every shim end, and wait for it."""
        self.processes.rest()
        for agent_id, attempt in self.processes.shims().values():
            self.processes.stop(agent_id, attempt, kill=True)
        for key in list(self.processes._handles):
            self.processes._watch.forget(key)
        for pid in self.pids:
            os.waitpid(pid, 0)
        trees = [handle.tree for handle in self.processes._handles.values()]
        until(lambda: all(tree.cgroup is None or tree.cgroup.is_empty() for tree in trees))


@pytest.fixture
def cast(home_directory: Path, cgroups: Cgroups) -> Iterator[Cast]:
    """With cgroups."""
    new_cast = Cast(Home(home_directory), cgroups)
    yield new_cast
    new_cast.close()
    new_cast.processes.close()


def test_who_begins_when_another_ends_is_served_by_the_same_shim(cast: Cast) -> None:
    show = 'echo "$0 $ORCHD_AGENT $ORCHD_ATTEMPT $ORCHD_NAME $ORCHD_GOAL"; exit'
    first = agent("sh", "-c", f"{show} 3", "a", goal="the first")
    second = agent("sh", "-c", f"{show} 4", "b", number=2)
    third = agent("sh", "-c", f"{show} 5", "c", number=3, goal="it's the third")
    pid = cast.start(first)
    codes = [cast.end(first).outcome.code]
    for follower in (second, third):
        assert cast.start(follower) == pid
        assert cast.processes.shims() == {pid: (follower.id, 1)}
        assert follower.cgroup == first.cgroup
        codes.append(cast.end(follower).outcome.code)
    assert codes == [3, 4, 5]
    assert [cast.log(agent) for agent in (first, second, third)] == [
        "a agent-001 1 name the first\n",
        "b agent-002 1 name \n",
        "c agent-003 1 name it's the third\n",
    ]


def test_it_shows_nobodys_marks_since_it_may_serve_somebody_else(cast: Cast, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    new_agent = agent("sh", "-c", f"echo there; read x <{tmp_path}/go")
    pid = cast.start(new_agent)
    cast.processes.release(new_agent.id, 1)
    until(lambda: cast.log(new_agent) == "there\n")
    assert environment_markers(pid) == {"ORCHD_HOME": str(cast.home.directory)}
    (child,) = psutil.Process(pid).children()
    assert environment_markers(child.pid) == {
        **environment_markers(pid),
        "ORCHD_AGENT": "agent-001",
        "ORCHD_ATTEMPT": "1",
    }
    (tmp_path / "go").write_text("\n")
    assert cast.news()


def shown(pid: int) -> list[str]:
    """The arguments of a process, as ps shows them; a program that is just beginning has none for a moment."""
    return until(Path(f"/proc/{pid}/cmdline").read_text).rstrip("\0").split("\0")


def test_the_arguments_of_a_shim_name_no_agent_while_it_serves_one_after_another(cast: Cast, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "go")
    first = agent("sh", "-c", ": the-first")
    pid = cast.start(first)
    arguments = shown(pid)
    assert arguments[-1] == "orchd-shim"
    assert not [word for word in arguments if "agent-0" in word or "the-first" in word]
    assert cast.end(first).outcome.code == 0
    second = agent("sh", "-c", f"echo there; read x <{tmp_path}/go", number=2)
    assert cast.start(second) == pid
    cast.processes.release(second.id, 1)
    until(lambda: cast.log(second) == "there\n")
    assert shown(pid) == arguments
    (child,) = psutil.Process(pid).children()
    assert environment_markers(child.pid)["ORCHD_AGENT"] == "agent-002"
    assert shown(child.pid)[-1].startswith("echo there")
    (tmp_path / "go").write_text("\n")
    assert cast.news()


@pytest.mark.parametrize("word", ["\n", "\x80", "x" * 40000])
def test_a_shim_that_shows_its_agent_is_followed_by_nobody(cast: Cast, word: str) -> None:
    new_agent = agent("/usr/bin/printf", "%s", word)
    pid = cast.start(new_agent)
    assert "orchd-agent-001.1" in shown(pid)
    cast.end(new_agent)
    assert Path(f"{cast.home.agents}/agent-001.1.log").read_bytes() == os.fsencode(word)
    assert cast.start(agent("true", number=2)) != pid


@pytest.mark.parametrize("word", ["", "a b", "$HOME", "*", "';echo x", '"', "\\", "-n", "`id`", "!", "~", "#", "--"])
def test_the_words_of_the_first_are_what_was_asked_for_to_the_byte(cast: Cast, word: str) -> None:
    new_agent = agent("/usr/bin/printf", "[%s]", word)
    assert shown(cast.start(new_agent))[-1] == "orchd-shim"
    assert cast.end(new_agent).outcome.code == 0
    assert cast.log(new_agent) == f"[{word}]"


@pytest.mark.parametrize("word", ["", "a b", "$HOME", "*", "';echo x", '"', "\\", "-n", "`id`", "!", "~", "#", "--"])
def test_the_words_of_one_that_follows_are_what_was_asked_for_to_the_byte(cast: Cast, word: str) -> None:
    pid = cast.run("true")
    second = agent("/usr/bin/printf", "[%s]", word, number=2)
    assert cast.start(second) == pid
    assert cast.end(second).outcome.code == 0
    assert cast.log(second) == f"[{word}]"


OTHERS: dict[str, dict[str, object]] = {
    "stdin": {"stdin": "/dev/zero"},
    "variables": {"environment": "other"},
    "own variables": {"variables": (("A", "1"),)},
}


@pytest.mark.parametrize("fields", OTHERS.values(), ids=OTHERS)
@pytest.mark.parametrize("is_first", [True, False])
def test_whoever_asks_for_other_surroundings_has_a_shim_of_its_own(
    cast: Cast, fields: dict[str, object], is_first: bool
) -> None:
    pid = cast.run("true", **(fields if is_first else {}))
    second = agent("env", number=2, **({} if is_first else fields))  # type: ignore[arg-type]
    assert cast.start(second) != pid
    cast.end(second)
    output = cast.log(second)
    assert ("OTHER=1" in output, "A=1" in output) == (
        not is_first and "environment" in fields,
        not is_first and "variables" in fields,
    )


def test_each_enters_its_own_directory_and_enters_it_anew(cast: Cast, tmp_path: Path) -> None:
    first, second, current = tmp_path / "it's", tmp_path / "2", tmp_path / "current"
    for directory in (first, second):
        directory.mkdir()
    current.symlink_to(first)
    pid = cast.run("pwd", "-P", cwd=str(current))
    for number, (words, cwd) in enumerate(
        [
            (("ln", "-sfn", "2", "current"), tmp_path),
            (("sh", "-c", "pwd -P; echo $PWD"), current),
            (("sh", "-c", "rm -rf ../2 && mkdir ../2"), second),
            (("touch", "made"), second),
            (("pwd", "-P"), first),
        ],
        2,
    ):
        new_agent = agent(*words, number=number, cwd=str(cwd))
        assert cast.start(new_agent) == pid
        assert cast.end(new_agent).outcome.code == 0
    assert cast.log(agent(number=3)) == f"{second}\n{current}\n"
    assert (second / "made").exists()
    assert cast.log(agent(number=6)) == f"{first}\n"


@pytest.mark.parametrize("is_first", [True, False])
def test_one_whose_directory_goes_before_its_gate_opens_says_so(cast: Cast, tmp_path: Path, is_first: bool) -> None:
    (tmp_path / "there").mkdir()
    pid = 0 if is_first else cast.run("true", number=9)
    new_agent = agent("touch", str(tmp_path / "ran"), cwd=str(tmp_path / "there"))
    assert cast.start(new_agent) == pid or is_first
    (tmp_path / "there").rmdir()
    exited = cast.end(new_agent)
    assert exited.outcome.code == 126
    assert exited.note == "its working directory could not be entered when it was about to start"
    assert not (tmp_path / "ran").exists()
    assert cast.run("true", number=2) == new_agent.pid


def test_a_directory_that_is_deleted_between_two_is_refused(cast: Cast, tmp_path: Path) -> None:
    (tmp_path / "there").mkdir()
    cast.run("rmdir", str(tmp_path / "there"), cwd=str(tmp_path / "there"))
    result = cast.processes.start(agent("true", number=2, cwd=str(tmp_path / "there")))
    assert isinstance(result, SpawnFailed)
    assert (result.reason, result.is_passing) == (f"cannot start in {tmp_path}/there: no such directory", False)


@pytest.mark.parametrize("word", ["\n", "\x80", "\t", "x" * 4096, "\udcff"])
def test_what_does_not_fit_in_a_line_has_a_shim_of_its_own_and_arrives(cast: Cast, word: str) -> None:
    pid = cast.run("true")
    second = agent("/usr/bin/printf", "%s", word, number=2)
    assert cast.start(second) != pid
    cast.end(second)
    assert Path(f"{cast.home.agents}/agent-002.1.log").read_bytes() == os.fsencode(word)


def test_whom_nobody_follows_in_ends_with_the_turn_and_leaves_its_cgroup_to_others(cast: Cast) -> None:
    before = len(descriptors(os.getpid()))
    pid = cast.run("true")
    cast.processes.rest()
    until(lambda: cast.processes.news() == [] and (info := read_process(pid)) is not None and info.is_zombie)
    until(lambda: cast.processes._shims._leaving == {} or cast.processes.news())
    second = agent("true", number=2)
    assert cast.start(second) != pid
    assert second.cgroup is not None
    assert second.cgroup.endswith("/1")
    cast.end(second)
    cast.processes.rest()
    until(lambda: cast.processes._shims._leaving == {} or cast.processes.news())
    assert len(descriptors(os.getpid())) <= before + 2  # what is held of its cgroup


def test_when_nobody_followed_lately_shims_are_kept_only_now_and_then_until_somebody_does(cast: Cast) -> None:
    counts = []
    for number in range(1, 33):
        cast.run("true", number=number)
        counts.append(len(cast.processes._shims._idle))
        cast.processes.rest()
        until(lambda: cast.processes._shims._leaving == {} or cast.processes.news())
    assert counts == [1] * 8 + [0] * 7 + ([1] + [0] * 7) * 2 + [1]
    pids = [cast.run("true", number=number) for number in range(33, 41)]
    assert len(set(pids[:-1])) == 7
    again = [cast.run("true", number=number) for number in range(41, 50)]
    assert len({pids[-1], *again}) == 1


def test_without_cgroups_each_has_a_shim_of_its_own(home_directory: Path) -> None:
    cast = Cast(Home(home_directory), None)
    assert cast.run("true") != cast.run("true", number=2)
    cast.close()


def test_whoever_leaves_a_process_behind_is_followed_by_nobody(cast: Cast) -> None:
    first, second = agent("sh", "-c", "setsid sleep 600 &"), agent("true", number=2)
    pid = cast.start(first)
    assert not cast.end(first).is_tree_gone
    assert cast.start(second) != pid
    assert second.cgroup != first.cgroup
    cast.end(second)


def test_whoever_fled_from_the_cgroup_of_one_is_not_taken_for_the_one_that_follows(
    cast: Cast, cgroups: Cgroups, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trees, "own_children", lambda: list(cast.pids))  # as if it had come to another subreaper
    pid_file = tmp_path / "told"
    flees = f"sleep 600 & echo $! > {cgroups.base.parent}/cgroup.procs; echo $! > {pid_file}"
    pid, second = cast.run("sh", "-c", flees), agent("true", number=2)
    fled = int(pid_file.read_text())
    try:
        assert cast.start(second) == pid
        assert os.getsid(fled) == pid
        callers = Callers(cast.home, cast.processes)
        assert callers.who(peer_of(callers, fled)) in (Outside.NOBODY, Outside.MARKED)
        assert callers.who(peer_of(callers, pid)) == second.id
    finally:
        os.kill(fled, signal.SIGKILL)
    cast.end(second)


def test_whoever_leaves_a_cgroup_behind_is_followed_by_nobody(cast: Cast, cgroups: Cgroups) -> None:
    assert cast.run("mkdir", f"{cgroups.base}/1/inner") != cast.start(agent("true", number=2))
    assert not (cgroups.base / "1/inner").exists()


def test_whoever_was_told_to_end_is_followed_by_nobody(cast: Cast) -> None:
    first = agent("sh", "-c", "trap 'exit 0' TERM; echo there; while :; do sleep 0.01; done")
    pid = cast.start(first)
    cast.processes.release(first.id, 1)
    until(lambda: cast.log(first) == "there\n")
    cast.processes.stop(first.id, 1, kill=False)
    (exited,) = cast.news()
    assert isinstance(exited, Exited)
    assert cast.start(agent("true", number=2)) != pid


@pytest.mark.parametrize("signals", ["-TERM $PPID", "-TERM 0", "-HUP 0"])
def test_whoever_signals_its_shim_is_followed_by_nobody(cast: Cast, signals: str) -> None:
    assert cast.run("sh", "-c", f"trap '' TERM HUP; kill {signals}") != cast.start(agent("true", number=2))


@pytest.mark.parametrize("how", ["rm {0}", "mv {0} {0}.aside; touch {0}"])
def test_whoever_takes_its_record_away_is_followed_by_nobody_who_might_lose_theirs(cast: Cast, how: str) -> None:
    first = agent("sh", "-c", how.format(f"{cast.home.agents}/agent-001.1.exit"))
    pid = cast.start(first)
    assert cast.end(first).outcome.code is None
    assert cast.start(agent("true", number=2)) != pid


@pytest.mark.parametrize("number", [errno.EPERM, errno.ENOSPC, errno.EMLINK])
def test_where_a_record_cannot_have_another_name_each_has_a_shim_of_its_own(
    cast: Cast, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    pid = cast.run("true")

    def refused(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(os, "link", refused)
    second = agent("sh", "-c", "exit 5", number=2)
    assert cast.start(second) != pid
    assert cast.end(second).outcome.code == 5


def test_where_the_logs_were_deleted_the_next_makes_their_directory_anew(cast: Cast) -> None:
    pid = cast.run("true")
    shutil.rmtree(cast.home.agents)
    second = agent("echo", "there", number=2)
    assert cast.start(second) != pid
    cast.end(second)
    assert cast.log(second) == "there\n"


def test_a_shim_serves_no_more_than_its_record_has_room_for(cast: Cast) -> None:
    pids = [cast.run("true", number=number) for number in range(1, 2 * MOST + 1)]
    assert len(set(pids)) == 2
    assert (pids.count(pids[0]), pids.count(pids[-1])) == (MOST, MOST)
    assert Path(f"{cast.home.agents}/agent-001.1.exit").stat().st_size < 4096


def test_the_longest_names_and_times_fit_in_the_block_of_a_record() -> None:
    longest = "agent-999999999.999 255\n" + 2 * "99999m59.999999s 99999m59.999999s\n"
    refused = "agent-999999999.999 directory\n"
    assert len(header(b"0" * 36)) + MOST * len(refused + longest) < 4096


def test_what_one_uses_is_not_what_the_one_before_it_used(cast: Cast, tmp_path: Path) -> None:
    busy = "i=0; while [ $i -lt 200000 ]; do i=$((i+1)); done"
    os.mkfifo(tmp_path / "go")
    first, second = agent("sh", "-c", busy), agent("sh", "-c", f"echo there; read x <{tmp_path}/go", number=2)
    pid = cast.start(first)
    spent = cast.end(first).outcome.cpu_seconds
    assert cast.start(second) == pid
    cast.processes.release(second.id, 1)
    until(lambda: cast.log(second) == "there\n")
    (usage,) = cast.processes.usage([(second.id, 1)]).values()
    assert usage.cpu_seconds < spent / 2
    (adopted,) = adopt(cast.next_daemon(), second, usage=True)
    assert adopted < spent / 2
    (tmp_path / "go").write_text("\n")


def adopt(processes: LocalProcesses, agent: Agent, *, usage: bool = False) -> list[float]:
    """Take it up; what it uses by then."""
    processes.adopt(agent)
    return [used.cpu_seconds for used in processes.usage([(agent.id, 1)]).values()] if usage else []


def test_when_the_daemon_dies_before_it_opens_the_gate_again_the_first_has_ended_and_the_second_never_ran(
    cast: Cast, tmp_path: Path
) -> None:
    first, second = agent("sh", "-c", "exit 7"), agent("touch", str(tmp_path / "ran"), number=2)
    pid = cast.start(first)
    cast.end(first)
    assert cast.start(second) == pid
    after = cast.next_daemon()
    os.waitpid(pid, 0)
    cast.pids.clear()
    assert after.adopt(replace(second)) == NeverRan(second.id, 1)
    exited = after.adopt(replace(first))
    assert isinstance(exited, Exited)
    assert exited.outcome.code == 7
    assert not (tmp_path / "ran").exists()


def test_when_the_daemon_dies_while_the_second_is_at_work_the_next_one_hears_of_its_end(
    cast: Cast, tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "go")
    first, second = agent("true"), agent("sh", "-c", f"read x < {tmp_path}/go; exit 9", number=2)
    pid = cast.start(first)
    cast.end(first)
    assert cast.start(second) == pid
    cast.processes.release(second.id, 1)
    until(lambda: len(cast.processes.usage([(second.id, 1)])) == 1)
    after = cast.next_daemon()
    assert after.adopt(second).agent == second.id  # type: ignore[union-attr]
    (tmp_path / "go").write_text("\n")
    (exited,) = until(after.news)
    assert isinstance(exited, Exited)
    assert (exited.outcome.code, exited.is_tree_gone) == (9, True)


def test_a_shim_that_is_killed_while_the_second_is_at_work_loses_only_that(cast: Cast) -> None:
    first, second = agent("sh", "-c", "exit 7"), agent("sh", "-c", "kill -KILL $PPID; sleep 600", number=2)
    pid = cast.start(first)
    assert cast.end(first).outcome.code == 7
    assert cast.start(second) == pid
    exited = cast.end(second)
    assert (exited.outcome.code, exited.is_tree_gone) == (None, False)
    cast.processes.stop(second.id, 1, kill=True)
    assert cast.news()


def test_one_that_is_stopped_before_it_follows_never_runs(cast: Cast, tmp_path: Path) -> None:
    second = agent("touch", str(tmp_path / "ran"), number=2)
    assert cast.run("true") == cast.start(second)
    cast.processes.stop(second.id, 1, kill=False)
    assert cast.news() == [NeverRan(second.id, 1)]
    assert not (tmp_path / "ran").exists()


def test_a_signal_from_the_last_breath_of_one_is_not_the_next_ones(cast: Cast) -> None:
    """Nobody is left of it by then who could send another."""
    pid = cast.run("true")
    os.kill(pid, signal.SIGSTOP)
    second = agent("sh", "-c", "exit 8", number=2)
    assert cast.start(second) == pid
    os.kill(pid, signal.SIGTERM)
    os.kill(pid, signal.SIGCONT)
    cast.processes.release(second.id, 1)
    assert cast.news() == [NeverRan(second.id, 1)]


def test_when_an_idle_shim_has_been_killed_the_next_has_one_of_its_own(cast: Cast) -> None:
    pid = cast.run("true")
    os.kill(pid, signal.SIGKILL)
    until(lambda: (info := read_process(pid)) is None or info.is_zombie)
    second = agent("sh", "-c", "exit 5", number=2)
    assert cast.start(second) != pid
    assert cast.end(second).outcome.code == 5
