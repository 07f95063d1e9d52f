"""Lines of a transcript to inputs, and events and effects back to lines."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Iterator
from typing import Any

from orchd.core import inputs
from orchd.core.admission.reasons import reason
from orchd.core.admission.slots import overdrawn, working
from orchd.core.decide import next_deadline
from orchd.core.effects import Answer, Effect, Freeze, Kill, Refuse, Terminate, Thaw
from orchd.core.state import events
from orchd.core.state.agents import AgentId, Outcome, RequestId
from orchd.core.state.events import AgentEvent, Event
from tests.core.box import Box, spec

# The shell is told of them as well, and one line each is enough.
UNSAID = (events.AttemptStarted, events.AgentHeard)
DETAILS: dict[type, Callable[[Any], str]] = {
    events.AttemptAdmitted: lambda event: f" #{event.attempt}",
    events.AttemptVoided: lambda event: f": {event.reason}",
    events.AttemptRetried: lambda event: f" in {event.delay:.2f} s: {event.reason}",
    events.AgentPromoted: lambda event: f" to {event.claim}",
    events.AgentFrozen: lambda event: f", {event.cause.value}" + (f" to {event.lent_to}" if event.lent_to else ""),
    events.StallBegan: lambda event: f": {' '.join(event.agents)}: {event.reason}",
    events.WaitBegan: lambda event: f" for {'any of ' if event.wait.is_any else ''}{' '.join(event.wait.targets)}",
    events.StopBegan: lambda event: f", {event.cause.value}: {event.reason}",
    events.ProcessEnded: lambda event: f", code {event.outcome.code}",
    events.AgentFailed: lambda event: f": {event.reason}",
    events.AgentCancelled: lambda event: f": {event.reason}",
    events.AgentTimedOut: lambda event: f": {event.reason}",
    events.AgentLost: lambda event: f": {event.reason}",
    events.AgentSkipped: lambda event: f": {event.reason}",
    events.LimitChanged: lambda event: f" to {event.limit}, resident {event.resident}",
}


def line_of(change: Event | Effect) -> str | None:
    """The line for an event or effect; None where another line says it."""
    if isinstance(change, Effect):
        return _effect(change)
    return None if isinstance(change, UNSAID) else _event(change)


def _event(event: Event) -> str:
    words = re.sub(r"(?<!^)(?=[A-Z])", " ", type(event).__name__).lower()
    if isinstance(event, AgentEvent):
        words = f"{event.agent}: {words.removeprefix('agent ').removeprefix('attempt ')}"
    return words + (DETAILS[type(event)](event) if type(event) in DETAILS else "")


def _effect(effect: Effect) -> str | None:
    if isinstance(effect, Answer):
        late = " (timed out)" if effect.timed_out else ""
        return f"  answer {effect.request}: {' '.join(effect.agents) or 'done'}{late}"
    if isinstance(effect, Refuse):
        return f"  refuse {effect.request}: {effect.code}: {effect.message}"
    if isinstance(effect, Terminate | Kill | Freeze | Thaw):
        return f"  {type(effect).__name__.lower()} {effect.agent} #{effect.attempt}"
    return None


class TranscriptRunner:
    """One transcript: names stand for ids, and a request has the name of its caller."""

    def __init__(self) -> None:
        self.box = Box()
        self.ids: dict[str, AgentId] = {}

    def tell(self, line: str) -> list[str]:
        """The lines that follow from one line."""
        verb, *words = shlex.split(line)
        options = dict(word.split("=", 1) for word in words if "=" in word)
        result = getattr(self, verb)([word for word in words if "=" not in word], options)
        return list(self._shown(result) if result is not None else self._turn()) or ["-"]

    def _turn(self) -> Iterator[str]:
        self.ids.update({event.spec.name: event.agent for event in self.box.events(events.AgentQueued)})
        yield from (
            self._named(line) for change in [*self.box.turn.events, *self.box.turn.effects] if (line := line_of(change))
        )

    def _shown(self, lines: list[str]) -> Iterator[str]:
        return (self._named(line) for line in lines)

    def _named(self, text: str) -> str:
        names = {agent_id: name for name, agent_id in self.ids.items()}
        return re.sub(r"agent-\d+", lambda match: names.get(AgentId(match[0]), match[0]), text)

    # The verbs.

    def limit(self, words: list[str], options: dict[str, str]) -> None:
        """`limit N [resident=M]`."""
        limit = int(words[0]) if words else None
        resident = int(options["resident"]) if "resident" in options else None
        self.box.tell(inputs.SetLimit(RequestId("limit"), limit, resident))

    def spawn(self, words: list[str], options: dict[str, str]) -> None:
        """`spawn NAME... [parent=P] [after=A,B] [nesting=1] ...`: one request."""
        fields: dict[str, object] = {}
        for name, value in options.items():
            if name == "after":
                fields[name] = tuple(self.ids.get(label, AgentId(label)) for label in value.split(","))
            elif name not in ("parent", "no_queue"):
                fields[name] = float(value) if name in ("timeout", "silence", "grace") else int(value)
        parent = self.ids[options["parent"]] if "parent" in options else None
        specs = tuple(spec(name, **fields) for name in words)
        self.box.tell(inputs.SpawnAgents(RequestId("spawn"), parent, specs, must_start="no_queue" in options))

    def chain(self, words: list[str], options: dict[str, str]) -> None:
        """`chain A B C`: one request, each after the one before."""
        after = [(), *((AgentId(name),) for name in words)]
        specs = tuple(spec(name, after=before) for name, before in zip(words, after, strict=False))
        self.box.tell(inputs.SpawnAgents(RequestId("spawn"), None, specs))

    def wait(self, words: list[str], options: dict[str, str]) -> None:
        """`wait NAME for=A,B [any=1] [timeout=N]`."""
        targets = tuple(self.ids[name] for name in options["for"].split(","))
        timeout = float(options["timeout"]) if "timeout" in options else None
        request = RequestId(f"wait of {words[0]}")
        agent_id = self.ids[words[0]]
        self.box.tell(
            inputs.BeginWait(request, agent_id, targets, "any" in options, timeout, caller=9, caller_started=1.0)
        )

    def hangup(self, words: list[str], options: dict[str, str]) -> None:
        """`hangup NAME`: the client blocked in it dies."""
        self.box.tell(inputs.CallerGone(self.ids[words[0]], RequestId(f"wait of {words[0]}")))

    def works(self, words: list[str], options: dict[str, str]) -> None:
        """`works NAME`: its tree used the CPU while it counted as waiting."""
        agent_id = self.ids[words[0]]
        self.box.tell(inputs.WorkedWhileWaiting(agent_id, self.box.agent(agent_id).attempt))

    def lenient(self, words: list[str], options: dict[str, str]) -> list[str]:
        """`lenient`: the configuration lets agents whose wait was cut short work without a slot."""
        self.box.state.is_strict = False
        return []

    def exit(self, words: list[str], options: dict[str, str]) -> None:
        """`exit NAME [code=N] [attempt=K] [rest=1]`."""
        agent_id = self.ids[words[0]]
        code = None if options.get("code") == "unknown" else int(options.get("code", 0))
        attempt = int(options.get("attempt", self.box.agent(agent_id).attempt))
        self.box.tell(inputs.Exited(agent_id, attempt, Outcome(code), "rest" not in options))

    def gone(self, words: list[str], options: dict[str, str]) -> None:
        """`gone NAME`: nothing is left of its tree."""
        self.box.tree_gone(self.ids[words[0]])

    def recover(self, words: list[str], options: dict[str, str]) -> None:
        """`recover NAME=lives|never-ran|CODE|unknown...`: what the next daemon finds."""
        news: list[inputs.Input] = []
        for name, what in options.items():
            key = (self.ids[name], self.box.agent(self.ids[name]).attempt)
            if what == "lives":
                news.append(inputs.Adopted(*key))
            elif what == "never-ran":
                news.append(inputs.NeverRan(*key))
            else:
                outcome = Outcome(None if what == "unknown" else int(what))
                news.append(inputs.Exited(*key, outcome, is_tree_gone=True))
        self.box.tell(*news)

    def cancel(self, words: list[str], options: dict[str, str]) -> None:
        """`cancel NAME...`."""
        self.box.tell(inputs.Cancel(RequestId("cancel"), tuple(self.ids[name] for name in words)))

    def retry(self, words: list[str], options: dict[str, str]) -> None:
        """`retry NAME...`."""
        self.box.tell(inputs.Retry(RequestId("retry"), tuple(self.ids[name] for name in words), ("e",) * len(words)))

    def pause(self, words: list[str], options: dict[str, str]) -> None:
        """`pause`."""
        self.box.tell(inputs.Pause(RequestId("pause")))

    def resume(self, words: list[str], options: dict[str, str]) -> None:
        """`resume`."""
        self.box.tell(inputs.Resume(RequestId("resume")))

    def drain(self, words: list[str], options: dict[str, str]) -> None:
        """`drain [stop=1]`."""
        self.box.tell(inputs.Drain(RequestId("drain"), "stop" in options))

    def breaks(self, words: list[str], options: dict[str, str]) -> list[str]:
        """`breaks NUMBER why=... [passing=1]`: the next launch of the n-th agent fails."""
        agent_id = AgentId(f"agent-{int(words[0]):03d}")
        self.box.broken[agent_id] = (options["why"], "passing" in options)
        return []

    def quiet(self, words: list[str], options: dict[str, str]) -> list[str]:
        """`quiet NAME SECONDS`: for how long it has put nothing out, when it is looked at."""
        self.box.quiet[self.ids[words[0]]] = float(words[1])
        return []

    def sleep(self, words: list[str], options: dict[str, str]) -> None:
        """`sleep SECONDS`."""
        self.box.sleep(float(words[0]))

    def status(self, words: list[str], options: dict[str, str]) -> list[str]:
        """`status`: all agents that have not ended, the slots, and when something is due."""
        state, now = self.box.state, self.box.now
        over = f", {overdrawn(state)} overdrawn" if overdrawn(state) else ""
        due = next_deadline(state)
        timed = f", something is due in {due - now:.1f} s" if due is not None else ""
        lines = [f"slots {working(state)}/{state.limit}{over}, {len(state.living)}/{state.resident} alive{timed}"]
        for agent in state.agents.values():
            if not agent.is_over:
                why = reason(state, agent, now)
                lines.append(f"{agent.id}: {agent.status.value}" + (f" ({why})" if why else ""))
        return lines
