"""Spans of finished runs, agents and attempts, each with the span that started it as its parent.

Ids are hashes of the subject of a span, so that a span that is sent twice is the same span. Goals, arguments, paths and
output are left out, since the collector may belong to a third party.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchctl.history.lifecycles import AttemptHistory, Event, Lifecycle, Lifecycles
from orchctl.render import text
from orchctl.timeline import summary
from orchd.protocol import statuses

_PROVIDERS = {"claude": "anthropic", "codex": "openai"}
# Keys of `status`, and their names in OpenTelemetry's conventions for generative AI.
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
SpanAttributes = dict[str, str | int | float | bool]


@dataclass(frozen=True, slots=True)
class Span:
    """A span of time. Its trace and id are 16 and 8 bytes in hexadecimal, as in OpenTelemetry; times are Unix times."""

    trace: str
    id: str
    parent: str | None
    name: str
    begin: float
    end: float
    attributes: SpanAttributes
    error: str | None = None  # the reason, if the span failed
    events: tuple[tuple[str, float], ...] = ()


@dataclass(slots=True)
class TraceHistory:
    """The life cycles of agents; each revival begins a new life cycle."""

    lives: Lifecycles = field(default_factory=Lifecycles)
    stints: dict[str, list[Lifecycle]] = field(default_factory=dict)
    ends: dict[tuple[str, int], Event] = field(default_factory=dict)  # the end of the process, by agent and attempt

    def take(self, event: Event) -> None:
        """Apply one more event."""
        agent_id, kind = event["agent"], event["event"]
        if kind == "agent-revived" and agent_id in self.stints:
            old = self.stints[agent_id][-1]
            fresh = Lifecycle(agent_id, old.name, old.level, old.parent, text.unix(event["at"]))
            self.lives.agents[agent_id] = fresh
            self.stints[agent_id].append(fresh)
            return
        self.lives.take(event)
        if kind == "agent-queued":
            self.stints[agent_id] = [self.lives.agents[agent_id]]
        elif kind == "process-ended":
            self.ends[agent_id, event["attempt"]] = event


class Spans:
    """The spans of life cycles. `home` makes ids unique; `agents` and `runs` are the answers of the daemon, by id."""

    def __init__(
        self,
        home: str,
        story: TraceHistory,
        agents: Mapping[str, Mapping[str, Any]],
        runs: Mapping[str, Mapping[str, Any]],
    ) -> None:
        self._home = home
        self._story = story
        self._agents = agents
        self._runs = runs

    def of_agents(self, wanted: Iterable[str]) -> Iterator[Span]:
        """Yield the spans of these agents and of their attempts, as far as they have finished."""
        for agent_id in wanted:
            for number, life in enumerate(self._story.stints[agent_id]):
                if life.status is not None and life.ended is not None:
                    yield self._of_life(life, number)
                yield from (self._of_attempt(life, number, tried) for tried in life.attempts if tried.how)

    def of_runs(self, wanted: Iterable[str]) -> Iterator[Span]:
        """Yield the spans of these runs, as far as they have finished."""
        for run in (self._runs[run_id] for run_id in wanted):
            if run["ended_at"] is None:
                continue
            known: SpanAttributes = {"gen_ai.operation.name": "invoke_workflow", "gen_ai.workflow.name": run["name"]}
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

    def _of_life(self, life: Lifecycle, number: int) -> Span:
        """Return the span of a life cycle. Its usage, which covers all attempts, belongs to the newest one."""
        agent = self._agents.get(life.id, {})
        known: SpanAttributes = {"gen_ai.agent.id": life.id, "gen_ai.agent.name": life.name}
        if agent.get("runner"):
            known["gen_ai.operation.name"] = "invoke_agent"
            if provider := _PROVIDERS.get(agent["runner"]):
                known["gen_ai.provider.name"] = provider
        elif agent.get("command"):
            known["process.executable.name"] = os.path.basename(agent["command"][0])  # noqa: PTH119 - may be no path
        wanted = _GEN_AI | _USAGE if life is self._story.stints[life.id][-1] else _GEN_AI
        known |= {name: agent[key] for key, name in wanted.items() if agent.get(key) is not None}
        after = " ".join(text.dependencies(agent)) or None
        ours = {key: agent.get(key) for key in _OURS} | {"after": after, "level": life.level, "status": life.status}
        begin = summary.first(life)
        run = self._runs.get(agent.get("run") or "")
        return Span(
            self._trace(life),
            self._id_of(life, number),
            self._id("run", run["id"], run["began_at"]) if run is not None else self._attempt_at(life.parent, begin),
            f"invoke_agent {life.name}" if agent.get("runner") else life.name,
            begin,
            max(begin, life.ended or begin),
            {**known, **_given(ours), **_failed(life.status)},
            _error(life.status, life.reason),
        )

    def _of_attempt(self, life: Lifecycle, number: int, attempt: AttemptHistory) -> Span:
        ended = self._story.ends.get((life.id, attempt.number), {})
        known: SpanAttributes = {
            "gen_ai.agent.id": life.id,
            "orchd.attempt": attempt.number,
            "orchd.outcome": str(attempt.how),
            "orchd.queue_seconds": round(max(0.0, attempt.admitted - attempt.queued), 3),
        }
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

    def _id_of(self, life: Lifecycle, number: int) -> str:
        return self._id("agent", life.id, str(number), str(summary.first(self._story.stints[life.id][0])))

    def _trace(self, life: Lifecycle) -> str:
        """Return the trace of the topmost agent or run above the agent."""
        life = self._story.stints[life.id][0]
        while life.parent is not None and life.parent in self._story.stints:
            life = self._story.stints[life.parent][0]
        if (run := self._runs.get(self._agents.get(life.id, {}).get("run") or "")) is not None:
            return self._trace_of_run(run)
        return self._id("trace", life.id, str(summary.first(life))) + self._id("agent", life.id)

    def _trace_of_run(self, run: Mapping[str, Any]) -> str:
        if run["parent"] in self._story.stints:
            return self._trace(self._story.stints[run["parent"]][0])
        return self._id("trace", run["id"], run["began_at"]) + self._id("run", run["id"])

    def _attempt_at(self, parent: str | None, at: float) -> str | None:
        """Return the id of the attempt of the agent `parent` at this time: the parent of agents that it started."""
        attempts = [attempt for life in self._story.stints.get(parent or "", ()) for attempt in life.attempts]
        before = [attempt for attempt in attempts if attempt.admitted <= at]
        return self._id("attempt", str(parent), str(before[-1].number), str(before[-1].admitted)) if before else None


def _given(ours: Mapping[str, Any]) -> SpanAttributes:
    return {f"orchd.{key}": value for key, value in ours.items() if value is not None}


def _failed(status: str | None) -> SpanAttributes:
    return {"error.type": status} if status in statuses.FAILED or status == "retried" else {}


def _error(status: str | None, reason: str | None) -> str | None:
    return (reason or str(status)) if _failed(status) else None
