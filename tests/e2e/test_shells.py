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
def test_variables_arrive_and_ends_are_known_whatever_the_shell_is(stopped: Instance, shell: str) -> None:
    stopped.configure(ACCEPTS)
    stopped.start(*with_shell(shell, sys.executable, "-m", "orchd"))
    one = stopped.ctl("spawn", "--wait", "--json", "--", sys.executable, "-c", SHOW, env=ODD)
    (found,) = json.loads(one)["agents"]
    assert found["status"] == "completed", found
    log = (stopped.home.agents / f"{found['id']}.1.log").read_text()
    variables, cwd = json.loads(log)
    assert {name: variables.get(name) for name in ODD} == ODD
    assert (variables["PWD"], cwd) == (str(stopped.directory), str(stopped.directory))


@pytest.mark.parametrize("shell", WANTED)
def test_each_variable_alone_does_no_harm(stopped: Instance, shell: str) -> None:
    """Together one may hide what another does."""
    stopped.configure(ACCEPTS)
    stopped.start(*with_shell(shell, sys.executable, "-m", "orchd"))
    with stopped.client() as client:
        made = {}
        for name, value in ODD.items():
            asked = {"agents": [{"command": ["/usr/bin/env", "-0"]}], "cwd": "/", "env": {"PATH": "/bin", name: value}}
            made[client.call("spawn", asked)["agents"][0]["id"]] = name
        ended = client.call("wait", {"ids": [*made]})["agents"]
    assert {made[one["id"]]: one["reason"] for one in ended if one["status"] != "completed"} == {}
    for one, name in made.items():
        pairs = (stopped.home.agents / f"{one}.1.log").read_text().split("\0")
        assert f"{name}={ODD[name]}" in pairs
        assert len(pairs) == len({"PATH", "PWD", "ORCHD_HOME", "ORCHD_AGENT", "ORCHD_ATTEMPT", "ORCHD_NAME", name, ""})
