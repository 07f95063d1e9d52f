"""Files that an agent puts in the place of files that the daemon opens: no call blocks, and no link is followed."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from tests.conftest import Instance

FIRST = (
    '[ "$ORCHD_ATTEMPT" = 1 ] || { echo said; exit 0; }; cd "$ORCHD_HOME/agents"; name=$ORCHD_AGENT.2; {plant}; exit 1'
)
PLANTS = {
    "pipes": "mkfifo $name.log $name.exit $name.report",
    "links": "ln -s {target} $name.log; ln -s {target} $name.exit; ln -s {target} $name.report",
}


@pytest.mark.parametrize("kind", PLANTS)
def test_planted_pipes_and_links_do_not_affect_the_next_attempt(instance: Instance, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target"
    target.write_text("precious")
    script = FIRST.replace("{plant}", PLANTS[kind].replace("{target}", str(target)))
    agent_id = instance.spawn("sh", "-c", script, options=["--retries", "1"])
    ended = json.loads(instance.ctl("wait", "--json", agent_id))
    assert [(agent["status"], agent["attempt"]) for agent in ended["agents"]] == [("completed", 2)]
    assert target.read_text() == "precious"


def test_a_restarted_daemon_reads_no_pipe_planted_by_a_running_agent(instance: Instance, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    plant = "for kind in exit log report; do rm -f $name.$kind; mkfifo $name.$kind; done"
    script = f'cd "$ORCHD_HOME/agents"; name=$ORCHD_AGENT.1; {plant}; echo > {go}; exec sleep 1000'
    agent_id = instance.spawn("sh", "-c", script)
    go.read_text()
    instance.kill()
    instance.start()
    assert instance.agent(agent_id)["id"] == agent_id
    assert instance.ctl("logs", agent_id, code=None) == ""
    instance.ctl("cancel", agent_id)
    instance.ctl("wait", agent_id, code=None)


@pytest.mark.parametrize("name", ["orchd.lock", "start.lock", "orchd.db", "daemon.log", "config.toml", "service"])
def test_a_pipe_that_replaces_a_file_of_the_home_blocks_no_startup(stopped: Instance, name: str) -> None:
    stopped.home.create()
    path = stopped.directory / name
    path.unlink(missing_ok=True)
    os.mkfifo(path)
    output = stopped.ctl("spawn", "--json", "--", "true", code=None)
    if name == "service":  # which is only a hint
        assert "agents" in json.loads(output)
        stopped.ctl("daemon", "stop", "--stop-agents")
    else:
        assert str(path) in json.loads(output)["error"]["message"]
