"""`orchctl doctor`: checks of this machine and instance, with remedies. It never starts a daemon."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator
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

_FIRST = 1000  # agents of one answer, in which living agents come first


def run(args: SimpleNamespace) -> int:
    """Print a line for each finding, or `{findings: [{check, state, what, remedy}], problems}`; 1 with problems."""
    home = Home(default_home())
    daemon = DaemonState(home)
    if not args.end_agents:
        findings = list(_findings(home, daemon, is_fixing=args.fix))
    elif daemon.answer is not None or daemon.holder is not None:
        remedy = "`orchctl cancel --all --wait`, or `orchctl daemon stop --stop-agents`"
        findings = [problem("orphans", "--end-agents requires that no daemon is running for this home", remedy)]
    elif processes := marked(home):
        ended = [process for process in processes if end(process)]
        descriptions = [f"pid {process.pid} of {process.agent}: {process.command:.60}" for process in ended]
        findings = [ok("orphans", f"{description}; killed") for description in descriptions]
    else:
        findings = [ok("orphans", "no agent processes are running")]
    problems = sum(finding.state == PROBLEM for finding in findings)
    lines = [
        f"{finding.state:<8} {finding.check:<11} {finding.what}{f'; {finding.remedy}' if finding.remedy else ''}"
        for finding in findings
    ]
    value = {"findings": [finding._asdict() for finding in findings], "problems": problems}
    console.result(value, map(text.clean_line, lines), as_json=args.json)
    return exit_codes.REFUSED if problems else exit_codes.OK


def _findings(home: Home, daemon: DaemonState, *, is_fixing: bool) -> Iterator[Finding]:
    """Yield the findings of all checks; findings about orphan processes come last."""
    config, findings = instance.config(home)
    checks: tuple[tuple[str, Callable[[], Finding | Iterable[Finding]]], ...] = (
        ("home", lambda: instance.home_directory(home)),
        ("config", lambda: findings),
        ("files", lambda: instance.kinds(home)),
        ("rights", lambda: instance.rights(home)),
        ("daemon", lambda: instance.daemon(home, daemon)),
        ("database", lambda: instance.database(home)),
        ("systemd", lambda: service.service(home)),
        ("versions", machine.versions),
        ("processes", machine.processes),
        ("cgroups", lambda: machine.cgroups(daemon.answer, config)),
        ("systemd", lambda: machine.scope(daemon.pid)),
        ("resource-limits", lambda: instance.bounds(daemon)),
        ("limits", lambda: machine.limits(daemon.pid)),
        ("clock", lambda: instance.clock(home, time.clock_gettime(time.CLOCK_REALTIME))),
        ("disk", lambda: machine.disk(home.directory, config.free_bytes)),
        ("runners", lambda: instance.clis(config)),
        ("sessions", lambda: instance.sessions(daemon, config)),
        ("orphans", lambda: _orphans(home, daemon, is_fixing=is_fixing)),
    )
    for name, check in checks:
        yield from _checked(name, check)


def _checked(name: str, check: Callable[[], Finding | Iterable[Finding]]) -> Iterator[Finding]:
    """Yield the findings of a check; that it cannot read a file, such as one of another user, is a finding as well."""
    try:
        result = check()
        yield from [result] if isinstance(result, Finding) else result
    except OSError as error:
        path = "" if error.filename is None else f" {os.fsdecode(error.filename)}"
        what = f"not checked: cannot read{path}: {error.strerror}"
        yield problem(name, what, "make this user its owner, or set ORCHD_HOME to a home of your own")


def _orphans(home: Home, daemon: DaemonState, *, is_fixing: bool) -> Iterator[Finding]:
    """Yield findings on processes of agents that have ended."""
    living = set(_living(daemon))
    # a daemon that does not answer may be ending some of the processes: then they are left to it
    if daemon.error is not None or (daemon.answer is None and daemon.holder is not None):
        yield warning("orphans", "not checked: the daemon did not list its agents in time", "try again")
        return
    left = orphans(home, living)
    if not left:
        yield ok("orphans", "no orphan processes")
    for orphan in left:
        is_left = orphan.is_known or daemon.answer is not None  # a daemon that serves the home knows its agents
        state = "is an orphan process" if is_left else "is running, and the home has no record"
        what = f"pid {orphan.pid} {state} of {orphan.agent}: {orphan.command:.60}"
        if not is_left:
            yield problem("orphans", what, "restore the home, or kill the process with `orchctl doctor --end-agents`")
        elif is_fixing and end(orphan):
            yield ok("orphans", f"{what}; killed")
        else:
            yield problem("orphans", what, "`orchctl doctor --fix` kills it")


def _living(daemon: DaemonState) -> Iterator[str]:
    """Yield the ids of the agents that are alive, as the daemon lists them: few may be alive, and many queued."""
    first = daemon.ask("status", {"usage": False, "most": _FIRST})
    if first is None:
        return
    living = [agent["id"] for agent in first["agents"] if agent["status"] in statuses.ALIVE]
    if sum(first["counts"].get(status, 0) for status in statuses.ALIVE) <= len(living):
        yield from living
        return
    more: int | None = None
    while answer := daemon.ask("status", {"usage": False, "before": more}):
        yield from (agent["id"] for agent in answer["agents"] if agent["status"] in statuses.ALIVE)
        if (more := answer["more"]) is None:
            return
