"""`orchctl doctor`: what is wrong with this machine and instance, and what to do. It never starts a daemon."""

from __future__ import annotations

import time
from collections.abc import Iterator
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.doctor import instance, machine, service
from orchctl.doctor.asking import DaemonState
from orchctl.doctor.findings import PROBLEM, Finding, ok, problem, warning
from orchctl.doctor.orphans import end, marked, orphans
from orchctl.render import text
from orchctl.terminal import console
from orchd.instance.home import Home, default_home
from orchd.protocol import statuses

_FIRST = 1000  # agents of one answer, of which those that live come first


def run(args: SimpleNamespace) -> int:
    """Print a line for each finding, or `{findings: [{check, state, what, remedy}], problems}`; 1 with problems."""
    home = Home(default_home())
    found = list(_ended(home, DaemonState(home)) if args.end_agents else _findings(home, is_fixing=args.fix))
    problems = sum(finding.state == PROBLEM for finding in found)
    value = {"findings": [finding._asdict() for finding in found], "problems": problems}
    console.result(value, map(_line, found), as_json=args.json)
    return exit_codes.REFUSED if problems else exit_codes.OK


def _line(finding: Finding) -> str:
    remedy = f"; {finding.remedy}" if finding.remedy else ""
    return text.clean_line(f"{finding.state:<8} {finding.check:<11} {finding.what}{remedy}")


def _findings(home: Home, *, is_fixing: bool) -> Iterator[Finding]:
    asked = DaemonState(home)
    config, told = instance.config(home)
    yield instance.home_directory(home)
    yield from told
    yield from instance.kinds(home)
    yield from instance.rights(home)
    yield instance.daemon(home, asked)
    yield instance.database(home)
    yield from service.service(home)
    yield from machine.versions()
    yield machine.processes()
    yield machine.cgroups(asked.answer, config)
    yield from machine.scope(asked.pid)
    yield from instance.bounds(asked)
    yield from machine.limits(asked.pid)
    yield instance.clock(home, time.clock_gettime(time.CLOCK_REALTIME))
    yield from machine.disk(home.directory, config.free_bytes)
    yield from instance.clis(config)
    yield from instance.sessions(asked, config)
    yield from _strays(home, asked, is_fixing=is_fixing)


def _strays(home: Home, asked: DaemonState, *, is_fixing: bool) -> Iterator[Finding]:
    """A daemon that does not answer may be ending some of them: then they are left to it."""
    living = set(_living(asked))
    if asked.error is not None or (asked.answer is None and asked.holder is not None):
        yield warning("orphans", "not looked for: the daemon did not list its agents in time", "try again")
        return
    found = orphans(home, living)
    if not found:
        yield ok("orphans", "no process of an agent that has ended is left")
    for orphan in found:
        is_left = orphan.is_known or asked.answer is not None  # a daemon that serves the home knows its agents
        state = "is left" if is_left else "runs, and the home has no record"
        what = f"pid {orphan.pid} {state} of {orphan.agent}: {orphan.command:.60}"
        if not is_left:
            yield problem("orphans", what, "put the home back as it was, or end it by `orchctl doctor --end-agents`")
        elif is_fixing and end(orphan):
            yield ok("orphans", f"{what}; it was ended")
        else:
            yield problem("orphans", what, "`orchctl doctor --fix` ends it")


def _ended(home: Home, asked: DaemonState) -> Iterator[Finding]:
    """End every process that shows the marks of an agent of this home, for where no daemon can."""
    if asked.answer is not None or asked.holder is not None:
        remedy = "`orchctl cancel --all --wait`, or `orchctl daemon stop --stop-agents`"
        yield problem("orphans", "--end-agents is for a home that no daemon serves", remedy)
        return
    found = marked(home)
    for orphan in found:
        what = f"pid {orphan.pid} of {orphan.agent}: {orphan.command:.60}"
        if end(orphan):
            yield ok("orphans", f"{what}; it was ended")
    if not found:
        yield ok("orphans", "no process of an agent runs")


def _living(asked: DaemonState) -> Iterator[str]:
    """The agents that the daemon, if there is one, still has to do with: few of them may live, and many be queued."""
    first = asked.ask("status", {"usage": False, "most": _FIRST})
    if first is None:
        return
    living = [one["id"] for one in first["agents"] if one["status"] in statuses.ALIVE]
    if sum(first["counts"].get(status, 0) for status in statuses.ALIVE) <= len(living):
        yield from living
        return
    more: int | None = None
    while answer := asked.ask("status", {"usage": False, "before": more}):
        yield from (one["id"] for one in answer["agents"] if one["status"] in statuses.ALIVE)
        if (more := answer["more"]) is None:
            return
