"""Everything there is to say about why an agent or a run is where it is: asked together, and said to a person."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import groupby
from typing import Any

from orchctl.client import Client
from orchctl.history import events
from orchctl.history.lifecycles import Attempt, Fact, Life, read
from orchctl.history.log_source import output_of
from orchctl.history.log_tail import tail
from orchctl.render import text
from orchctl.worktrees import commits
from orchd.protocol.errors import WireError

_LINES = 5  # of a log
_ENDS = ("agent-skipped", "agent-cancelled", "stop-began")


def found(client: Client, one: str) -> dict[str, Any]:
    """What the daemon's `why` says and, of what has been tried or is over, how it came to that: with `agent`,
    `attempts`, `took`, `log`; of a run, `member` is all this of the one to blame."""
    verdict = client.call("why", {"id": one})
    if verdict["id"].startswith("run-"):
        blamed = verdict["holders"][:1] if verdict["status"] != "running" else []
        return {**verdict, "member": found(client, blamed[0]["id"]) if blamed else None}
    (agent,) = commits.noted(client.call("status", {"ids": [verdict["id"]]})["agents"])
    facts = _facts(client, agent)
    life = read(facts).agents.get(agent["id"])
    return {
        **verdict,
        "agent": agent,
        "attempts": [_attempt_map(attempt) for attempt in life.attempts] if life else [],
        "took": _names(client, list(taken(facts, agent, life))) if life and text.is_over(agent) else [],
        "log": _tail(client, agent) if text.is_over(agent) else None,
    }


def _facts(client: Client, agent: text.Agent) -> list[dict[str, Any]]:
    """What happened to it, and what else happened in the moment of its end."""
    own = {fact["seq"]: fact for fact in events.about(client, agent["id"], agent["queued_at"], agent["ended_at"])}
    if agent["ended_at"] is None:
        return list(own.values())
    since = events.before(client, agent["ended_at"])
    then = {fact["seq"]: fact for fact in events.facts(client, since, agent["ended_at"])}
    return sorted({**own, **then}.values(), key=lambda fact: int(fact["seq"]))


def _attempt_map(attempt: Attempt) -> dict[str, Any]:
    waits = [(end if end is not None else begin) - begin for begin, end in attempt.waits]
    took = None if attempt.ended is None else round(attempt.ended - attempt.admitted, 3)
    return {
        "attempt": attempt.number,
        "queued_seconds": round(attempt.admitted - attempt.queued, 3),
        "seconds": took,
        "waited_seconds": round(sum(waits), 3),
        "how": attempt.how,
        "exit_code": attempt.exit_code,
        "reason": attempt.reason,
    }


def taken(facts: Iterable[Fact], agent: text.Agent, life: Life) -> Iterator[tuple[str, str]]:
    """Agents that were cancelled or skipped because this agent ended as it did, or because one of them was, and why.

    Events of earlier versions do not name the cause (`because`): of these none is returned.
    """
    if life.status in (None, "completed"):
        return
    known = {agent["id"]}
    for fact in facts:
        if fact["event"] not in _ENDS or fact["agent"] in known or fact["at"] != agent["ended_at"]:
            continue
        if fact.get("because") in known:
            known.add(fact["agent"])
            yield fact["agent"], fact["reason"]


def _names(client: Client, victims: list[tuple[str, str]]) -> list[dict[str, Any]]:
    if not victims:
        return []
    agents = client.call("status", {"ids": [one for one, _ in victims], "usage": False})["agents"]
    pairs = zip(agents, victims, strict=True)
    return [{"id": one["id"], "name": one["name"], "status": one["status"], "reason": why} for one, (_, why) in pairs]


def _tail(client: Client, agent: text.Agent) -> dict[str, Any] | None:
    """The last lines of its output, as far as they are short."""
    try:
        place = client.call("logs", {"id": agent["id"]})
    except WireError:  # it never started
        return None
    output = output_of(client, place["id"], place["attempt"], place["path"])
    return {"path": place["path"], "lines": tail(output, _LINES)}


def lines(answer: Mapping[str, Any], now: float) -> Iterator[str]:
    """All of it for a person."""
    yield _head(answer)
    if answer["holders"] and "member" not in answer:
        yield f"held by {answer['held_by']}:"
        yield from _indented(_holders(answer["holders"], now))
    if answer["way_out"]:
        yield f"what would change it: {answer['way_out']}"
    if answer.get("member"):
        yield "the member to blame:"
        yield from (f"  {line}" for line in lines(answer["member"], now))
    elif "member" in answer and answer["held_by"]:
        yield "members that it waits for:"
        yield from _indented(_holders(answer["holders"], now))
    yield from _past(answer)


def _head(answer: Mapping[str, Any]) -> str:
    agent = answer.get("agent")
    said = text.clean(answer["reason"] or "")
    if agent is None:
        verb = "is " if answer["status"] == "running" else ""
        return f"{answer['id']} {verb}{answer['status']}" + (f": {said}" if said else "")
    rule = f" ({answer['rule']})" if answer["rule"] not in (answer["status"], "working") else ""
    if text.is_over(agent):
        said, verb = text.outcome(agent), ""
    else:
        verb = "is "
    position = f", position {agent['position']}" if agent["position"] is not None else ""
    return f"{answer['id']} {text.named(agent)} {verb}{answer['status']}{position}{rule}" + (
        f": {said}" if said else ""
    )


def _holders(holders: Iterable[Mapping[str, Any]], now: float) -> list[str]:
    rows = [
        [
            one["id"],
            text.named(one),
            one["status"],
            text.span(text.since(one["since"], now)) if one["since"] else "",
        ]
        for one in holders
    ]
    return text.aligned(rows)


def _bounds(agent: text.Agent) -> Iterator[str]:
    """What it may take of the machine, and how much of that it took."""
    if agent["memory_max"]:
        most = f"{text.size(agent['memory_peak'])} at most, " if agent["memory_peak"] else ""
        yield f"memory {most}of {text.size(agent['memory_max'])}"
    if agent["cpu_max"]:
        yield f"{agent['cpu_max']:.0%} of one processor"
    if agent["pids_max"]:
        yield f"{agent['pids_max']} processes and threads"


def _past(answer: Mapping[str, Any]) -> Iterator[str]:
    if (agent := answer.get("agent")) and (escaped := agent.get("escaped")):
        then = "ended with the agent" if text.is_over(agent) else "still followed"
        yield f"processes that left its cgroup, {then}: {', '.join(map(text.clean, escaped))}"
    if (agent := answer.get("agent")) and (bounds := "; ".join(_bounds(agent))):
        yield f"its bounds: {bounds}"
    if answer.get("unmet"):
        yield f"not granted, of the attributes of its caller: {answer['unmet']}"
    if answer.get("attempts"):
        yield "attempts:"
        yield from _indented(text.aligned(text.filled([_row(*few) for few in _folded(answer["attempts"])])))
    if answer.get("took"):
        yield f"{len(answer['took'])} ended with it:"
        rows = [[one["id"], text.named(one), one["status"], text.clean(one["reason"])] for one in answer["took"]]
        yield from _indented(text.aligned(rows))
    if answer.get("log") and answer["log"]["lines"]:
        yield f"its last lines, of {text.clean(answer['log']['path'])}:"
        yield from _indented([text.file_line(line) for line in answer["log"]["lines"]])


def _folded(attempts: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Attempts that follow each other and did not begin for the same reason are together."""
    for _, few in groupby(attempts, lambda one: one["reason"] if one["how"] == "voided" else one["attempt"]):
        yield list(few)


def _row(one: Mapping[str, Any], *others: Mapping[str, Any]) -> list[str]:
    alike = [one, *others]
    return [
        f"tries {one['attempt']}-{alike[-1]['attempt']}" if others else f"try {one['attempt']}",
        f"queued {text.span(sum(each['queued_seconds'] for each in alike))}",
        f"took {text.span(sum(each['seconds'] for each in alike))}" if one["seconds"] is not None else "goes on",
        f"waited {text.span(one['waited_seconds'])} of it" if one["waited_seconds"] else "",
        one["how"] or "",
        "" if one["exit_code"] is None else f"exit {one['exit_code']}",
        "" if one["reason"] == f"exit code {one['exit_code']}" else text.clean(one["reason"] or ""),
    ]


def _indented(rows: Iterable[str]) -> Iterator[str]:
    return (f"  {row}" for row in rows)
