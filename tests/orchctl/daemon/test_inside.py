"""How a client sees that it runs inside an agent."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchctl.client import Client
from orchctl.daemon import inside
from orchctl.daemon.launcher import check_outside
from orchctl.errors import NoDaemonError
from orchd.instance.environment import ENV_AGENT, ENV_HOME
from orchd.instance.home import Home
from tests.conftest import Instance

SAY = "import sys; from pathlib import Path; from orchctl.daemon import inside; from orchd.instance.home import Home; "
SAY += "print(inside.evidence(Home(Path(sys.argv[1]))))"


def test_a_client_outside_an_agent_has_no_evidence(home: Home) -> None:
    assert inside.evidence(home) is None
    check_outside(home)


def test_the_agent_variable_is_evidence_and_prevents_a_daemon_start(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(ENV_AGENT, "agent-007")
    assert inside.evidence(home) == "ORCHD_AGENT is agent-007"
    with pytest.raises(
        NoDaemonError, match=r"an agent may not start it \(ORCHD_AGENT is agent-007\)\. Start it outside"
    ):
        check_outside(home)


@pytest.mark.parametrize(("named", "is_seen"), [("", True), ("/other", False)])
def test_an_ancestor_with_the_variables_of_this_home_is_evidence(home: Home, named: str, *, is_seen: bool) -> None:
    """The variables of the caller itself may have been taken away."""
    bare = {name: value for name, value in os.environ.items() if not name.startswith("ORCHD_")}
    words = ["sh", "-c", 'env -u ORCHD_AGENT -u ORCHD_HOME "$0" -c "$1" "$2"; true', sys.executable, SAY]
    env = {**bare, ENV_AGENT: "agent-001", ENV_HOME: f"{home.directory}{named}"}
    result = subprocess.run([*words, str(home.directory)], env=env, capture_output=True, text=True, check=True)
    assert ("has ORCHD_AGENT" in result.stdout) is is_seen, result.stdout


def test_a_client_in_an_agent_prints_how_to_start_a_daemon_outside(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENV_AGENT, "agent-007")
    home.create()
    with Client(home) as client, pytest.raises(NoDaemonError, match="outside of agents with `orchctl daemon start`"):
        client.call("limit", patience=0.5)
    assert not home.log.exists()


@pytest.mark.parametrize("words", [["daemon", "start"], ["daemon", "run"], ["daemon", "restart"]])
def test_daemon_start_commands_are_refused_inside_an_agent(stopped: Instance, words: list[str]) -> None:
    stopped.ctl(*words, code=69, env={ENV_AGENT: "agent-007"})
    assert not Path(stopped.home.lock).exists()
