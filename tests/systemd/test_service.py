"""The daemon as a service of a real systemd: started, watched, restarted, stopped, and what becomes of agents."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from tests.conftest import DEADLINE, until
from tests.systemd.box import Box, Installed

pytestmark = pytest.mark.slow


def test_the_service_starts_and_shows_its_slots(service: Installed) -> None:
    assert service.shows("ActiveState") == "active"
    agent_id = service.spawn("sleep", "600")
    until(lambda: service.shows("StatusText") == "slots 1/7 in use, 1/28 alive, 0 queued")
    report = json.loads(service.service("status", "--json"))
    assert report["state"] == "active"
    assert report["enabled"]
    assert str(report["pid"]) == service.shows("MainPID")
    assert "1/7 in use" in service.service("status")
    (agent,) = service.agents(agent_id)
    group = service.shows("ControlGroup")
    assert service.box.run("cat", f"/proc/{agent['pid']}/cgroup").split("::")[1].startswith(f"{group}/orchd-")


def test_the_journal_log_has_priorities_and_no_times(service: Installed) -> None:
    entries = [json.loads(line) for line in service.says("--output=json").splitlines()]
    serving = [entry for entry in entries if entry["MESSAGE"] == f"serving {service.home}"]
    assert serving
    assert serving[-1]["PRIORITY"] == "6"


def test_a_hung_loop_is_killed_and_the_next_daemon_adopts_the_agents(service: Installed) -> None:
    service.set("WatchdogSec=1")
    service.systemctl("restart", service.unit)
    agent_id = service.spawn("sleep", "600")
    (before,) = service.agents(agent_id)
    hung = service.shows("MainPID")
    service.box.run("kill", "-STOP", hung)
    until(lambda: service.shows("MainPID") not in ("0", hung) and service.shows("ActiveState") == "active")
    (after,) = service.agents(agent_id)
    assert (after["status"], after["pid"], after["attempt"]) == ("running", before["pid"], 1)
    assert service.shows("NRestarts") == "1"
    assert "orchd/daemon/loop.py" in service.says()  # where it hung


def test_an_agent_above_its_memory_limit_ends_and_others_keep_running(service: Installed) -> None:
    takes = "import signal; held = bytearray(b'x') * (100 << 20); signal.pause()"
    other = service.spawn("sleep", "600")
    greedy = service.ctl("spawn", "--memory-max", "50M", "--", "python3", "-c", takes).strip()
    service.ctl("wait", greedy, code=1)
    (ended,) = service.agents(greedy)
    assert (ended["status"], ended["reason"]) == ("failed", "memory")
    (living,) = service.agents(other)
    assert (living["status"], living["attempt"]) == ("running", 1)
    assert service.shows("ActiveState") == "active"
    assert service.shows("NRestarts") == "0"


def test_a_reload_rereads_the_configuration_in_the_same_process(service: Installed) -> None:
    before = service.shows("MainPID")
    service.box.run("sh", "-c", f"echo 'grace = 3.5' > {service.home}/config.toml", who="ann")
    service.systemctl("reload", service.unit)
    until(lambda: service.shows("ActiveState") == "active")
    agent_id = service.spawn("sleep", "600")
    (agent,) = service.agents(agent_id)
    assert agent["grace"] == 3.5
    assert service.shows("MainPID") == before


def test_a_restart_under_load_loses_nothing_and_keeps_the_order(service: Installed) -> None:
    box = service.box
    box.run("sh", "-c", "mkdir /run/ann/load; mkfifo /run/ann/load/gate", who="ann")
    first = [
        service.spawn("sh", "-c", "echo $ORCHD_AGENT >> /run/ann/load/ran; cat /run/ann/load/gate") for _ in range(7)
    ]
    lines = [json.dumps({"command": ["sh", "-c", "echo $ORCHD_AGENT >> /run/ann/load/ran"]}) for _ in range(20)]
    box.run("sh", "-c", f"cat > /run/ann/load/batch <<'END'\n{chr(10).join(lines)}\nEND")
    later = service.ctl("spawn", "--batch", "/run/ann/load/batch").split()
    waiting = service.begin("wait", *first, *later)
    pids = {agent["id"]: agent["pid"] for agent in service.agents(*first)}
    old = service.shows("MainPID")
    service.systemctl("restart", service.unit)
    assert service.shows("MainPID") != old
    assert {agent["id"]: agent["pid"] for agent in service.agents(*first)} == pids
    assert {agent["status"] for agent in service.agents(*later)} == {"queued"}
    box.run("sh", "-c", "echo > /run/ann/load/gate")
    assert waiting.wait(DEADLINE) == 0, waiting.communicate()
    waiting.communicate()
    ran = box.run("cat", "/run/ann/load/ran").split()
    assert sorted(ran) == sorted([*first, *later])
    events = [json.loads(line) for line in service.ctl("events", "--since", "0", "--json").splitlines()]
    assert [event["agent"] for event in events if event["event"] == "attempt-admitted"] == [*first, *later]


def test_a_killed_daemon_is_restarted_and_a_waiting_client_reconnects(service: Installed) -> None:
    agent_id = service.spawn("sh", "-c", "until [ -e /run/ann/done ]; do sleep 0.05; done")
    waiting = service.begin("wait", agent_id)
    old = service.shows("MainPID")
    service.box.run("kill", "-KILL", old)
    until(lambda: service.shows("MainPID") not in ("0", old))
    assert json.loads(service.ctl("daemon", "status", "--json"))["pid"] == int(service.shows("MainPID"))
    service.box.run("touch", "/run/ann/done")
    assert waiting.wait(DEADLINE) == 0, waiting.communicate()
    waiting.communicate()
    service.box.run("rm", "/run/ann/done")


def test_a_stopped_service_keeps_agents_and_no_query_starts_a_daemon(service: Installed) -> None:
    agent_id = service.spawn("sleep", "600")
    (before,) = service.agents(agent_id)
    service.systemctl("stop", service.unit)
    service.box.run("kill", "-0", before["pid"])
    output = service.ctl("status", code=69)
    assert "no-daemon: no daemon is running" in output
    assert "start it with `orchctl daemon start`" in output
    service.ctl("daemon", "start")
    assert service.shows("ActiveState") == "active"
    (after,) = service.agents(agent_id)
    assert (after["status"], after["pid"]) == ("running", before["pid"])


def test_daemon_restart_restarts_the_service(service: Installed) -> None:
    old = service.shows("MainPID")
    service.ctl("daemon", "restart")
    assert service.shows("ActiveState") == "active"
    assert service.shows("MainPID") not in ("0", old)


@pytest.mark.parametrize("how", ["--stop-agents", "--drain"])
def test_the_service_stops_with_its_agents_and_stays_stopped(service: Installed, how: str) -> None:
    service.spawn("sleep", "600" if how == "--stop-agents" else "1")
    service.ctl("daemon", "stop", how)
    until(lambda: service.shows("ActiveState") == "inactive")
    assert service.shows("NRestarts") == "0"
    assert service.shows("Result") == "success"
    assert service.box.run("pgrep", "-x", "sleep", code=1) == ""


def test_daemon_stop_ends_the_agents_that_a_stopped_service_left(service: Installed) -> None:
    service.spawn("sleep", "600")
    service.systemctl("stop", service.unit)
    service.ctl("daemon", "stop", "--stop-agents")
    until(lambda: service.shows("ActiveState") == "inactive")
    assert service.box.run("pgrep", "-x", "sleep", code=1) == ""


def test_a_running_daemon_hands_its_agents_over_to_the_service(plain: Installed) -> None:
    agent_id = plain.spawn("sleep", "600")
    (before,) = plain.agents(agent_id)
    plain.service("install", "--enable")
    assert json.loads(plain.ctl("daemon", "status", "--json"))["pid"] == int(plain.shows("MainPID"))
    (after,) = plain.agents(agent_id)
    assert (after["status"], after["pid"]) == ("running", before["pid"])


def test_install_prints_the_next_step_and_backs_up_a_changed_unit(plain: Installed) -> None:
    path = f"/run/ann/.config/systemd/user/{plain.unit}"
    plain.box.run("sh", "-c", f"rm -f {path}.bak*")
    assert "systemctl --user enable --now orchd" in plain.service("install")
    plain.box.run("sh", "-c", f"echo '# mine' >> {path}")
    report = json.loads(plain.service("install", "--json"))
    assert report == {"unit": plain.unit, "path": path, "kept": f"{path}.bak", "enabled": False}
    assert "# mine" in plain.box.run("cat", f"{path}.bak")
    assert "# mine" not in plain.box.run("cat", path)
    assert "inactive" in plain.service("status", code=1)


def test_uninstalling_leaves_agents_and_a_daemon_can_be_started_as_before(service: Installed) -> None:
    agent_id = service.spawn("sleep", "600")
    (before,) = service.agents(agent_id)
    assert "removed" in service.service("uninstall")
    assert "not installed" in service.service("status", code=1)
    service.ctl("daemon", "start")
    (after,) = service.agents(agent_id)
    assert (after["status"], after["pid"]) == ("running", before["pid"])
    assert "not installed" in service.service("uninstall")


def test_a_service_that_cannot_start_fails_and_reports_the_reason(service: Installed) -> None:
    service.systemctl("stop", service.unit)
    service.box.run("sh", "-c", f"echo limit = 0 > {service.home}/config.toml")
    service.set("RestartSec=50ms")
    service.systemctl("start", service.unit, code=1)
    until(lambda: service.shows("ActiveState") == "failed")
    assert "limit must be between 1 and 10,000, not 0" in service.says("--priority=crit")
    assert "the service orchd.service is failed: " in service.ctl("status", code=69)


@pytest.fixture
def system(box: Box) -> Iterator[Installed]:
    """The service of the machine, for ann."""
    installed = Installed(box, "/run/ann/.local/state/orchd", "system")
    installed.service("install", "--enable")
    yield installed
    installed.end()


def test_the_system_service_runs_for_a_user_and_is_protected(system: Installed) -> None:
    agent_id = system.spawn("sleep", "600")
    (agent,) = system.agents(agent_id)
    assert system.shows("ControlGroup") == "/system.slice/system-orchd.slice/orchd@ann.service"
    may_protect = not system.box.run("sh", "-c", "echo -1 > /proc/self/oom_score_adj", code=None)
    score = system.box.run("cat", f"/proc/{system.shows('MainPID')}/oom_score_adj").strip()
    assert score == ("-500" if may_protect else "0")
    assert system.box.run("cat", f"/proc/{agent['pid']}/oom_score_adj").strip() == "0"
    system.systemctl("restart", system.unit)
    (after,) = system.agents(agent_id)
    assert (after["status"], after["pid"]) == ("running", agent["pid"])
    system.systemctl("stop", system.unit)
    assert "start it with `systemctl start orchd@ann`" in system.ctl("status", code=69)


def test_installing_a_system_service_with_a_custom_home_is_refused(plain: Installed) -> None:
    assert "usage: a system service has a home for each user" in plain.ctl("service", "install", "--system", code=2)
    assert "choose one" in plain.ctl("service", "install", "--system", "--user", code=2)


def test_the_remedy_of_doctor_starts_a_failed_unit(service: Installed) -> None:
    service.systemctl("stop", service.unit)
    service.box.run("sh", "-c", f"echo limit = 0 > {service.home}/config.toml")
    service.set("RestartSec=50ms")
    service.systemctl("start", service.unit, code=1)
    until(lambda: service.shows("ActiveState") == "failed")
    problems = wrong(service)
    assert "orchd.service has failed: " in problems["systemd"]
    assert "limit must be between 1 and 10,000, not 0" in problems["systemd"]
    assert "limit must be between 1 and 10,000, not 0" in service.ctl("daemon", "start", code=1)
    until(lambda: service.shows("ActiveState") == "failed")
    service.box.run("rm", f"{service.home}/config.toml")
    assert "`orchctl daemon start`" in problems["systemd"]
    service.ctl("daemon", "start")
    assert service.shows("ActiveState") == "active"
    assert "systemd" not in wrong(service)


def test_a_unit_with_a_missing_program_is_reported_and_reinstalled(service: Installed) -> None:
    service.systemctl("stop", service.unit)
    service.set("ExecStart=\\nExecStart=/run/ann/gone")
    service.systemctl("start", service.unit, code=1)
    problems = wrong(service)
    assert "starts /run/ann/gone, which does not exist" in problems["systemd"]
    assert "`orchctl service install --user`" in problems["systemd"]
    service.box.run("rm", "-r", f"/run/ann/.config/systemd/user/{service.unit}.d")
    service.service("install")
    service.ctl("daemon", "start")
    assert service.shows("ActiveState") == "active"


def test_a_full_disk_does_not_end_the_service(plain: Installed) -> None:
    box = plain.box
    box.run("sh", "-c", f"mkdir -p {plain.home} && chown -R ann:ann /run/ann/homes")
    box.run("mount", "-t", "tmpfs", "-o", "size=8m,mode=700,uid=1234,gid=1234", "tmpfs", plain.home)
    try:
        plain.service("install", "--enable")
        agent_id = plain.spawn("sh", "-c", "until [ -e /run/ann/homes/go ]; do sleep 0.05; done; exit 7")
        pid = plain.shows("MainPID")
        box.run("sh", "-c", f"head -c 16m /dev/zero > {plain.home}/ballast", code=None)
        plain.ctl("pause", code=1)
        until(lambda: plain.shows("StatusText").startswith("disk full: "))
        assert " cannot write: the disk of " in wrong(plain)["daemon"]
        box.run("touch", "/run/ann/homes/go")
        box.run("rm", f"{plain.home}/ballast")
        plain.ctl("wait", agent_id, code=1)
        assert plain.agents(agent_id)[0]["exit_code"] == 7
        assert (plain.shows("MainPID"), plain.shows("NRestarts")) == (pid, "0")
        assert plain.shows("StatusText").startswith("slots 0/7 in use")
    finally:
        plain.ctl("daemon", "stop", "--stop-agents", code=None)
        box.run("umount", "--lazy", plain.home)
        box.run("rm", "-f", "/run/ann/homes/go")


def test_a_home_has_one_manager(system: Installed) -> None:
    env = {"ORCHD_HOME": system.home}
    output = system.box.run("orchctl", "service", "install", "--user", "--enable", who="ann", env=env, code=1)
    assert f"{system.home} is served by orchd@ann.service of the system manager" in output
    assert system.box.run("sh", "-c", "ls /run/ann/.config/systemd/user/orchd.service*", code=None).startswith("ls: ")
    assert system.shows("ActiveState") == "active"


def test_a_daemon_whose_home_is_taken_is_not_started_again_and_again(plain: Installed) -> None:
    plain.ctl("daemon", "start")
    plain.service("install")
    plain.set("RestartSec=50ms")
    plain.systemctl("start", plain.unit, code=1)
    assert (plain.shows("ActiveState"), plain.shows("NRestarts")) == ("failed", "0")
    assert "another daemon serves" in plain.shows("StatusText")
    plain.ctl("daemon", "stop")


def wrong(service: Installed) -> dict[str, str]:
    """The problems that doctor finds, with their remedies."""
    findings = json.loads(service.ctl("doctor", "--json", code=None))["findings"]
    return {
        finding["check"]: f"{finding['what']}; {finding['remedy']}"
        for finding in findings
        if finding["state"] == "problem"
    }
