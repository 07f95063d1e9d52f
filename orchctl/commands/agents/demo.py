"""`orchctl demo`: real agents in a temporary home: nesting, a retry, a composition, a `kill -9`."""

from __future__ import annotations

import os
import select
import shlex
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.client.subscription import Subscription
from orchctl.commands.daemon import stop
from orchctl.commands.observe import timeline
from orchctl.composition import Task
from orchctl.daemon import launcher
from orchctl.render import text
from orchctl.render.events import event_line
from orchctl.render.status_tree import Look, picture
from orchctl.runs import request
from orchctl.runs.locate import opened
from orchctl.terminal import console
from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT, ENV_HOME
from orchd.instance.home import Home
from orchd.protocol import statuses

_COMPOSITION = "skyfom-fullstack-developer"
_LIMIT = 4  # fewer slots than agents, so that there is something to see
_KILL_AFTER = 12  # ends of agents before the daemon is killed
_TAKES_SLOT = ("attempt-admitted", "agent-returned", "agent-thawed", "work-seen")
_GIVES_BACK = statuses.ENDS.keys() | {"wait-began", "agent-frozen", "attempt-retried", "attempt-voided"}
_CLEAR = "\x1b[H\x1b[J"
_WORK = 'echo "$ORCHD_AGENT works"; sleep {seconds}; echo done'
_LEAD = (
    "set -e; for part in {parts}; do"
    ' orchctl spawn --name $part -- sh -c \'echo "$ORCHD_AGENT works"; sleep 0.6\' >>"$0"; done;'
    ' orchctl wait $(cat "$0"); rm "$0"'
)


def run(args: SimpleNamespace) -> int:
    """Show the agents live, then print a summary. The exit code says whether all completed within the limit."""
    timeline.check("--timeline", args.timeline)
    with _fleet() as client:
        developers = _agents(client.home.directory)
        agents = client.call("spawn", {"agents": developers, "cwd": "/", "env": dict(os.environ)})["agents"]
        directory = client.home.directory
        tree = opened(_COMPOSITION, directory)  # it comes with the client; mock agents run it
        with request.reserved(directory, _COMPOSITION) as results:
            launch = request.prepared(tree, Task("demo"), runner="mock", directory=directory, results=results)
            request.write_prompts(launch)
            members = client.call("run", request.sendable(launch))["agents"]
        began = time.monotonic()
        if not args.json:
            console.print_line(
                f"{len(developers)} agents in one request and {len(members)} members of the composition "
                f"{_COMPOSITION}, {_LIMIT} slots, in a temporary home:"
            )
        _watch(client, [*agents, *members], as_json=args.json)
        took = time.monotonic() - began
        if args.timeline is not None:
            timeline.write(client, args.timeline)
        return _sum_up(client, took, as_json=args.json)


@contextmanager
def _fleet() -> Iterator[Client]:
    """Start a daemon in a temporary home. At the end stop the daemon and remove the home."""
    directory = Path(tempfile.mkdtemp(prefix="orchd-demo-"))
    for name in (ENV_AGENT, ENV_ATTEMPT):
        os.environ.pop(name, None)
    os.environ[ENV_HOME] = str(directory)
    home = Home(directory)
    try:
        launcher.ensure(home)
        with Client(home) as client:
            client.call("limit", {"limit": _LIMIT})
            try:
                yield client
            finally:
                stop.end(client, client.call("daemon")["pid"], "stop")
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def _agents(directory: Path) -> list[dict[str, object]]:
    """Return the specs of the agents: three leads that spawn agents and wait, and four workers."""

    def worker(name: str, seconds: float, **more: object) -> dict[str, object]:
        return {"name": name, "command": ["sh", "-c", _WORK.format(seconds=seconds)], **more}

    def lead(name: str, parts: str) -> dict[str, object]:
        script = ["sh", "-c", _LEAD.format(parts=parts), f"{directory}/{name}.ids"]
        return {"name": name, "command": script, "nesting": 1, "goal": f"spawns {parts} and waits for them"}

    flaky = 'if [ "$ORCHD_ATTEMPT" = 1 ]; then echo "the first attempt fails"; exit 1; fi; sleep 0.3'
    return [
        lead("backend", "api migration docs"),
        lead("frontend", "components tests storybook"),
        worker("mobile", 1.2, goal="has no dependencies"),
        worker("devops", 0.8),
        {"name": "flaky", "command": ["sh", "-c", flaky], "retries": 2, "goal": "fails once, then succeeds"},
        lead("qa", "unit end-to-end performance"),
        worker("release", 0.3, after=["backend", "frontend", "qa"], goal="starts after backend, frontend and qa"),
    ]


