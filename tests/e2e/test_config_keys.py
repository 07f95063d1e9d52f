"""Every key of config.toml, changed, and its effect on a real daemon seen."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import is_dataclass
from pathlib import Path
from typing import Any, get_args, get_origin, get_type_hints

import pytest

from orchd.instance.config import KEYS, Config
from tests.conftest import BIN, Instance, until
from tests.orchctl import repos
from tests.orchctl.runners.test_keys import EFFECTS as OF_RUNNERS

Effect = Callable[[Instance, Path], object]
SPAWN_TWO = "orchctl spawn -- sleep 60 && orchctl spawn -- sleep 60"


def said(instance: Instance, *words: str) -> str:
    """What an agent that runs `words` wrote."""
    one = instance.spawn(*words)
    instance.ctl("wait", one, code=None)
    return instance.ctl("logs", one)


def status_of(instance: Instance, *words: str) -> str:
    """What becomes of an agent that runs `words`."""
    one = instance.spawn(*words)
    instance.ctl("wait", one, code=None)
    return str(instance.agent(one)["status"])


def killed(instance: Instance, _: Path) -> str:
    """What has become of an agent that does not heed TERM, long before the default grace is over."""
    one = instance.spawn("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    until(lambda: "up" in instance.ctl("logs", one, code=None))
    instance.ctl("cancel", one)
    instance.ctl("wait", one, "--timeout", "8s", code=1)
    return str(instance.agent(one)["status"])


def session_in(instance: Instance, directory: Path) -> list[str]:
    """The files that a session left in its project."""
    (directory / ".agent").mkdir(exist_ok=True)
    one = instance.ctl("spawn", "--", "true", cwd=directory).strip()
    instance.ctl("wait", one)
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*.*") if path.is_file())


def spawned_bounded(instance: Instance, _: Path) -> object:
    """The bound that an agent gets, or that there is nobody who could hold it."""
    told = json.loads(instance.ctl("spawn", "--json", "--", "true", code=None))
    if "error" in told:
        return told["error"]["code"]
    agent = instance.agent(told["agents"][0]["id"])
    return agent["cpu_max"] or agent["pids_max"]


def skill_of_label(instance: Instance, directory: Path) -> str:
    """The skill that a task with a label is given to."""
    (directory / "todo.json").write_text('[{"id": "a", "title": "A", "labels": ["odd"]}]')
    return instance.ctl("pm", "--tasks", "todo.json", "--dry-run", "--json", cwd=directory)


def first_of_three(instance: Instance, _: Path) -> str:
    """What is said of an agent after which two more have ended, one after the other."""
    for number in range(3):
        instance.ctl("wait", instance.spawn("echo", str(number)), code=None)

    def told() -> str:
        done = subprocess.run(
            [BIN / "orchctl", "status", "1"], env=instance.env, capture_output=True, text=True, check=False
        )
        return done.stderr

    return str(until(told))


def wait_that_is_too_short(instance: Instance, _: Path) -> str:
    """What an agent wrote whose wait ended early while no slot was free."""
    instance.ctl("limit", "1")
    return said(instance, "sh", "-c", "orchctl spawn -- sleep 600; orchctl wait --children --timeout 0.2 2>&1")


def poller(instance: Instance, _: Path) -> str:
    """What becomes of an agent that polls for its child, and has less time than stalls last by default."""
    instance.ctl("limit", "1")
    polls = "orchctl spawn -- true; until orchctl status agent-002 | grep -q completed; do sleep 0.1; done"
    one = instance.spawn("sh", "-c", polls, options=["--timeout", "20"])
    instance.ctl("wait", one, code=None)
    return str(instance.agent(one)["status"])


def turned_away(instance: Instance, directory: Path) -> str:
    """What becomes of an agent whose service wants no more for a minute."""
    limit = ("--env", "ORCHD_MOCK_RATE_LIMIT=api:60")
    one = instance.ctl("spawn", "--runner", "mock", "--goal", "x", "--name", "api", *limit, cwd=directory).strip()
    until(lambda: "rate-limited" in (instance.agent(one)["reason"] or ""))
    return str(instance.agent(one)["status"])


def in_worktree(instance: Instance, directory: Path, project: str = "") -> str:
    """What an agent sees in its worktree, and what is said when that is to be pruned."""
    instance.env.update(repos.SETTINGS, GIT_ALLOW_PROTOCOL="file")
    library, repo = repos.repository(directory / "library"), repos.repository(directory / "repo")
    repos.git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    repos.commit(repo, **{".gitignore": ".env\nout\n", ".orchd.toml": project})
    (repo / ".env").touch()
    told = json.loads(
        instance.ctl("spawn", "--worktree", "--json", "--", "sh", "-c", "ls -A . lib; touch out", cwd=repo)
    )
    one = told["agents"][0]["id"]
    instance.ctl("wait", one, code=None)
    return instance.ctl("logs", one) + instance.ctl("worktrees", "prune", cwd=repo)


EFFECTS: dict[str, tuple[str, Effect, Callable[[object], bool]]] = {
    "limit": ("3", lambda one, _: one.status()["limit"]["limit"], lambda seen: seen == 3),
    "resident": ("9", lambda one, _: one.status()["limit"]["resident"], lambda seen: seen == 9),
    "enforcement": ('"lenient"', wait_that_is_too_short, lambda seen: "timed-out: " in str(seen)),
    "stall_after": ("0.2", poller, lambda seen: seen == "completed"),
    "depth": ("1", lambda one, _: said(one, "orchctl", "spawn", "--", "true"), lambda seen: "too-deep" in str(seen)),
    "children": ("1", lambda one, _: said(one, "sh", "-c", SPAWN_TWO), lambda seen: "too-many-children" in str(seen)),
    "agents": ("1", lambda one, _: said(one, "sh", "-c", SPAWN_TWO), lambda seen: "too-many-agents" in str(seen)),
    "grace": ("0.2", killed, lambda seen: seen == "cancelled"),
    "timeout": ("0.2", lambda one, _: status_of(one, "sleep", "600"), lambda seen: seen == "timed-out"),
    "silence": ("0.2", lambda one, _: status_of(one, "sleep", "600"), lambda seen: seen == "timed-out"),
    "memory_max": (
        '"1M"',
        lambda one, _: status_of(one, sys.executable, "-c", "import signal; signal.pause()"),
        lambda seen: seen == "failed",
    ),
    "cpu_max": ('"50%"', spawned_bounded, lambda seen: seen in (0.5, "cannot-bound")),
    "pids_max": ("50", spawned_bounded, lambda seen: seen in (50, "cannot-bound")),
    "umask": ('"037"', lambda one, _: said(one, "sh", "-c", "umask"), lambda seen: str(seen).strip() == "0037"),
    "confined_callers": (
        '"accept"',
        lambda one, _: said(one, "setpriv", "--no-new-privs", "orchctl", "spawn", "--json", "--", "true"),
        lambda seen: "agent-002" in str(seen),
    ),
    "session_files": ("false", session_in, lambda seen: seen == []),
    "sessions_path": ('"odd"', session_in, lambda seen: "odd/session-001.yaml" in str(seen)),
    "state_path": ('"odd"', session_in, lambda seen: "odd/events.jsonl" in str(seen)),
    "rate_limit_waits": ("0", turned_away, lambda seen: seen == "failed"),
    "rate_limit_time": ("50", turned_away, lambda seen: seen == "failed"),
    "free_bytes": (str(1 << 60), lambda one, _: one.status()["limit"]["disk_pressure"], lambda seen: seen is True),
    "keep_age": ("0.01", first_of_three, lambda seen: str(seen).startswith("pruned: ")),
    "keep_count": ("1", first_of_three, lambda seen: str(seen).startswith("pruned: ")),
    "keep_bytes": ("1", first_of_three, lambda seen: str(seen).startswith("pruned: ")),
    "log_bytes": (
        "65536",
        lambda one, _: said(one, "sh", "-c", "yes | head -c 1000000"),
        lambda seen: len(str(seen)) < 66_000 and "bytes were left out" in str(seen),
    ),
    "cgroups": ('"off"', lambda one, _: said(one, "cat", "/proc/self/cgroup"), lambda seen: "orchd" not in str(seen)),
    "runner": (
        '"mine"\n[runners.mine]\ncommand = ["true"]',
        lambda one, _: one.ctl("spawn", "--goal", "x", "--json"),
        lambda seen: json.loads(str(seen))["agents"][0]["runner"] == "mine",
    ),
    "runners.mine": (
        '{ command = ["echo", "heard"] }',
        lambda one, _: one.ctl("logs", "-f", one.ctl("spawn", "--goal", "x", "--runner", "mine").strip()),
        lambda seen: "heard" in str(seen),
    ),
    "pm.labels": ('{ odd = "mine" }', skill_of_label, lambda seen: '"mine"' in str(seen)),
    "worktree.copy": ('[".env"]', in_worktree, lambda seen: "\n.env\n" in str(seen)),
    "worktree.setup": ('"echo done"', in_worktree, lambda seen: "\ndone\n" in str(seen)),
    "worktree.submodules": ("true", in_worktree, lambda seen: "lib:\n.git\na\n" in str(seen)),
    "worktree.reproducible": ('["out"]', in_worktree, lambda seen: "removed, with its branch" in str(seen)),
    "worktree.trusted": (
        '["/"]',
        lambda one, place: in_worktree(one, place, '[worktree]\nsetup = "echo done"\n'),
        lambda seen: "\ndone\n" in str(seen),
    ),
    "remote.listen": (
        '"tcp://127.0.0.1:0"',
        lambda one, _: one.ctl("keys", "list"),
        lambda seen: "tcp://" in str(seen),
    ),
}
# Tables whose keys are tried by another test, with its table.
ELSEWHERE = {"runners.NAME": OF_RUNNERS}


def keys_of(shape: Any, above: str = "") -> Iterator[str]:
    """Every key of a shape with the tables above it; where names are free they are NAME, and MODEL."""
    for name, hint in get_type_hints(shape).items():
        inner = [one for one in (hint, *get_args(hint)) if is_dataclass(one)]
        free = ".MODEL" if name == "prices" else ".NAME" if get_origin(hint) is dict else ""
        if inner:
            yield from keys_of(inner[0], f"{above}{name}{free}.")
        else:
            yield f"{above}{name}"


def test_every_key_is_tried() -> None:
    tried = {*EFFECTS, *(f"{above}.{key}" for above, keys in ELSEWHERE.items() for key in keys)}
    wanted = set(keys_of(Config))
    assert wanted - tried == set(), (
        "a key of config.toml of which nobody has seen that it does something: add it to EFFECTS here, with a value"
        " that is not its default, what is done, and what must be seen"
    )
    assert tried - wanted - {"runners.mine"} == set(), "no key any more"
    assert {key.partition(".")[0] for key in wanted} == set(KEYS)


@pytest.mark.parametrize("key", EFFECTS)
def test_a_key_has_its_effect(stopped: Instance, tmp_path: Path, key: str) -> None:
    value, effect, holds = EFFECTS[key]
    stopped.configure(f"{key} = {value}\n")
    stopped.start()
    assert holds(seen := effect(stopped, tmp_path)), seen
