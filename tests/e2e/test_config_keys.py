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
    """The output of an agent that runs `words`."""
    agent_id = instance.spawn(*words)
    instance.ctl("wait", agent_id, code=None)
    return instance.ctl("logs", agent_id)


def status_of(instance: Instance, *words: str) -> str:
    """The final status of an agent that runs `words`."""
    agent_id = instance.spawn(*words)
    instance.ctl("wait", agent_id, code=None)
    return str(instance.agent(agent_id)["status"])


def killed(instance: Instance, _: Path) -> str:
    """The final status of an agent that ignores TERM, long before the default grace has passed."""
    agent_id = instance.spawn("sh", "-c", "trap '' TERM; echo up; while :; do sleep 0.1; done")
    until(lambda: "up" in instance.ctl("logs", agent_id, code=None))
    instance.ctl("cancel", agent_id)
    instance.ctl("wait", agent_id, "--timeout", "8s", code=1)
    return str(instance.agent(agent_id)["status"])


def session_in(instance: Instance, directory: Path) -> list[str]:
    """The files that a session left in its project."""
    (directory / ".agent").mkdir(exist_ok=True)
    agent_id = instance.ctl("spawn", "--", "true", cwd=directory).strip()
    instance.ctl("wait", agent_id)
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*.*") if path.is_file())


def spawned_bounded(instance: Instance, _: Path) -> object:
    """The bound that an agent gets, or the error that no bound can be enforced."""
    reply = json.loads(instance.ctl("spawn", "--json", "--", "true", code=None))
    if "error" in reply:
        return reply["error"]["code"]
    agent = instance.agent(reply["agents"][0]["id"])
    return agent["cpu_max"] or agent["pids_max"]


def skill_of_label(instance: Instance, directory: Path) -> str:
    """The skill that a task with a label is given to."""
    (directory / "todo.json").write_text('[{"id": "a", "title": "A", "labels": ["odd"]}]')
    return instance.ctl("pm", "--tasks", "todo.json", "--dry-run", "--json", cwd=directory)


def first_of_three(instance: Instance, _: Path) -> str:
    """The message about an agent after which two more have ended, one after the other."""
    for number in range(3):
        instance.ctl("wait", instance.spawn("echo", str(number)), code=None)

    def told() -> str:
        process = subprocess.run(
            [BIN / "orchctl", "status", "1"], env=instance.env, capture_output=True, text=True, check=False
        )
        return process.stderr

    return str(until(told))


def wait_that_is_too_short(instance: Instance, _: Path) -> str:
    """The output of an agent whose wait ended early while no slot was free."""
    instance.ctl("limit", "1")
    return said(instance, "sh", "-c", "orchctl spawn -- sleep 600; orchctl wait --children --timeout 0.2 2>&1")


def poller(instance: Instance, _: Path) -> str:
    """The final status of an agent that polls for its child, and has less time than stalls last by default."""
    instance.ctl("limit", "1")
    polls = "orchctl spawn -- true; until orchctl status agent-002 | grep -q completed; do sleep 0.1; done"
    agent_id = instance.spawn("sh", "-c", polls, options=["--timeout", "20"])
    instance.ctl("wait", agent_id, code=None)
    return str(instance.agent(agent_id)["status"])


def turned_away(instance: Instance, directory: Path) -> str:
    """The status of an agent whose service rejects requests for a minute."""
    limit = ("--env", "ORCHD_MOCK_RATE_LIMIT=api:60")
    agent_id = instance.ctl("spawn", "--runner", "mock", "--goal", "x", "--name", "api", *limit, cwd=directory).strip()
    until(lambda: "rate-limited" in (instance.agent(agent_id)["reason"] or ""))
    return str(instance.agent(agent_id)["status"])


def in_worktree(instance: Instance, directory: Path, project: str = "") -> str:
    """The files of an agent's worktree, and the message when the worktree is to be pruned."""
    instance.env.update(repos.SETTINGS, GIT_ALLOW_PROTOCOL="file")
    library, repo = repos.repository(directory / "library"), repos.repository(directory / "repo")
    repos.git(repo, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(library), "lib")
    repos.commit(repo, **{".gitignore": ".env\nout\n", ".orchd.toml": project})
    (repo / ".env").touch()
    reply = json.loads(
        instance.ctl("spawn", "--worktree", "--json", "--", "sh", "-c", "ls -A . lib; touch out", cwd=repo)
    )
    agent_id = reply["agents"][0]["id"]
    instance.ctl("wait", agent_id, code=None)
    return instance.ctl("logs", agent_id) + instance.ctl("worktrees", "prune", cwd=repo)