def _watch(client: Client, agents: list[dict[str, Any]], *, as_json: bool) -> None:
    """Show events until all agents have ended; kill the daemon once meanwhile."""
    wanted = {agent["id"] for agent in agents}
    since, ended = 0, 0
    with closing(Subscription(client.context, client.home)) as news:
        while wanted:
            events = client.call("events", {"since": since})["events"]
            since = events[-1]["seq"] if events else since
            over = [event["agent"] for event in events if event["event"] in statuses.ENDS]
            wanted.difference_update(over)
            if not as_json and sys.stdout.isatty():
                answer = client.call("status", {"all": True})
                look = Look(console.width(), console.has_colours(), not console.can_show("├─└│…·"), is_whole=True)
                lines = list(picture(answer, time.clock_gettime(time.CLOCK_REALTIME), look))
                sys.stdout.write(_CLEAR)
                console.result(None, lines, as_json=False)
                console.flush()
            elif not as_json:
                for event in events:
                    console.print_line(event_line(event))
                console.flush()
            is_time = ended < _KILL_AFTER <= ended + len(over)
            ended += len(over)
            if is_time:
                pid = client.call("daemon")["pid"]
                process = os.pidfd_open(pid)
                signal.pidfd_send_signal(process, signal.SIGKILL)
                select.select([process], [], [])
                os.close(process)
                launcher.ensure(client.home)  # the next daemon recovers the agents, which keep running
                if not as_json:
                    successor = client.call("daemon")["pid"]
                    console.print_line(
                        f"--- kill -9 {pid}: the agents keep running; the new daemon, pid {successor}, recovered them"
                    )
            elif wanted:
                news.wait()


def _program() -> str:
    """Return how this orchctl is called: by its name, or as it was called here if PATH has none, or another."""
    own = sys.argv[0]
    if Path(own).name != "orchctl":  # python -m orchctl
        return "orchctl"
    on_path = shutil.which("orchctl")
    is_on_path = on_path is not None and Path(on_path).resolve() == Path(own).resolve()
    return "orchctl" if is_on_path else shlex.quote(own)


def _sum_up(client: Client, took: float, *, as_json: bool) -> int:
    """Print the figures of all agents after `took` seconds. Returns the exit code."""
    agents = client.call("status", {"all": True, "usage": False})["agents"]
    alone = sum(text.lifetime(agent, 0.0) or 0.0 for agent in agents if not agent["children"])
    at_work: set[str] = set()
    most = 0
    for event in client.call("events", {"since": 0})["events"]:
        if event["event"] in _TAKES_SLOT:
            at_work.add(event["agent"])
        elif event["event"] in _GIVES_BACK:
            at_work.discard(event["agent"])
        most = max(most, len(at_work))
    result = {
        "agents": len(agents),
        "completed": sum(agent["status"] == "completed" for agent in agents),
        "attempts": sum(agent["attempt"] for agent in agents),
        "limit": client.call("limit")["limit"],
        "most_at_work": most,
        "seconds": round(took, 2),
        "seconds_one_by_one": round(alone, 2),
    }
    program = _program()
    lines = [
        "",
        f"{result['completed']} of {result['agents']} agents completed in {result['attempts']} attempts; "
        f"at most {result['most_at_work']} of {result['limit']} slots were in use at once.",
        f"{text.span(took)} wall time ({text.span(alone)} sequential); the daemon was killed once by `kill -9`.",
        f"Next: `{program} spawn -- COMMAND`, `{program} status`, `{program} --help`.",
    ]
    console.result(result, lines, as_json=as_json)
    is_kept = result["most_at_work"] <= result["limit"] and result["completed"] == result["agents"]
    return exit_codes.OK if is_kept else exit_codes.REFUSED
