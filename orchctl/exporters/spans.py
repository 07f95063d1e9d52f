"""Spans: runs, agents and attempts that are over, each below the one that began it.

Ids are made of what a span is about, so that whoever sends a span twice sends the same one twice. Goals, arguments,
paths and output are not in them: a collector may be anybody's.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchctl.history.lifecycles import Attempt, Fact, Life, Lives
from orchctl.render import text
from orchd.protocol import statuses

_PROVIDERS = {"claude": "anthropic", "codex": "openai"}
# What `status` has of an agent, by the names of OpenTelemetry's conventions for generative AI.
_GEN_AI = {
    "model": "gen_ai.request.model",
    "cli_session": "gen_ai.conversation.id",
}
_USAGE = {
    "input_tokens": "gen_ai.usage.input_tokens",
    "output_tokens": "gen_ai.usage.output_tokens",
    "cache_read_tokens": "gen_ai.usage.cache_read.input_tokens",
    "cache_write_tokens": "gen_ai.usage.cache_creation.input_tokens",
    "cost_usd": "orchd.cost_usd",
    "cost_source": "orchd.cost_source",
}
_OURS = ("runner", "session", "run", "member", "task_id", "skill")
_OF_RUNS = ("session", "task_id", "status", "tokens", "cost_usd")
Attributes = dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Span:
    """Something that took its time. Ids are as OpenTelemetry has them, 16 and 8 bytes in hexadecimal."""

    trace: str
    id: str
    parent: str | None
    name: str
    begin: float
    end: float
    attributes: Attributes
    error: str | None = None  # what is said of it when it is one
    events: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class Story:
    """What the facts tell of agents, each time that one was revived on its own."""

    lives: Lives = field(default_factory=Lives)
    stints: dict[str, list[Life]] = field(default_factory=dict)
    ends: dict[tuple[str, int], Fact] = field(default_factory=dict)  # by agent and attempt, how its process ended

    def take(self, fact: Fact) -> None:
        """One more fact."""
        one, event = fact["agent"], fact["event"]
        if event == "agent-revived" and one in self.stints:
            old = self.stints[one][-1]
            fresh = Life(one, old.name, old.level, old.parent, text.unix(fact["at"]))
            self.lives.agents[one] = fresh
            self.stints[one].append(fresh)
            return
        self.lives.take(fact)
        if event == "agent-queued":
            self.stints[one] = [self.lives.agents[one]]
        elif event == "process-ended":
            self.ends[one, fact["attempt"]] = fact


class Spans:
    """The spans of a story. `home` tells its agents from those of others; what is known of agents and runs comes in."""

    def __init__(
        self, home: str, story: Story, agents: Mapping[str, Mapping[str, Any]], runs: Mapping[str, Mapping[str, Any]]
    ) -> None:
        self._home = home
        self._story = story
        self._agents = agents
        self._runs = runs

    def of_agents(self, wanted: Iterable[str]) -> Iterator[Span]:
        """Their lives and attempts, those of them that are over."""
        for one in wanted:
            for number, life in enumerate(self._story.stints[one]):
                if life.status is not None and life.ended is not None:
                    yield self._of_life(life, number)
                yield from (self._of_attempt(life, number, tried) for tried in life.attempts if tried.how)

    def of_runs(self, wanted: Iterable[str]) -> Iterator[Span]:
        """Runs, those of them that are over."""
        for run in (self._runs[one] for one in wanted):
            if run["ended_at"] is None:
                continue
            known: Attributes = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": run["name"]}
            ours = {"run": run["id"], **{key: run[key] for key in _OF_RUNS}}
            begin, end = text.unix(run["began_at"]), text.unix(run["ended_at"])
            yield Span(
                self._trace_of_run(run),
                self._id("run", run["id"], run["began_at"]),
                self._attempt_at(run["parent"], begin),
                f"invoke_workflow {run['name']}",
                begin,
                max(begin, end),
                {**known, **_given(ours), **_failed(run["status"])},
                _error(run["status"], run["reason"]),
            )

    def _of_life(self, life: Life, number: int) -> Span:
        told = self._agents.get(life.id, {})
        begin = _first(life)
        return Span(
            self._trace(life),
            self._id_of(life, number),
            self._above(life, begin),
            f"invoke_agent {life.name}" if told.get("runner") else life.name,
            begin,
            max(begin, life.ended or begin),
            _of_agent(life, told, is_newest=life is self._story.stints[life.id][-1]),
            _error(life.status, life.reason),
        )

    def _of_attempt(self, life: Life, number: int, attempt: Attempt) -> Span:
        ended = self._story.ends.get((life.id, attempt.number), {})
        known: Attributes = {
            "gen_ai.agent.id": life.id,
            "orchd.attempt": attempt.number,
            "orchd.outcome": str(attempt.how),
        }
        known["orchd.queue_seconds"] = round(max(0.0, attempt.admitted - attempt.queued), 3)
        if attempt.exit_code is not None:
            known["process.exit.code"] = attempt.exit_code
        moments = [("wait began", begin) for begin, _ in attempt.waits]
        moments += [("wait ended", back) for _, back in attempt.waits if back is not None]
        return Span(
            self._trace(life),
            self._id("attempt", life.id, str(attempt.number), str(attempt.admitted)),
            self._id_of(life, number),
            f"attempt {attempt.number}",
            attempt.admitted,
            max(attempt.admitted, attempt.ended or attempt.admitted),
            {**known, **_given({key: ended.get(key) for key in ("tokens", "cost_usd")}), **_failed(attempt.how)},
            _error(attempt.how, attempt.reason),
            tuple(sorted(moments, key=lambda moment: moment[1])),
        )

    def _id(self, *words: str) -> str:
        return hashlib.sha256("\0".join((self._home, *words)).encode("utf-8", "surrogateescape")).hexdigest()[:16]

    def _id_of(self, life: Life, number: int) -> str:
        return self._id("agent", life.id, str(number), str(_first(self._story.stints[life.id][0])))

    def _trace(self, life: Life) -> str:
        """All below one agent, or one run, that nobody here began."""
        life = self._story.stints[life.id][0]
        while life.parent is not None and life.parent in self._story.stints:
            life = self._story.stints[life.parent][0]
        if (run := self._runs.get(self._agents.get(life.id, {}).get("run") or "")) is not None:
            return self._trace_of_run(run)
        return self._id("trace", life.id, str(_first(life))) + self._id("agent", life.id)

    def _trace_of_run(self, run: Mapping[str, Any]) -> str:
        if run["parent"] in self._story.stints:
            return self._trace(self._story.stints[run["parent"]][0])
        return self._id("trace", run["id"], run["began_at"]) + self._id("run", run["id"])

    def _above(self, life: Life, at: float) -> str | None:
        run = self._runs.get(self._agents.get(life.id, {}).get("run") or "")
        return self._id("run", run["id"], run["began_at"]) if run is not None else self._attempt_at(life.parent, at)

    def _attempt_at(self, parent: str | None, at: float) -> str | None:
        """The attempt of an agent that had a place then; whatever it began is below that."""
        tried = [
            one for life in self._story.stints.get(parent or "", ()) for one in life.attempts if one.admitted <= at
        ]
        return self._id("attempt", str(parent), str(tried[-1].number), str(tried[-1].admitted)) if tried else None


def _first(life: Life) -> float:
    return min([life.queued, *(attempt.queued for attempt in life.attempts)])


def _of_agent(life: Life, told: Mapping[str, Any], *, is_newest: bool) -> Attributes:
    """What an agent is; and what it took, which is known of all its attempts together, where it was told last."""
    known: Attributes = {"gen_ai.agent.id": life.id, "gen_ai.agent.name": life.name}
    if told.get("runner"):
        known["gen_ai.operation.name"] = "invoke_agent"
        if provider := _PROVIDERS.get(told["runner"]):
            known["gen_ai.provider.name"] = provider
    elif told.get("command"):
        known["process.executable.name"] = os.path.basename(told["command"][0])  # noqa: PTH119 - may be no path
    wanted = {**_GEN_AI, **(_USAGE if is_newest else {})}
    known |= {name: told[key] for key, name in wanted.items() if told.get(key) is not None}
    after = " ".join(text.dependencies(told)) or None
    ours = {key: told.get(key) for key in _OURS} | {"after": after, "level": life.level, "status": life.status}
    return {**known, **_given(ours), **_failed(life.status)}


def _given(ours: Mapping[str, Any]) -> Attributes:
    return {f"orchd.{key}": value for key, value in ours.items() if value is not None}


def _failed(status: str | None) -> Attributes:
    return {"error.type": status} if status in statuses.FAILED or status == "retried" else {}


def _error(status: str | None, reason: str | None) -> str | None:
    return (reason or str(status)) if _failed(status) else None