EFFECTS: dict[str, tuple[str, Effect, Callable[[object], bool]]] = {
    "limit": ("3", lambda instance, _: instance.status()["limit"]["limit"], lambda result: result == 3),
    "resident": ("9", lambda instance, _: instance.status()["limit"]["resident"], lambda result: result == 9),
    "enforcement": ('"lenient"', wait_that_is_too_short, lambda instance: "timed-out: " in str(instance)),
    "stall_after": ("0.2", poller, lambda result: result == "completed"),
    "depth": (
        "1",
        lambda instance, _: said(instance, "orchctl", "spawn", "--", "true"),
        lambda result: "too-deep" in str(result),
    ),
    "children": (
        "1",
        lambda instance, _: said(instance, "sh", "-c", SPAWN_TWO),
        lambda result: "too-many-children" in str(result),
    ),
    "agents": (
        "1",
        lambda instance, _: said(instance, "sh", "-c", SPAWN_TWO),
        lambda result: "too-many-agents" in str(result),
    ),
    "grace": ("0.2", killed, lambda result: result == "cancelled"),
    "timeout": ("0.2", lambda instance, _: status_of(instance, "sleep", "600"), lambda result: result == "timed-out"),
    "silence": ("0.2", lambda instance, _: status_of(instance, "sleep", "600"), lambda result: result == "timed-out"),
    "memory_max": (
        '"1M"',
        lambda instance, _: status_of(instance, sys.executable, "-c", "import signal; signal.pause()"),
        lambda result: result == "failed",
    ),
    "cpu_max": ('"50%"', spawned_bounded, lambda result: result in (0.5, "cannot-bound")),
    "pids_max": ("50", spawned_bounded, lambda result: result in (50, "cannot-bound")),
    "umask": (
        '"037"',
        lambda instance, _: said(instance, "sh", "-c", "umask"),
        lambda result: str(result).strip() == "0037",
    ),
    "confined_callers": (
        '"accept"',
        lambda instance, _: said(instance, "setpriv", "--no-new-privs", "orchctl", "spawn", "--json", "--", "true"),
        lambda result: "agent-002" in str(result),
    ),
    "session_files": ("false", session_in, lambda result: result == []),
    "sessions_path": ('"odd"', session_in, lambda result: "odd/session-001.yaml" in str(result)),
    "state_path": ('"odd"', session_in, lambda result: "odd/events.jsonl" in str(result)),
    "rate_limit_waits": ("0", turned_away, lambda result: result == "failed"),
    "rate_limit_time": ("50", turned_away, lambda result: result == "failed"),
    "free_bytes": (
        str(1 << 60),
        lambda instance, _: instance.status()["limit"]["disk_pressure"],
        lambda result: result is True,
    ),
    "keep_age": ("0.01", first_of_three, lambda result: str(result).startswith("pruned: ")),
    "keep_count": ("1", first_of_three, lambda result: str(result).startswith("pruned: ")),
    "keep_bytes": ("1", first_of_three, lambda result: str(result).startswith("pruned: ")),
    "log_bytes": (
        "65536",
        lambda instance, _: said(instance, "sh", "-c", "yes | head -c 1000000"),
        lambda result: len(str(result)) < 66_000 and "bytes omitted here" in str(result),
    ),
    "cgroups": (
        '"off"',
        lambda instance, _: said(instance, "cat", "/proc/self/cgroup"),
        lambda result: "orchd" not in str(result),
    ),
    "runner": (
        '"mine"\n[runners.mine]\ncommand = ["true"]',
        lambda instance, _: instance.ctl("spawn", "--goal", "x", "--json"),
        lambda result: json.loads(str(result))["agents"][0]["runner"] == "mine",
    ),
    "runners.mine": (
        '{ command = ["echo", "heard"] }',
        lambda instance, _: instance.ctl(
            "logs", "-f", instance.ctl("spawn", "--goal", "x", "--runner", "mine").strip()
        ),
        lambda result: "heard" in str(result),
    ),
    "pm.labels": ('{ odd = "mine" }', skill_of_label, lambda result: '"mine"' in str(result)),
    "worktree.copy": ('[".env"]', in_worktree, lambda result: "\n.env\n" in str(result)),
    "worktree.setup": ('"echo done"', in_worktree, lambda result: "\ndone\n" in str(result)),
    "worktree.submodules": ("true", in_worktree, lambda result: "lib:\n.git\na\n" in str(result)),
    "worktree.reproducible": ('["out"]', in_worktree, lambda result: "removed, with its branch" in str(result)),
    "worktree.trusted": (
        '["/"]',
        lambda instance, place: in_worktree(instance, place, '[worktree]\nsetup = "echo done"\n'),
        lambda result: "\ndone\n" in str(result),
    ),
    "remote.listen": (
        '"tcp://127.0.0.1:0"',
        lambda instance, _: instance.ctl("keys", "list"),
        lambda result: "tcp://" in str(result),
    ),
}
# Tables whose keys are tried by another test, with its table.
ELSEWHERE = {"runners.NAME": OF_RUNNERS}


def keys_of(shape: Any, above: str = "") -> Iterator[str]:
    """Every key of a shape with the tables above it; where names are free they are NAME, and MODEL."""
    for name, hint in get_type_hints(shape).items():
        inner = [kind for kind in (hint, *get_args(hint)) if is_dataclass(kind)]
        free = ".MODEL" if name == "prices" else ".NAME" if get_origin(hint) is dict else ""
        if inner:
            yield from keys_of(inner[0], f"{above}{name}{free}.")
        else:
            yield f"{above}{name}"


def test_every_configuration_key_is_tested() -> None:
    tried = {*EFFECTS, *(f"{above}.{key}" for above, keys in ELSEWHERE.items() for key in keys)}
    keys = set(keys_of(Config))
    assert keys - tried == set(), (
        "a key of config.toml of which nobody has seen that it does something: add it to EFFECTS here, with a value"
        " that is not its default, what is done, and what must be seen"
    )
    assert tried - keys - {"runners.mine"} == set(), "no key any more"
    assert {key.partition(".")[0] for key in keys} == set(KEYS)


@pytest.mark.parametrize("key", EFFECTS)
def test_a_key_has_its_effect(stopped: Instance, tmp_path: Path, key: str) -> None:
    value, effect, holds = EFFECTS[key]
    stopped.configure(f"{key} = {value}\n")
    stopped.start()
    assert holds(result := effect(stopped, tmp_path)), result
