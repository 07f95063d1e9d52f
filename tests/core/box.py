"""A core and a shell that only answers, for the tests of the core."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterable
from itertools import count
from types import ModuleType
from typing import Any

from orchd.core import inputs
from orchd.core.admission.slots import claims, is_safe
from orchd.core.decide import decide
from orchd.core.effects import Answer, Effect, Launch, Refuse
from orchd.core.state.agents import Agent, AgentId, Instant, Outcome, RequestId, Spec, Status, Wait
from orchd.core.state.events import Event
from orchd.core.state.indexes import indexes, recount
from orchd.core.state.state import Guards, State
from orchd.core.turn import Question, Turn

WALL = 1_700_000_000.0  # how far the clock that is shown is ahead of the one that is compared


def spec(name: str = "agent", **fields: Any) -> Spec:
    """A spec with the fields that matter to a test."""
    return Spec(**{"command": ("true",), "name": name, "cwd": "/", "environment": "e", **fields})


def wait_for(request: RequestId, *targets: AgentId, is_any: bool = False, deadline: float | None = None) -> Wait:
    """A wait with an arbitrary caller."""
    return Wait(request, targets, is_any, deadline, caller=9, caller_started=1.0)


def declared_in(module: ModuleType) -> set[type]:
    """The dataclasses that a module declares itself."""
    classes = (
        member for member in vars(module).values() if dataclasses.is_dataclass(member) and isinstance(member, type)
    )
    return {kind for kind in classes if kind.__module__ == module.__name__}


class Box:
    """One state in virtual time. Every process starts at once unless `broken` says otherwise."""

    def __init__(self, limit: int = 7, resident: int = 28, **guards: int) -> None:
        self.state = State(limit=limit, resident=resident, guards=Guards(**guards))
        self.now = 1000.0
        self.broken: dict[AgentId, tuple[str, bool]] = {}  # why the next launch fails, and whether that passes
        self.quiet: dict[AgentId, float] = {}  # seconds since the last output
        self.turn = Turn(self.state, Instant(self.now, self.now))
        self._requests = count(1)

    def tell(self, *events: inputs.Input) -> Turn:
        """Decide `events` in one turn, with all that must hold after it."""
        self.turn = Turn(self.state, Instant(self.now, WALL + self.now))
        for event in events:
            decide(self.turn, event)
            while self.turn.questions:
                decide(self.turn, self._reply(self.turn.questions.pop(0)))
        assert recount(self.state) == indexes(self.state)
        assert is_safe(self.state.resident, claims(self.state))
        self._check_what_was_said()
        return self.turn

    def _check_what_was_said(self) -> None:
        """Check that events name their attempt, and replies their request with a code that scripts may rely on."""
        assert all(getattr(event, "attempt", 1) for event in self.turn.events)
        for reply in self.replies().values():
            assert reply.request
            if isinstance(reply, Refuse):
                assert re.fullmatch(r"[a-z]+(-[a-z]+)*", reply.code)
                assert isinstance(reply.message, str)
                assert reply.message not in {"", "None"}
                assert isinstance(reply.details, dict)

    def _reply(self, question: Question) -> inputs.Input:
        agent_id, attempt = question.agent, question.attempt
        if not isinstance(question, Launch):
            return inputs.OutputSeen(agent_id, attempt, self.quiet.get(agent_id, 0.0))
        if agent_id in self.broken:
            reason, is_passing = self.broken.pop(agent_id)
            return inputs.SpawnFailed(agent_id, attempt, reason, is_passing)
        return inputs.Spawned(agent_id, attempt, 100 + self.agent(agent_id).number, None)

    def request(self) -> RequestId:
        """An id that no other request has."""
        return RequestId(f"r{next(self._requests)}")

    def agent(self, agent_id: AgentId) -> Agent:
        """The agent as it stands now."""
        return self.state.agents[agent_id]

    def status(self, *ids: AgentId) -> list[str]:
        """The statuses as clients show them."""
        return [self.agent(agent_id).status.value for agent_id in ids]

    def are(self, status: Status) -> set[AgentId]:
        """The ids of all agents with this status."""
        return {agent.id for agent in self.state.agents.values() if agent.status is status}

    def batch(self, *specs: Spec, caller: AgentId | None = None, **fields: Any) -> tuple[AgentId, ...]:
        """Spawn agents in one request; their ids, or nothing when the request is refused."""
        self.tell(inputs.SpawnAgents(self.request(), caller, specs, **fields))
        return self.answered()

    def spawn(self, name: str = "agent", caller: AgentId | None = None, **fields: Any) -> AgentId:
        """Spawn one agent; its id."""
        (agent_id,) = self.batch(spec(name, **fields), caller=caller)
        return agent_id

    def exit(self, agent_id: AgentId, code: int | None = 0, *, is_tree_gone: bool = True) -> Turn:
        """End the own process of the current attempt."""
        return self.tell(inputs.Exited(agent_id, self.agent(agent_id).attempt, Outcome(code), is_tree_gone))

    def tree_gone(self, agent_id: AgentId) -> Turn:
        """End the last process of the current attempt."""
        return self.tell(inputs.TreeGone(agent_id, self.agent(agent_id).attempt))

    def wait(
        self, agent_id: AgentId, *targets: AgentId, is_any: bool = False, timeout: float | None = None
    ) -> RequestId:
        """The agent is blocked until `targets` have ended."""
        request = self.request()
        self.tell(inputs.BeginWait(request, agent_id, targets, is_any, timeout, caller=9, caller_started=1.0))
        return request

    def cancel(self, *ids: AgentId) -> Turn:
        """Cancel agents."""
        return self.tell(inputs.Cancel(self.request(), ids))

    def retry(self, *ids: AgentId, environment: str = "e") -> Turn:
        """Request another attempt of each agent."""
        return self.tell(inputs.Retry(self.request(), ids, (environment,) * len(ids)))

    def limit(self, limit: int | None = None, resident: int | None = None) -> Turn:
        """Change the limits."""
        return self.tell(inputs.SetLimit(self.request(), limit, resident))

    def pause(self) -> Turn:
        """Pause admissions."""
        return self.tell(inputs.Pause(self.request()))

    def resume(self) -> Turn:
        """Resume admissions."""
        return self.tell(inputs.Resume(self.request()))

    def pause_agents(self, *ids: AgentId, release: bool = False) -> Turn:
        """Pause agents."""
        return self.tell(inputs.PauseAgents(self.request(), ids, release))

    def resume_agents(self, *ids: AgentId) -> Turn:
        """Resume agents."""
        return self.tell(inputs.ResumeAgents(self.request(), ids))

    def drain(self, *, stop: bool = False) -> Turn:
        """Drain the daemon."""
        return self.tell(inputs.Drain(self.request(), stop))

    def sleep(self, seconds: float) -> Turn:
        """Let time pass, and look at the clock."""
        self.now += seconds
        return self.tell(inputs.Tick())

    def answered(self) -> tuple[AgentId, ...]:
        """The agents that the only answer of the last turn names."""
        answers = [effect for effect in self.turn.effects if isinstance(effect, Answer)]
        return answers[0].agents if len(answers) == 1 else ()

    def replies(self) -> dict[RequestId, Answer | Refuse]:
        """The last turn's replies."""
        return {effect.request: effect for effect in self.turn.effects if isinstance(effect, Answer | Refuse)}

    def refusal(self) -> str | None:
        """The code of the last turn's only refusal."""
        codes = [effect.code for effect in self.turn.effects if isinstance(effect, Refuse)]
        return codes[0] if len(codes) == 1 else None

    def done(self, kind: type[Effect]) -> list[Any]:
        """The last turn's effects of one kind."""
        return [effect for effect in self.turn.effects if isinstance(effect, kind)]

    def events(self, *kinds: type[Event]) -> list[Any]:
        """The last turn's events of some kinds."""
        return [event for event in self.turn.events if isinstance(event, kinds)]


def names(things: Iterable[object]) -> list[str]:
    """The names of the types of `things`, to be compared in one line."""
    return [type(thing).__name__ for thing in things]
