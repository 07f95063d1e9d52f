"""An agent may start, see and end what is its own, and the kernel says who it is: real agents, a real daemon."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from orchd.instance.system.own_cgroup import own_cgroup
from orchd.processes.linux.cgroups import Cgroups
from tests.conftest import BIN, Instance, until
from tests.support.machine import needs_root

ESCAPE = (
    "import os, sys\n"
    "if os.fork(): os._exit(0)\n"  # the parent leaves at once: what goes on is an orphan
    "os.setsid()\n"
    "if os.fork(): os._exit(0)\n"
    "out = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)\n"
    "os.dup2(out, 1); os.dup2(out, 2)\n"
    "env = {'PATH': os.environ['PATH'], 'ORCHD_HOME': os.environ['ORCHD_HOME']}\n"  # no mark of the agent is left
    "os.execvpe(sys.argv[2], sys.argv[2:], env)\n"
)

FORBIDDEN = [
    "limit 9",
    "limit --resident 90",
    "pause",
    "resume",
    "daemon stop --keep-agents",
    "cancel {stranger}",
    "retry {stranger}",
    "logs {stranger}",
    "status {stranger}",
    "wait {stranger} --timeout 1",
    "cancel {self}",
    "spawn --parent {stranger} -- true",
    "spawn --after {stranger} -- true",
]


@pytest.fixture(params=["auto", "off"])
def box(stopped: Instance, request: pytest.FixtureRequest) -> Instance:
    """A daemon in both ways of knowing whose a process is, with a stranger that lives."""
    stopped.home.create()
    stopped.configure(f'cgroups = "{request.param}"\n')
    stopped.start()
    assert stopped.spawn("sleep", "1000", options=["--name", "stranger"]) == "agent-001"
    return stopped


def said(instance: Instance, *commands: str, forged: str = "") -> list[str]:
    """The output of each command with its exit code, from inside a new agent."""
    number = max(int(agent["id"][6:]) for agent in instance.status("--all")["agents"]) + 1
    words = {"stranger": "agent-001", "self": f"agent-{number:03d}"}
    lines = "\n".join(f'{forged} orchctl {line.format(**words)} 2>&1; echo "exit $?"; echo --' for line in commands)
    agent_id = instance.spawn("sh", "-c", lines)
    assert agent_id == words["self"]
    instance.ctl("wait", agent_id, code=None)
    return [part.strip() for part in instance.ctl("logs", agent_id).split("--\n") if part.strip()]


def test_forbidden_commands_of_an_agent_are_refused(box: Instance) -> None:
    for command, answer in zip(FORBIDDEN, said(box, *FORBIDDEN), strict=True):
        assert "forbidden: " in answer, (command, answer)
        assert answer.endswith("exit 1"), (command, answer)
    assert box.status()["limit"]["limit"] == 7
    assert box.agent("agent-001")["status"] == "running"


@pytest.mark.parametrize("forged", ["env -u ORCHD_AGENT -u ORCHD_ATTEMPT", "env ORCHD_AGENT=agent-001 ORCHD_ATTEMPT=1"])
def test_forged_variables_do_not_change_the_identity_of_an_agent(box: Instance, forged: str) -> None:
    answers = said(box, "limit 9", "spawn -- true", "cancel agent-001", forged=forged)
    assert "forbidden: " in answers[0]
    child = answers[1].split()[0]
    assert box.agent(child)["parent"] == "agent-002"
    assert box.agent(child)["level"] == "sub-skill"
    assert "forbidden: " in answers[2]


def test_an_agent_may_spawn_inspect_and_cancel_its_own_children(box: Instance) -> None:
    answers = said(
        box,
        "spawn --name child -- sleep 1000",
        "status agent-003",
        "limit",
        "cancel agent-003",
        "wait agent-003",
        "status",
    )
    assert answers[0].startswith("agent-003")
    assert answers[4].endswith("exit 1")
    assert box.agent("agent-003")["status"] == "cancelled"
    assert "agent-003" in answers[5]
    assert "stranger" not in answers[5]


@pytest.mark.parametrize("is_restarted", [False, True], ids=["", "restarted"])
def test_a_process_detached_from_its_agent_gets_no_owner_rights(
    stopped: Instance, tmp_path: Path, *, is_restarted: bool
) -> None:
    """An orphan without any mark that is in a cgroup of an agent may do nothing, also after a restart."""
    stopped.home.create()
    if Cgroups.where_allowed("test-of-rights") is None:
        pytest.skip("no cgroup2 directory can be made here")
    stopped.start()
    _, answer = fled(stopped, tmp_path, is_restarted=is_restarted)
    assert "forbidden: permission denied: the calling process has detached" in answer
    assert stopped.status()["limit"]["limit"] == 7


JOINED = (
    "import os, sys\n"
    "def ask():\n"
    "    open(sys.argv[2] + '/cgroup.procs', 'w').write('0')\n"
    "    for words in sys.argv[3:]: os.system(f'orchctl {words} 2>&1')\n"
    "def as_child(): ask()\n"
    "def as_orphan_of_the_session():\n"
    "    if os.fork(): return\n"
    "    if os.fork(): os._exit(0)\n"
    "    ask(), os._exit(0)\n"
    "def as_orphan():\n"
    "    if os.fork(): return\n"
    "    os.setsid()\n"
    "    if os.fork(): os._exit(0)\n"
    "    ask(), os._exit(0)\n"
    "def with_its_variables():\n"
    "    os.environ.update(ORCHD_AGENT='agent-001', ORCHD_ATTEMPT='1')\n"
    "    as_orphan()\n"
    "def without_variables():\n"
    "    del os.environ['ORCHD_AGENT'], os.environ['ORCHD_ATTEMPT']\n"
    "    as_orphan()\n"
    "globals()[sys.argv[1]]()\n"
)


@pytest.mark.parametrize(
    ("way", "is_known"),
    [
        ("as_child", True),
        ("as_orphan_of_the_session", False),
        ("as_orphan", False),
        ("with_its_variables", False),
        ("without_variables", False),
    ],
)
def test_joining_the_cgroup_of_an_agent_does_not_grant_its_identity(
    stopped: Instance, tmp_path: Path, way: str, *, is_known: bool
) -> None:
    """With its parents it stays what it was; without them nothing proves that it was in that cgroup from the start."""
    stopped.home.create()
    if Cgroups.where_allowed("test-of-rights") is None:
        pytest.skip("no cgroup2 directory can be made here")
    stopped.start()
    victim = stopped.spawn("sleep", "1000")
    cgroup = until(lambda: own_cgroup(stopped.agent(victim)["pid"]))
    (tmp_path / "joined.py").write_text(JOINED)
    requests = "'spawn --name fake -- true' 'cancel agent-001' 'limit 9'"
    agent_id = stopped.spawn("sh", "-c", f"python3 {tmp_path}/joined.py {way} {cgroup} {requests}; exec sleep 1000")
    until(lambda: stopped.ctl("logs", agent_id).count("forbidden: ") == (2 if is_known else 3))
    agents = {agent["name"]: agent for agent in stopped.status("--all")["agents"]}
    assert agents["fake"]["parent"] == agent_id if is_known else "fake" not in agents
    assert stopped.agent(victim)["status"] == "running"


@pytest.mark.parametrize("cgroups", ["auto", "off"])
def test_an_orphan_belongs_to_the_agent_while_its_session_leader_does(
    stopped: Instance, tmp_path: Path, cgroups: str
) -> None:
    """As with a job that a shell in a session of its own leaves in the background."""
    stopped.home.create()
    stopped.configure(f'cgroups = "{cgroups}"\n')
    stopped.start()
    words = "(orchctl spawn --name child -- true; echo done) > {} 2>&1 &".format(tmp_path / "answer")
    agent_id = stopped.spawn("setsid", "-w", "sh", "-c", f"sh -c '{words}'; sleep 1000")
    until(lambda: (tmp_path / "answer").exists() and "done" in (tmp_path / "answer").read_text())
    assert stopped.agent("child")["parent"] == agent_id


def test_an_orphan_without_any_mark_gets_no_rights(stopped: Instance, tmp_path: Path) -> None:
    """Without cgroups nothing tells whose it was; below the daemon, it is then nobody and may do nothing."""
    stopped.home.create()
    stopped.configure('cgroups = "off"\n')
    stopped.start()
    agent_id, answer = fled(stopped, tmp_path, is_restarted=False)
    assert "forbidden: " in answer
    assert stopped.status()["limit"]["limit"] == 7
    stopped.ctl("cancel", agent_id)


def fled(instance: Instance, tmp_path: Path, *, is_restarted: bool) -> tuple[str, str]:
    """The answer to an orphan of an agent that requests more slots."""
    go, answer = tmp_path / "go", tmp_path / "answer"
    script = f"while [ ! -e {go} ]; do read -t 0.05 x <>{tmp_path}/never || :; done; orchctl limit 9; echo done"
    (tmp_path / "escape.py").write_text(ESCAPE)
    agent_id = instance.spawn(
        "bash", "-c", f"mkfifo {tmp_path}/never; python3 {tmp_path}/escape.py {answer} bash -c '{script}'; sleep 1000"
    )
    until(lambda: (tmp_path / "never").exists())
    until(answer.exists)
    if is_restarted:
        instance.kill()
        instance.start()
    go.touch()
    until(lambda: "done" in answer.read_text())
    return agent_id, answer.read_text()


@needs_root
@pytest.mark.parametrize("way", ["unshare -Ur", "unshare -pf --mount-proc", "unshare -m", "setsid -w", "unshare -C"])
def test_an_agent_keeps_its_identity_in_other_namespaces_and_sessions(box: Instance, way: str) -> None:
    with box.home.config.open("a") as config:
        config.write('confined_callers = "accept"\n')
    box.ctl("config", "reload")
    limit, child = said(box, "limit 9", "spawn -- true", forged=way)
    assert "forbidden: permission denied: agent-002 is an agent" in limit
    assert box.agent(child.split()[0])["parent"] == "agent-002"


@needs_root
@pytest.mark.parametrize(
    ("way", "named"),
    [
        ("unshare -n", "it is in another network namespace"),
        ("unshare -m", "it is in another mount namespace"),
        ("unshare -u -i", "it is in another UTS namespace, it is in another IPC namespace"),
        ("setpriv --no-new-privs", "it has NoNewPrivs set"),
    ],
)
def test_a_confined_caller_may_not_start_unconfined_agents(instance: Instance, way: str, named: str) -> None:
    first = instance.spawn("false")
    instance.ctl("wait", first, code=1)
    for words in (["spawn", "--", "true"], ["retry", first]):
        process = subprocess.run(
            [*way.split(), BIN / "orchctl", *words], env=instance.env, capture_output=True, text=True, check=False
        )
        assert process.returncode == 1
        assert f"the calling process is confined ({named}), but its agents would not be" in process.stderr
        assert "`nsenter`" in process.stderr
    inside, looked = said(instance, "spawn -- true", "status --json", forged=way)
    assert f"confined ({named})" in inside
    assert "call orchctl from an unconfined process of the agent" in inside
    assert looked.endswith("exit 0")
    with instance.home.config.open("a") as config:
        config.write('confined_callers = "accept"\n')
    instance.ctl("config", "reload")
    assert said(instance, "spawn -- true", forged=way)[0].endswith("exit 0")


@needs_root
def test_a_confined_daemon_spawns_only_for_callers_in_its_namespace(stopped: Instance) -> None:
    stopped.home.create()
    stopped.start("unshare", "-n", "setpriv", "--no-new-privs", sys.executable, "-m", "orchd")
    words = ["nsenter", "-t", str(stopped.daemon.pid), "-n", str(BIN / "orchctl"), "spawn", "--", "true"]
    process = subprocess.run(words, env=stopped.env, capture_output=True, text=True, check=False)
    assert process.stdout.strip() == "agent-001", process.stderr
    assert "confined (it is in another network namespace)" in refused(stopped, "spawn", "--json", "--", "true")


@needs_root
def test_a_daemon_in_a_pid_namespace_serves_only_visible_callers(stopped: Instance) -> None:
    stopped.home.create()
    stopped.start("unshare", "-pf", "--mount-proc", "--kill-child", sys.executable, "-m", "orchd")
    assert "in a pid namespace that the daemon cannot see" in refused(stopped, "limit", "9", "--json")
    (inner,) = Path(f"/proc/{stopped.daemon.pid}/task/{stopped.daemon.pid}/children").read_text().split()
    words = ["nsenter", "-t", inner, "-p", "-m", str(BIN / "orchctl"), "limit", "9"]
    process = subprocess.run(words, env=stopped.env, capture_output=True, text=True, check=False)
    assert "0/9" in process.stdout, process.stderr
    stopped.kill()


@needs_root
@pytest.mark.parametrize("cgroups", ["auto", "off"])
def test_a_connection_is_not_inherited_by_a_process_with_a_reused_pid(stopped: Instance, cgroups: str) -> None:
    stopped.home.create()
    stopped.configure(f'cgroups = "{cgroups}"\nsession_files = false\n')
    words = ["unshare", "-pf", "--mount-proc", "--kill-child", sys.executable, "-m", "tests.support.reused_pid"]
    root = Path(__file__).parents[2]
    process = subprocess.run(
        [*words, str(stopped.directory)], env=stopped.env, cwd=root, capture_output=True, text=True, check=False
    )
    assert process.returncode == 0, process.stderr
    answer, limit = process.stdout.splitlines()
    assert "forbidden: permission denied: the process that opened this connection has ended" in answer
    assert limit == "7"


def test_the_owner_may_control_the_daemon_and_its_agents(box: Instance) -> None:
    box.ctl("limit", "9")
    box.ctl("pause")
    box.ctl("resume")
    assert "agent-001" in box.ctl("status", "agent-001")
    box.ctl("cancel", "agent-001")
    assert "forbidden: " in refused(box, "spawn", "--json", "--parent", "agent-001", "--", "true")


def refused(instance: Instance, *words: str) -> str:
    """The error of a command that is refused."""
    return instance.ctl(*words, code=1).replace('"code":"', "").replace('","message":"', ": ")
