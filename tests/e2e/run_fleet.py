"""Helpers for tests of living runs: members and groups in short, and a fleet that performs a run."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.conftest import DEADLINE, until
from tests.e2e.fleet import Book, Fleet

Map = dict[str, Any]

_OF_MEMBERS = ("required", "variables")
# Begins the run that a file describes, for whoever the kernel says is calling.
_BEGIN = """
import json, sys
from orchctl.client import Client
with Client() as client:
    print(client.call("run", json.load(open(sys.argv[1])))["run"]["id"])
"""


def group(path: str = "", **fields: object) -> Map:
    """A group as a request has it."""
    return {"path": path, **fields}


class RunFleet:
    """A fleet that performs runs. The book tells paths apart: each member signs with its own."""

    def __init__(self, fleet: Fleet) -> None:
        self.fleet = fleet
        self.parts = Book(fleet.directory / "parts")

    def member(self, path: str, script: str = "true", *, after: Iterable[str] = (), **fields: object) -> Map:
        """A member that signs the books and runs `script`."""
        own = {name: fields.pop(name) for name in _OF_MEMBERS if name in fields}
        agent = self.fleet.spec(f"echo {path} $ORCHD_ATTEMPT >> {self.parts.path}; {script}", **fields)
        return {"path": path, "after": list(after), "agent": agent, **own}

    def request(self, members: Iterable[Map], groups: Iterable[Map] = (), **fields: object) -> Map:
        """The arguments of `run`."""
        all_groups = list(groups) or [group()]
        base = {"name": "whole", "cwd": str(self.fleet.directory), "env": self.fleet.instance.env}
        return {**base, "groups": all_groups, "members": list(members), **fields}

    def begin(self, members: Iterable[Map], groups: Iterable[Map] = (), **fields: object) -> str:
        """The id of a new run."""
        return str(self.fleet.client.call("run", self.request(members, groups, **fields))["run"]["id"])

    def begin_command(self, members: Iterable[Map], groups: Iterable[Map] = (), **fields: object) -> str:
        """The shell command that begins a run from inside an agent."""
        program, request = self.fleet.directory / "begin.py", self.fleet.directory / "request.json"
        program.write_text(_BEGIN)
        request.write_text(json.dumps(self.request(members, groups, **fields)))
        return shlex.join([sys.executable, str(program), str(request)])

    def show(self, run: str = "run-001") -> Map:
        """The run as `run-status` shows it."""
        return dict(self.fleet.client.call("run-status", {"id": run})["run"])

    def ends(self, run: str = "run-001") -> Map:
        """The run when it has ended."""
        result = self.fleet.client.wait(ids=[run], timeout=DEADLINE)
        assert not result["timed_out"], statuses(self.show(run))
        return dict(until(lambda: shown_run if (shown_run := self.show(run))["ended_at"] else None, what=run))

    def started(self, *paths: str) -> None:
        """Return when the members at these paths have begun."""
        until(lambda: set(paths) <= set(self.parts.agents()), what=f"start of {paths}")

    def names_touched_by(self, op: str, *ids: str) -> list[str]:
        """The names of the agents that `cancel` or `retry` changed."""
        args: Map = {"ids": ids} if op == "cancel" else {"ids": ids, "env": self.fleet.instance.env}
        return [agent["name"] for agent in self.fleet.client.call(op, args)["agents"]]


def statuses(run: Mapping[str, Any]) -> dict[str, str]:
    """The status of each member."""
    return {member["path"]: member["status"] for member in run["members"]}


def reasons(run: Mapping[str, Any]) -> dict[str, str]:
    """The reason of each member that has one."""
    return {member["path"]: member["reason"] for member in run["members"] if member["reason"]}


def ids(run: Mapping[str, Any]) -> dict[str, str]:
    """The agent of each member."""
    return {member["path"]: member["id"] for member in run["members"]}


def lines_of(path: Path) -> list[list[str]]:
    """The complete lines that processes wrote, each as a list of words."""
    return [line.split() for line in path.read_text().splitlines(keepends=True) if line.endswith("\n")]
