"""Why an agent or a run is in its state: the daemon's reason and the history behind it, as data and as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from itertools import groupby
from typing import Any

from orchctl.client import Client
from orchctl.history import events
from orchctl.history.lifecycles import AttemptHistory, Event, Lifecycle, read
from orchctl.history.log_source import output_of
from orchctl.history.log_tail import tail
from orchctl.render import text
from orchctl.worktrees import commits
from orchd.protocol.errors import WireError

_LINES = 5  # of a log
_ENDS = ("agent-skipped", "agent-cancelled", "stop-began")


def explanation(client: Client, agent_or_run: str) -> dict[str, Any]:
    """Return the daemon's answer to `why` and, for an agent, its history: `agent`, `attempts`, `took` and `log`.

    For a run, `member` is all this of the failed member, or None.
    """
    verdict = client.call("why", {"id": agent_or_run})
    if verdict["id"].startswith("run-"):
        blamed = verdict["blockers"][:1] if verdict["status"] != "running" else []
        return {**verdict, "member": explanation(client, blamed[0]["id"]) if blamed else None}
    (agent,) = commits.noted(client.call("status", {"ids": [verdict["id"]]})["agents"])
    history = _events(client, agent)
    life = read(history).agents.get(agent["id"])
    answer: dict[str, Any] = {
        **verdict,
        "agent": agent,
        "attempts": [_attempt_map(attempt) for attempt in life.attempts] if life else [],
        "took": [],
        "log": None,
    }
    if not text.is_over(agent):
        return answer
    if life and (reasons := dict(taken(history, agent, life))):
        victims = client.call("status", {"ids": list(reasons), "usage": False})["agents"]
        answer["took"] = [
            {"id": victim["id"], "name": victim["name"], "status": victim["status"], "reason": reason}
            for victim, reason in zip(victims, reasons.values(), strict=True)
        ]
    with suppress(WireError):  # an agent that never started has no log
        log = client.call("logs", {"id": agent["id"]})
        output = output_of(client, log["id"], log["attempt"], log["path"])
        answer["log"] = {"path": log["path"], "lines": tail(output, _LINES)}
    return answer


def _events(client: Client, agent: text.Agent) -> list[dict[str, Any]]:
    """Return the events of the agent, and all events of the moment in which it ended."""
    own = {event["seq"]: event for event in events.about(client, agent["id"], agent["queued_at"], agent["ended_at"])}
    if agent["ended_at"] is None:
        return list(own.values())
    since = events.before(client, agent["ended_at"])
    then = {event["seq"]: event for event in events.between(client, since, agent["ended_at"])}
    return sorted({**own, **then}.values(), key=lambda event: int(event["seq"]))


def _attempt_map(attempt: AttemptHistory) -> dict[str, Any]:
    waits = [(end if end is not None else begin) - begin for begin, end in attempt.waits]
    return {
        "attempt": attempt.number,
        "queued_seconds": round(attempt.admitted - attempt.queued, 3),
        "seconds": None if attempt.ended is None else round(attempt.ended - attempt.admitted, 3),
        "waited_seconds": round(sum(waits), 3),
        "how": attempt.how,
        "exit_code": attempt.exit_code,
        "reason": attempt.reason,
    }


def taken(history: Iterable[Event], agent: text.Agent, life: Lifecycle) -> Iterator[tuple[str, str]]:
    """Yield the agents that were cancelled or skipped because of the end of `agent`, directly or not, with reasons.

    Events of earlier versions do not name the cause (`because`): of these none is returned.
    """
    if life.status in (None, "completed"):
        return
    known = {agent["id"]}
    for event in history:
        if event["event"] not in _ENDS or event["agent"] in known or event["at"] != agent["ended_at"]:
            continue
        if event.get("because") in known:
            known.add(event["agent"])
            yield event["agent"], event["reason"]


def lines(answer: Mapping[str, Any], now: float) -> Iterator[str]:
    """Yield the answer of `explanation` as lines of text; `now` is Unix time."""
    agent = answer.get("agent")
    reason = text.clean(answer["reason"] or "")
    name = position = rule = ""
    verb = "is "
    if agent is None:
        verb = "is " if answer["status"] == "running" else ""
    else:
        name = f"{text.named(agent)} "
        rule = f" ({answer['rule']})" if answer["rule"] not in (answer["status"], "working") else ""
        position = f", position {agent['position']}" if agent["position"] is not None else ""
        if text.is_over(agent):
            reason, verb = text.outcome(agent), ""
    colon = f": {reason}" if reason else ""
    yield f"{answer['id']} {name}{verb}{answer['status']}{position}{rule}{colon}"
    if answer["blockers"] and "member" not in answer:
        yield f"blocked by {answer['blocked_by']} agent{'' if answer['blocked_by'] == 1 else 's'}:"
        yield from _holders(answer["blockers"], now)
    if answer["way_out"]:
        yield f"next step: {answer['way_out']}"
    if answer.get("member"):
        yield "failed member:"
        yield from _indented(lines(answer["member"], now))
    elif "member" in answer and answer["blocked_by"]:
        yield "waiting for members:"
        yield from _holders(answer["blockers"], now)
    if agent:
        yield from _resources(agent)
    yield from _past(answer)


def _holders(blockers: Iterable[Mapping[str, Any]], now: float) -> Iterator[str]:
    rows = [
        [
            holder["id"],
            text.named(holder),
            holder["status"],
            text.span(text.since(holder["since"], now)) if holder["since"] else "",
        ]
        for holder in blockers
    ]
    return _indented(text.aligned(rows))


def _resources(agent: text.Agent) -> Iterator[str]:
    if escaped := agent.get("escaped"):
        then = "ended with the agent" if text.is_over(agent) else "still tracked"
        yield f"processes that left its cgroup, {then}: {', '.join(map(text.clean, escaped))}"
    limits = []
    if agent["memory_max"]:
        peak = f"peak {text.size(agent['memory_peak'])}, " if agent["memory_peak"] else ""
        limits.append(f"memory {peak}limit {text.size(agent['memory_max'])}")
    if agent["cpu_max"]:
        limits.append(f"CPU {agent['cpu_max']:.0%} of one core")
    if agent["pids_max"]:
        limits.append(f"{agent['pids_max']} processes and threads")
    if limits:
        yield f"limits: {'; '.join(limits)}"


def _past(answer: Mapping[str, Any]) -> Iterator[str]:
    if answer.get("unmet"):
        yield f"attributes that its caller does not have: {answer['unmet']}"
    if answer.get("attempts"):
        yield "attempts:"
        # attempts that follow each other and were voided for the same reason are one row
        groups = groupby(answer["attempts"], lambda row: row["reason"] if row["how"] == "voided" else row["attempt"])
        rows = []
        for attempts in (list(group) for _, group in groups):
            first, last = attempts[0], attempts[-1]
            took = "running"
            if first["seconds"] is not None:
                took = f"took {text.span(sum(attempt['seconds'] for attempt in attempts))}"
            row = [
                f"attempt {first['attempt']}" if first is last else f"attempts {first['attempt']}-{last['attempt']}",
                f"queued {text.span(sum(attempt['queued_seconds'] for attempt in attempts))}",
                took,
                f"waited {text.span(first['waited_seconds'])} of it" if first["waited_seconds"] else "",
                first["how"] or "",
                "" if first["exit_code"] is None else f"exit {first['exit_code']}",
                "" if first["reason"] == f"exit code {first['exit_code']}" else text.clean(first["reason"] or ""),
            ]
            rows.append(row)
        yield from _indented(text.aligned(text.filled(rows)))
    if answer.get("took"):
        yield f"{len(answer['took'])} ended because of it:"
        rows = [
            [victim["id"], text.named(victim), victim["status"], text.clean(victim["reason"])]
            for victim in answer["took"]
        ]
        yield from _indented(text.aligned(rows))
    if answer.get("log") and answer["log"]["lines"]:
        yield f"last lines of {text.clean(answer['log']['path'])}:"
        yield from _indented(text.file_line(line) for line in answer["log"]["lines"])


def _indented(rows: Iterable[str]) -> Iterator[str]:
    return (f"  {row}" for row in rows)
