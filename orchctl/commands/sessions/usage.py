"""`orchctl usage`: expected and used tokens, and cost, of agents, runs and sessions."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.render import sessions, text
from orchctl.terminal import console

_COUNTS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens", "tokens", "cost_usd")


def run(args: SimpleNamespace) -> int:
    """Print a line for each agent and run; for a session a line for itself, for each of its runs and of its agents."""
    with Client(starts=False) as client:
        rows = [row for word in args.ids or (None,) for row in _rows(client, word)]
    console.result({"usage": rows}, sessions.usage_lines(rows), as_json=args.json)
    return exit_codes.OK


def _rows(client: Client, word: str | None) -> Iterator[dict[str, Any]]:
    """Yield the rows for the id or name of an agent, a run or a session; for None the session of this directory."""
    if word is None or word.startswith("session-"):
        answer = pages.session(client, word)
        agents = answer["agents"][::-1]
        yield _sum(answer["session"], agents)
        runs: dict[str, list[dict[str, Any]]] = {}
        for agent in agents:
            if agent["run"]:
                runs.setdefault(agent["run"], []).append(agent)
        for run_id, members in runs.items():
            yield _sum({"id": run_id, "name": None}, members)
        yield from map(_of_agent, agents)
    elif word.startswith("run-"):
        answer = pages.run(client, word)
        yield _sum(answer["run"], answer["agents"])
        yield from map(_of_agent, answer["agents"])
    else:
        yield from map(_of_agent, client.call("status", {"ids": [word], "usage": False})["agents"])


def _sum(whole: dict[str, Any], agents: Iterable[dict[str, Any]]) -> dict[str, Any]:
    rows = [_of_agent(agent) for agent in agents]
    real = [row for row in rows if not text.is_simulated(row)]
    total = {key: _added(row[key] for row in real) for key in _COUNTS}
    total["tokens_expected"] = _added(row["tokens_expected"] for row in rows)
    sources = {row["cost_source"] for row in real if row["cost_usd"]}
    source = "estimated" if "estimated" in sources else "cli" if sources else None
    return {"id": whole["id"], "name": whole["name"], **total, "cost_source": source}


def _added(numbers: Iterable[float | None]) -> float | None:
    known = [number for number in numbers if number is not None]
    return sum(known) if known else None


def _of_agent(agent: dict[str, Any]) -> dict[str, Any]:
    keys = ("id", "name", "tokens_expected", *_COUNTS, "cost_source")
    return {key: agent[key] for key in keys}
