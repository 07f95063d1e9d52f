"""A daemon whose /bin/sh is another shell: no variable of an agent rules its shim, and each arrives."""

from __future__ import annotations

import json
import sys

import pytest

from tests.conftest import Instance
from tests.support.shells import WANTED, with_shell

ODD = {
    "OPTIND": "x",
    "IFS": "xyz0123456789",
    "ENV": "/nowhere",
    "BASH_ENV": "/nowhere",
    "CDPATH": "/usr",
    "PS4": "$(touch ran)",
    "SHELLOPTS": "xtrace:noexec",
    "BASHOPTS": "xpg_echo",
    "POSIXLY_CORRECT": "1",
    "LC_ALL": "fr_FR.UTF-8",
    "PPID": "1",
    "UID": "1",
    "LINENO": "x",
    "OLDPWD": "/x",
    "SHLVL": "7",
    "_": "/x",
    "X-Y": "1",
    "BASH_FUNC_echo%%": "() { false; }",
    "BASH_FUNC_times%%": "() { false; }",
}
SHOW = "import json, os; print(json.dumps([dict(os.environ), os.getcwd()]))"

ACCEPTS = 'confined_callers = "accept"\n'  # the daemon is in a mount namespace of its own


@pytest.mark.parametrize("shell", WANTED)
def test_variables_and_exit_status_are_preserved_under_every_shell(stopped: Instance, shell: str) -> None:
    stopped.configure(ACCEPTS)
    stopped.start(*with_shell(shell, sys.executable, "-m", "orchd"))
    output = stopped.ctl("spawn", "--wait", "--json", "--", sys.executable, "-c", SHOW, env=ODD)
    (agent,) = json.loads(output)["agents"]
    assert agent["status"] == "completed", agent
    log = (stopped.home.agents / f"{agent['id']}.1.log").read_text()
    variables, cwd = json.loads(log)
    assert {name: variables.get(name) for name in ODD} == ODD
    assert (variables["PWD"], cwd) == (str(stopped.directory), str(stopped.directory))


@pytest.mark.parametrize("shell", WANTED)
def test_each_variable_alone_is_preserved_under_every_shell(stopped: Instance, shell: str) -> None:
    """Together one may hide what another does."""
    stopped.configure(ACCEPTS)
    stopped.start(*with_shell(shell, sys.executable, "-m", "orchd"))
    with stopped.client() as client:
        names = {}
        for name, value in ODD.items():
            args = {"agents": [{"command": ["/usr/bin/env", "-0"]}], "cwd": "/", "env": {"PATH": "/bin", name: value}}
            names[client.call("spawn", args)["agents"][0]["id"]] = name
        ended = client.call("wait", {"ids": [*names]})["agents"]
    assert {names[agent["id"]]: agent["reason"] for agent in ended if agent["status"] != "completed"} == {}
    for agent_id, name in names.items():
        pairs = (stopped.home.agents / f"{agent_id}.1.log").read_text().split("\0")
        assert f"{name}={ODD[name]}" in pairs
        assert len(pairs) == len({"PATH", "PWD", "ORCHD_HOME", "ORCHD_AGENT", "ORCHD_ATTEMPT", "ORCHD_NAME", name, ""})
