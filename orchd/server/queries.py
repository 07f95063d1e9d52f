"""What can be answered without deciding anything: status, logs, events, who is there."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Mapping
from importlib.metadata import version
from typing import Any

from orchd.core.admission.why import Verdict, why, why_run
from orchd.core.effects import Answer
from orchd.core.state.agents import LIVING, Agent, AgentId, Instant, State, Status, agent_id, number_of
from orchd.core.state.runs import Run, number_of_run
from orchd.core.state.sessions import Session, number_of_session
from orchd.instance.home import Home
from orchd.network.callers import Caller
from orchd.processes.attempt_files import files_of
from orchd.processes.local import LocalProcesses
from orchd.protocol import operations, remote_operations
from orchd.protocol.errors import WireError
from orchd.protocol.frames import VERSION
from orchd.server.listing import RECENT, Listing
from orchd.server.output import piece
from orchd.server.pagination import fitting
from orchd.server.resolver import Naming
from orchd.store import migrations
from orchd.store.database import Store
from orchd.views import agents as views
from orchd.views.registry import Records

PAGE = 500
RUNS_PAGE = 50


class Queries:
    """Answers, each a map as docs/protocol.md shows it."""

    def __init__(
        self,
        home: Home,
        state: State,
        store: Store,
        records: Records,
        processes: LocalProcesses,
        naming: Naming,
        clock: Callable[[], Instant],
    ) -> None:
        self._home = home
        self._state = state
        self._store = store
        self._records = records
        self._processes = processes
        self._naming = naming
        self._listing = Listing(state, store, records)
        self._clock = clock
        self._started = clock().mono
        self.is_disk_full = False
        self.in_force: Callable[[], Mapping[str, object]] = dict
        self._daemon = {
            "pid": os.getpid(),
            "version": version("orchd"),
            "schema": migrations.newest(),
            "protocol": VERSION,
            "socket": str(home.socket),
            "home": str(home.directory),
        }

    def daemon(self) -> dict[str, object]:
        """Who is there."""
        uptime = round(self._clock().mono - self._started, 3)
        return {**self._daemon, "uptime_seconds": uptime, "disk_full": self.is_disk_full, **self._processes.shown()}

    def status(self, caller: Caller, asked: operations.Status) -> dict[str, object]:
        """What was named, or one page, newest first, of what there is."""
        more, rest = None, dict[str, object]()
        if asked.most is not None and not asked.all:
            shown, rest = self._first(caller, asked, asked.most)
        elif asked.ids:
            shown = self._named(self._naming.seen(caller, asked.ids), usage=asked.usage)
        else:
            shown, more = self._page(self._selected(caller, asked), usage=asked.usage)
        return {
            "daemon": self.daemon(),
            "limit": views.limit(self._state),
            "levels": views.levels(self._state),
            "agents": shown,
            "more": more,
            **rest,
        }

    def _first(
        self, caller: Caller, asked: operations.Status, most: int
    ) -> tuple[list[dict[str, object]], dict[str, object]]:
        """The first of what was asked for, and what only an answer of this kind tells beside them."""
        root, named = self._naming.root_of(caller), self._naming.seen(caller, asked.ids, most=None)
        first = self._listing.first_of(named, most) if asked.ids else self._listing.first(most, root)
        budgets = self._listing.budgets(named, root, self._naming.session_of(caller))
        beside = {"counts": first.counts, "budgets": budgets, "tokens": self._listing.tokens(first.agents)}
        return self.agents(first.agents, usage=asked.usage), beside

    def why(self, caller: Caller, asked: operations.Why) -> dict[str, object]:
        """Why an agent or run is where it is; whoever stands in its way outside the caller's tree is only counted."""
        found = self._naming.seen(caller, (asked.id,))
        now = self._clock().mono
        if views.canonical_run(asked.id) is not None:
            run = self._records.run(asked.id)
            verdict = why_run(self._state, run, now)
            shown = {"id": run.id, "status": run.status.value, "unmet": None}
        else:
            (agent,) = found
            verdict = self._suspended(agent) or why(self._state, agent, now, self._records.recorded)
            shown = {"id": agent.id, "status": agent.shown_status, "unmet": agent.unmet}
        root = self._naming.root_of(caller)
        holders = [one for one in self._records.many(verdict.holders) if root in (None, one.root)]
        return {**shown, **views.verdict_map(verdict, holders)}

    def _suspended(self, agent: Agent) -> Verdict | None:
        """Why an agent that is at work does not run, where something other than orchd froze or stopped it."""
        if agent.status is not Status.RUNNING:
            return None
        found = self._processes.suspension(agent.id, agent.attempt)
        return None if found is None else Verdict("suspended", found.sentence, way_out=found.way_out)

    def runs(self, caller: Caller, asked: operations.Runs) -> dict[str, object]:
        """One page of runs, newest first, without their members."""
        root = self._naming.root_of(caller)
        if asked.all:
            found = self._store.runs(asked.before, RUNS_PAGE + 1, number_of(root) if root else None)
        else:
            found = self._current_runs(asked.before, root)
        more = number_of_run(found[RUNS_PAGE - 1].id) if len(found) > RUNS_PAGE else None
        runs = [self._state.runs.get(run.id, run) for run in found[:RUNS_PAGE]]
        return {"runs": [views.run_map(run, self._counts(run)) for run in runs], "more": more}

    def _current_runs(self, before: int | None, root: AgentId | None) -> list[Run]:
        """Those that are not over, and the last few that are."""
        going = (run for run in self._state.runs.values() if not run.is_over)
        found = [run for run in going if root is None or root in run.plan.ancestors]
        found += self._store.runs(None, RECENT, number_of(root) if root else None, only_over=True)
        shown = [run for run in found if before is None or number_of_run(run.id) < before]
        return sorted(shown, key=lambda run: number_of_run(run.id), reverse=True)

    def run_status(self, caller: Caller, asked: operations.RunStatus) -> dict[str, object]:
        """A run with a page of its members in full."""
        run = self._records.run(asked.id)
        begin, whole = asked.skip, None
        if begin:
            ids = tuple(mate.agent for mate in list(run.members.values())[begin : begin + PAGE])
            members = self._naming.seen(caller, ids)
        else:
            members = self._naming.seen(caller, (run.id,))
            whole = views.whole_run_map(run, members)
        shown = self.agents(members[:PAGE], usage=True)
        end = begin + fitting(shown)
        more = end if end < len(run.members) else None
        return {"run": whole, "agents": shown[: end - begin], "more": more}

    def result(self, op: str, answer: Answer) -> object:
        """What whoever asked for a change is told once it is done."""
        if op == "run":
            return self.run_answer(self._records.many(answer.agents))
        if op in ("spawn", "cancel", "retry") or (op in ("pause", "resume") and answer.agents):
            return views.tickets(self._state, self._records.many(answer.agents), self._clock().mono)
        if op == "wait":
            agents = self.agents(self._records.many(answer.agents), usage=False)
            return {"agents": agents, "timed_out": answer.timed_out}
        if op in ("session-new", "session-close"):
            return {"session": self.session_map(self._records.session(answer.subject or ""))}
        if op == "budget":
            return self.budget_map(answer.subject or "")
        if op == "stop":
            return {"living": len(self._state.living), "agents": sorted(self._state.living, key=number_of)}
        return views.limit(self._state)

    def first_waited_for(self, answer: Answer) -> dict[str, object]:
        """What a client is told that waited for any number of agents: of a page of them, and the ids of the others."""
        agents = self.agents(self._records.many(answer.agents[:PAGE]), usage=False)
        count = fitting(agents)
        return {"agents": agents[:count], "timed_out": answer.timed_out, "more": answer.agents[count:]}

    def run_answer(self, agents: list[Agent]) -> dict[str, object]:
        """The reply to whoever began the run of these agents."""
        member = agents[0].spec.member
        run = self._records.run(member.run if member else "")
        return {"run": views.whole_run_map(run, agents), **views.tickets(self._state, agents, self._clock().mono)}

    def _counts(self, run: Run) -> Mapping[str, int]:
        """The members of a run by status; of those that are over the run itself knows."""
        counts = Counter(ending.status for ending in run.ended.values())
        going = (AgentId(mate.agent) for path, mate in run.members.items() if path not in run.ended)
        return counts + Counter(self._state.agents[one].shown_status for one in going)

    def skills(self, asked: operations.Skills) -> dict[str, object]:
        """How long agents of these skills took."""
        known = self._store.skills(asked.names)
        found = {name: {"seconds": seconds, "samples": samples} for name, (seconds, samples) in known.items()}
        return {"skills": found, "limit": views.limit(self._state)}

    def sessions(self, caller: Caller, asked: operations.Sessions) -> dict[str, object]:
        """One page of sessions, newest first; an agent is shown its own."""
        if (own := self._naming.session_of(caller)) is not None:
            return {"sessions": [self.session_map(self._records.session(own))], "more": None}
        found = self._store.sessions(asked.before, RUNS_PAGE + 1, asked.project)
        more = number_of_session(found[RUNS_PAGE - 1].id) if len(found) > RUNS_PAGE else None
        return {"sessions": [self.session_map(one) for one in found[:RUNS_PAGE]], "more": more}

    def session_status(self, caller: Caller, asked: operations.SessionStatus) -> dict[str, object]:
        """A session with one page of its agents, newest first."""
        session = self._naming.session_asked(caller, asked)
        root = self._naming.root_of(caller)
        numbers = self._store.in_session(session.id, asked.before, PAGE + 1, None if root is None else number_of(root))
        shown, more = self._page(numbers, usage=False)
        return {"session": self.session_map(session), "agents": shown[::-1], "more": more}

    def _page(self, numbers: list[int], *, usage: bool) -> tuple[list[dict[str, object]], int | None]:
        """The first page of `numbers`, newest first: its agents as they stand, and where the next one begins."""
        page = numbers[:PAGE]
        shown = self.agents(self._records.many(map(agent_id, reversed(page))), usage=usage)
        count = fitting(shown[::-1])
        return shown[len(shown) - count :], page[count - 1] if count < len(numbers) else None

    def session_map(self, session: Session) -> dict[str, object]:
        """A session as it stands now."""
        now = self._state.sessions.get(session.id, session)
        return views.session_map(now, self._state.in_sessions.get(session.id, 0))

    def budget_map(self, text: str) -> dict[str, object]:
        """What a session or run may cost."""
        scope = self._records.scope(text)
        return {"id": scope.id, **views.budget_map(scope)}

    def _selected(self, caller: Caller, asked: operations.Status) -> list[int]:
        root = self._naming.root_of(caller)
        listing = self._listing
        return listing.all(asked.before, root, PAGE + 1) if asked.all else listing.current(asked.before, root)

    def _named(self, agents: list[Agent], *, usage: bool) -> list[dict[str, object]]:
        """Agents in full. How one is shown that is over stays as it is, and clients ask for the same ones."""
        known = self._records.shown
        unknown = [agent for agent in agents if agent.id not in known]
        made = {agent.id: shown for agent, shown in zip(unknown, self.agents(unknown, usage=usage), strict=True)}
        self._records.show({agent.id: made[agent.id] for agent in unknown})
        return [made.get(agent.id) or known[agent.id] for agent in agents]

    def agents(self, agents: list[Agent], *, usage: bool) -> list[dict[str, object]]:
        """Agents in full, sampled if asked."""
        if not agents:
            return []
        living = [(agent.id, agent.attempt) for agent in agents if agent.status in LIVING] if usage else []
        sampled = self._processes.usage(living) if living else {}
        children = self._store.children(agent.number for agent in agents)
        now = self._clock().mono
        return [
            views.agent_map(
                self._home,
                self._state,
                agent,
                now,
                children.get(agent.number, []),
                sampled.get((agent.id, agent.attempt)),
            )
            for agent in agents
        ]

    def limit(self) -> dict[str, object]:
        """The limit as it stands."""
        return views.limit(self._state)

    def config(self) -> dict[str, object]:
        """The settings in force, without tables: variables in them may be secrets."""
        return views.config(self._home, self._state, self.in_force())

    def logs(self, caller: Caller, asked: operations.Logs) -> dict[str, object]:
        """Where the output of an attempt is. Raises WireError when there was no such attempt."""
        if views.canonical_run(asked.id) is not None:
            raise WireError(
                "bad-request", f"{asked.id} is a run, and has no output of its own: name one of its members"
            )
        (agent,) = self._naming.seen(caller, (asked.id,))
        attempt = asked.attempt or agent.attempt
        if attempt > agent.attempt or not attempt:
            made = f"it had {agent.attempt}" if agent.attempt else f"it is {agent.shown_status} and has not started"
            raise WireError("no-log", f"{agent.id} has no attempt {attempt or 1}: {made}")
        return {
            "id": agent.id,
            "attempt": attempt,
            "attempts": agent.attempt,
            "path": files_of(self._home, agent.id, attempt).log,
            "over": agent.is_over or attempt < agent.attempt,
        }

    def output(self, caller: Caller, asked: remote_operations.Output) -> dict[str, object]:
        """A piece of the output of an attempt, for whoever cannot open the file. Raises WireError as `logs` does."""
        place = self.logs(caller, operations.Logs(asked.id, asked.attempt))
        found = piece(str(place["path"]), asked.offset, asked.count)
        kept = {key: place[key] for key in ("id", "attempt", "over")}
        return {**kept, **found._asdict()}

    def events(self, caller: Caller, asked: operations.Events) -> dict[str, object]:
        """The facts after a sequence number, oldest first."""
        root = self._naming.root_of(caller)
        if asked.agent is None:
            facts = self._store.facts(asked.since, asked.count, number_of(root) if root else None)
        else:
            (agent,) = self._naming.seen(caller, (asked.agent,))
            facts = self._store.facts_about(agent, asked.since, asked.count)
        shown = [views.fact_map(fact) for fact in facts]
        return {
            "events": shown[: fitting(shown)],
            "last": self._store.last_seq(),
            "pruned": self._store.pruned.seq,
        }


QUERIES: dict[type, Callable[[Queries, Caller, Any], dict[str, object]]] = {
    operations.Status: lambda queries, caller, asked: queries.status(caller, asked),
    operations.Why: lambda queries, caller, asked: queries.why(caller, asked),
    operations.Runs: lambda queries, caller, asked: queries.runs(caller, asked),
    operations.RunStatus: lambda queries, caller, asked: queries.run_status(caller, asked),
    operations.Skills: lambda queries, _, asked: queries.skills(asked),
    operations.Sessions: lambda queries, caller, asked: queries.sessions(caller, asked),
    operations.SessionStatus: lambda queries, caller, asked: queries.session_status(caller, asked),
    operations.Logs: lambda queries, caller, asked: queries.logs(caller, asked),
    remote_operations.Output: lambda queries, caller, asked: queries.output(caller, asked),
    operations.Events: lambda queries, caller, asked: queries.events(caller, asked),
    operations.Daemon: lambda queries, _, __: queries.daemon(),
    operations.Config: lambda queries, _, __: queries.config(),
    operations.Limit: lambda queries, _, __: queries.limit(),
    operations.Budget: lambda queries, _, asked: queries.budget_map(asked.id),
}
