"""Agents have the umask, resource limits, niceness, policy and CPUs of their caller, and not of the daemon."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from orchctl.spawn.attributes import own
from tests.conftest import BIN, Instance

SHOW = "import json, os; from orchctl.spawn.attributes import own; print(json.dumps(own()), flush=True)"
MAKE = "; open('made', 'w').close(); os.mkdir('directory')"
FAIL_FIRST = "; os._exit(os.environ['ORCHD_ATTEMPT'] == '1')"
CALLER = ["sh", "-c", 'umask 027; ulimit -n 300; exec nice -n 4 taskset -c 0 "$@"', "sh"]
DAEMON = ["sh", "-c", 'umask 022; ulimit -Sn 200; exec nice -n 2 "$@"', "sh", sys.executable, "-m", "orchd"]


def as_caller(instance: Instance, *words: str, caller: list[str] | None = None) -> str:
    """The output of a client that has attributes of its own."""
    command = [*(CALLER if caller is None else caller), str(BIN / "orchctl"), *words]
    process = subprocess.run(
        command, env=instance.env, cwd=instance.directory, capture_output=True, text=True, check=False
    )
    assert process.returncode in (0, 1), process.stderr
    return process.stdout


def shown(instance: Instance, agent_id: str, attempt: int = 1) -> Any:
    """The attributes that an agent printed."""
    return json.loads((instance.home.agents / f"{agent_id}.{attempt}.log").read_text().splitlines()[-1])


def expected() -> dict[str, Any]:
    """The attributes of the caller."""
    limits = {**own()["limits"], "nofile": [300, 300]}
    return {
        "umask": 0o027,
        "nice": os.getpriority(os.PRIO_PROCESS, 0) + 4,
        "policy": "other",
        "cpus": "0",
        "limits": limits,
    }


def test_an_agent_has_its_callers_attributes(stopped: Instance, tmp_path: Path) -> None:
    stopped.start(*DAEMON)
    where = ["--cwd", str(tmp_path), "--output-dir", str(tmp_path / "out/a")]
    agent_id = as_caller(stopped, "spawn", "--wait", *where, "--", sys.executable, "-c", SHOW + MAKE).split()[0]
    assert shown(stopped, agent_id) == expected()
    modes = [oct((tmp_path / name).stat().st_mode & 0o777) for name in ("made", "directory", "out", "out/a")]
    assert modes == ["0o640", "0o750", "0o750", "0o750"]
    assert {path.stat().st_mode & 0o777 for path in stopped.home.agents.iterdir()} == {0o600}


def test_attempts_that_share_a_shim_have_separate_attributes(stopped: Instance) -> None:
    stopped.start(*DAEMON)
    callers = [CALLER, ["sh", "-c", 'umask 002; ulimit -Sn 100; exec "$@"', "sh"], CALLER, []]
    command = ["spawn", "--wait", "--cwd", "/", "--", sys.executable, "-c", SHOW]
    ids = [as_caller(stopped, *command, caller=caller).split()[0] for caller in callers]
    assert [shown(stopped, agent_id)["umask"] for agent_id in ids] == [0o027, 0o002, 0o027, own()["umask"]]
    soft = own()["limits"]["nofile"][0]
    assert [shown(stopped, agent_id)["limits"]["nofile"][0] for agent_id in ids] == [300, 100, 300, soft]


def test_attributes_survive_a_daemon_crash_and_a_retry(stopped: Instance, tmp_path: Path) -> None:
    stopped.configure("limit = 1\n")
    stopped.start(*DAEMON)
    os.mkfifo(tmp_path / "go")
    blocker = stopped.spawn("sh", "-c", f"read x <{tmp_path}/go")
    command = ["--cwd", "/", "--", sys.executable, "-c", SHOW + FAIL_FIRST]
    agent_id = as_caller(stopped, "spawn", "--retries", "1", *command).strip()
    stopped.kill()
    stopped.start(*DAEMON)
    (tmp_path / "go").write_text("\n")
    stopped.ctl("wait", blocker, agent_id)
    assert [shown(stopped, agent_id, attempt) for attempt in (1, 2)] == [expected(), expected()]


@pytest.mark.parametrize(
    ("limits", "script", "code"),
    [
        ({"fsize": [0, 0]}, "echo x; exit 3", 153),  # SIGXFSZ
        ({"fsize": [0, 0]}, "exit 3", 3),
        ({"nofile": [7, 7]}, "exit $(ulimit -n)", 7),
        ({"nofile": [7, 10**9]}, "exit $(ulimit -Sn)", 7),
        ({"as": [20 << 20, 20 << 20]}, "exit $(($(ulimit -v) / 1024))", 20),
        ({"cpu": [1, 2]}, "exit $(ulimit -t)", 1),
        ({"nproc": [5, 5]}, "exit $(ulimit -p)", 5),
    ],
)
def test_a_resource_limit_too_low_for_the_shim_applies_only_to_the_agent(
    instance: Instance, limits: dict[str, list[int]], script: str, code: int
) -> None:
    agents = [{"command": ["/bin/sh", "-c", script]}]
    with instance.client() as client:
        reply = client.call("spawn", {"agents": agents, "cwd": "/", "attributes": {"limits": limits}})
        (ended,) = client.wait(ids=[reply["agents"][0]["id"]])["agents"]
    assert (ended["exit_code"], ended["status"]) == (code, "failed")


def test_the_configuration_may_set_one_umask_for_all(stopped: Instance) -> None:
    stopped.configure('umask = "007"\n')
    stopped.start(*DAEMON)
    agent_id = as_caller(stopped, "spawn", "--wait", "--", "sh", "-c", "umask").split()[0]
    assert (stopped.home.agents / f"{agent_id}.1.log").read_text().strip() == "0007"


def test_an_agent_without_attributes_inherits_the_daemons_attributes(stopped: Instance) -> None:
    stopped.start(*DAEMON)
    with stopped.client() as client:
        agents = [{"command": [sys.executable, "-c", SHOW]}]
        reply = client.call("spawn", {"agents": agents, "cwd": "/", "env": dict(os.environ)})
        agent_id = reply["agents"][0]["id"]
        client.wait(ids=[agent_id])
    attributes = shown(stopped, agent_id)
    assert (attributes["umask"], attributes["nice"]) == (0o022, os.getpriority(os.PRIO_PROCESS, 0) + 2)
    assert attributes["limits"]["nofile"] == [200, resource.getrlimit(resource.RLIMIT_NOFILE)[1]]


@pytest.mark.skipif(os.getuid() != 0, reason="only root may raise limits, and give that right up")
def test_why_reports_attributes_that_the_daemon_could_not_grant(stopped: Instance) -> None:
    without = ["capsh", "--drop=cap_sys_resource,cap_sys_nice", "--", "-c", 'ulimit -n 256; exec nice -n 5 "$0" "$@"']
    try:
        stopped.start(*without, sys.executable, "-m", "orchd")
    except FileNotFoundError:
        pytest.skip("capsh is not installed")
    agent_id = stopped.ctl("spawn", "--wait", "--", "true").split()[0]
    output = stopped.ctl("why", agent_id)
    assert "attributes that its caller does not have: " in output
    assert "nice 0: it is 5" in output
    assert "its hard limit is 256" in output
    assert "its hard limit is 256" in json.loads(stopped.ctl("why", "--json", agent_id))["unmet"]


@pytest.mark.parametrize(("score", "expected"), [("300", "300"), ("-300", "0")])
def test_an_agent_inherits_the_oom_score_of_its_caller_unless_protected(
    stopped: Instance, score: str, expected: str
) -> None:
    """A caller that is protected is one that a service manager or root has protected: that is not for its agents."""
    if score[0] == "-" and os.getuid() != 0:
        pytest.skip("needs root to protect a process")
    stopped.start("sh", "-c", 'echo 0 > /proc/$$/oom_score_adj; exec "$@"', "sh", sys.executable, "-m", "orchd")
    caller = ["sh", "-c", f'echo {score} > /proc/$$/oom_score_adj; exec "$@"', "sh"]
    shows = ["--", "cat", "/proc/self/oom_score_adj"]
    for _ in range(2):  # the second may be served by the shim of the first
        agent_id = as_caller(stopped, "spawn", "--wait", *shows, caller=caller).split()[0]
        assert stopped.ctl("logs", agent_id).strip() == expected
    other = as_caller(
        stopped, "spawn", "--wait", *shows, caller=["sh", "-c", 'echo 0 > /proc/$$/oom_score_adj; exec "$@"', "sh"]
    )
    assert stopped.ctl("logs", other.split()[0]).strip() == "0"
