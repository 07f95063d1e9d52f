"""Requests as the core's inputs: names resolved, defaults filled in, secrets put away."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from orchd.core import inputs
from orchd.core.state.agents import Agent, AgentId, Attributes, Condition, RequestId, Spec, State, Status, agent_id
from orchd.core.state.runs import Group, Plan
from orchd.core.state.spending import Budget
from orchd.dag import durations
from orchd.instance import environment as variables
from orchd.instance import runner_config
from orchd.instance.config import Config, resident_of
from orchd.instance.system import inherited
from orchd.network.callers import Caller, agent_of
from orchd.network.permissions import check_sight
from orchd.network.roles import Visitor
from orchd.processes.resource_limits import Held, bounds_of
from orchd.protocol import attributes as wire_attributes
from orchd.protocol import operations
from orchd.protocol import specs as agentspec
from orchd.protocol.errors import WireError
from orchd.server.dependencies import dependencies_of
from orchd.server.resolver import Naming
from orchd.store.database import Store
from orchd.store.environments import Environments
from orchd.store.spawn_inputs import Given
from orchd.views.agents import canonical, canonical_run, canonical_session
from orchd.views.registry import Records


class _Base(NamedTuple):
    """What all agents of one request get of their caller."""

    environment: str  # its digest
    attributes: Attributes | None
    choose: Callable[[Mapping[str, str]], str]  # what runs work that names no runner, by variables of its own


def limits_of(config: Config, request: RequestId | None) -> inputs.SetLimit:
    """The input for the core that sets the limit to that of a configuration."""
    return inputs.SetLimit(request, config.limit, resident_of(config), by_command=False)


class Translator:
    """Makes inputs. Raises WireError for what names nobody, or somebody that the caller may not touch."""

    def __init__(
        self,
        state: State,
        store: Store,
        records: Records,
        naming: Naming,
        environments: Environments,
        given: Given,
        config: Config,
        held: Callable[[], Held],
    ) -> None:
        self._state = state
        self._store = store
        self._records = records
        self._naming = naming
        self._environments = environments
        self._given = given
        self._held = held
        self.heed(config)

    def limit(self, request: RequestId, asked: operations.Limit) -> inputs.SetLimit:
        """A change of the limit."""
        if asked.reset:
            return limits_of(self._config, request)
        return inputs.SetLimit(request, asked.limit, asked.resident)

    def heed(self, config: Config) -> None:
        """Fill in what this configuration says from now on."""
        self._config = config
        self._runners = config.known_runners

    def spawn(self, request: RequestId, caller: Caller, asked: operations.Spawn) -> inputs.SpawnAgents:
        """The agents that are to be, under whoever the kernel says is calling."""
        parent = self._parent(caller, asked.parent)
        _check_names(asked.agents)
        asked = replace(asked, env=_environment(caller, asked.env))
        names = {agentspec.name_of(spec) for spec in asked.agents}
        bases = self._bases(caller, asked, [spec.env for spec in asked.agents])
        specs = tuple(
            self._spec(caller, asked, spec, names, base) for spec, base in zip(asked.agents, bases, strict=True)
        )
        kin = self._store.kin(self._state.agents[parent].root) if parent else 0
        scope = self._scope(parent, asked.project or asked.cwd)
        self._check_results(specs)
        return inputs.SpawnAgents(request, parent, specs, asked.no_queue, kin, scope)

    def run(self, request: RequestId, caller: Caller, asked: operations.Run) -> inputs.BeginRun:
        """The run that is to be, with what is known of how long its members take."""
        parent = self._parent(caller, asked.parent)
        asked = replace(asked, env=_environment(caller, asked.env))
        bases = self._bases(caller, asked, [member.agent.env for member in asked.members])
        plan = Plan(
            name=asked.name,
            groups=tuple(
                Group(group.path, group.max_parallel, group.on_failure == "fail-fast", group.required)
                for group in asked.groups
            ),
            cwd=asked.cwd,
            task_id=asked.task_id,
            results=asked.results,
        )
        parts = tuple(self._part(caller, asked, member, one) for member, one in zip(asked.members, bases, strict=True))
        known = self._store.skills({part.spec.skill for part in parts if part.spec.skill})
        seconds = {part.path: known[part.spec.skill][0] if part.spec.skill in known else None for part in parts}
        tokens = {member.path: member.agent.tokens for member in asked.members}
        after = {group.path: group.after for group in asked.groups if group.after}
        kin = self._store.kin(self._state.agents[parent].root) if parent else 0
        scope = self._scope(parent, asked.project or asked.cwd)
        budget = Budget(asked.max_tokens, asked.max_cost)
        return inputs.BeginRun(request, parent, plan, parts, after, durations(seconds, tokens), kin, scope, budget)

    def _bases(
        self, caller: Caller, asked: operations.Spawn | operations.Run, changes: Sequence[Mapping[str, str]]
    ) -> list[_Base]:
        """What each agent gets of its caller, by the variables of its own; programs are looked for once a request."""
        known = self._runners
        names = (variables.ENV_DEFAULT_RUNNER, "PATH")

        @cache
        def chosen(*values: str) -> str:
            return known.chosen(dict(zip(names, values, strict=True)))

        def choose(own: Mapping[str, str]) -> str:
            return chosen(*(own.get(name, asked.env.get(name, "")) for name in names))

        attributes = self._attributes(caller, asked.attributes)
        return [_Base(environment, attributes, choose) for environment in self._keep_all(asked.env, changes)]

    def session_new(self, request: RequestId, asked: operations.SessionNew) -> inputs.OpenSession:
        """The session that is to be."""
        budget = Budget(asked.max_tokens, asked.max_cost)
        return inputs.OpenSession(request, self._scope_in(asked.project), asked.name, budget)

    def session_close(self, request: RequestId, asked: operations.SessionClose) -> inputs.CloseSession:
        """Which session to close."""
        session = self._records.session(asked.id)
        self._records.keep(session)
        return inputs.CloseSession(request, session.id)

    def budget(self, request: RequestId, asked: operations.Budget) -> inputs.SetBudget:
        """What may cost how much."""
        found = self._records.scope(asked.id)
        self._records.keep(found)
        old = Budget() if asked.unlimited else found.budget
        tokens = asked.max_tokens if asked.max_tokens is not None else old.tokens
        cost = asked.max_cost if asked.max_cost is not None else old.cost_usd
        return inputs.SetBudget(request, found.id, Budget(tokens, cost))

    def _scope(self, parent: AgentId | None, directory: str) -> inputs.Scope | None:
        """Where a person's agents belong; those of an agent belong where it does."""
        return self._scope_in(directory) if parent is None else None

    def _scope_in(self, directory: str) -> inputs.Scope:
        if (session := self._records.session_in(directory)) is not None:
            self._records.keep(session)
        return inputs.Scope(directory)

    def _check_results(self, specs: Iterable[Spec], own: Container[AgentId] = ()) -> None:
        """No result is written over: neither that of an agent that has completed, nor that of one that may. Whoever is
        tried again may write over what an attempt of its `own` has left."""
        named = Counter(spec.result for spec in specs if spec.result)
        if doubled := [result for result, count in named.items() if count > 1]:
            raise WireError("name-taken", f"two of this request have the result {doubled[0]}: give each its own name")
        for writer in (one for one in self._store.writers(named) if one.id not in own):
            agent = self._state.agents.get(writer.id, writer)
            if agent.is_over and not (agent.status is Status.COMPLETED and _is_there(agent.spec.result)):
                continue
            raise WireError(
                "name-taken",
                f"{agent.spec.name!r} is taken: {agent.id} ({agent.status.value}) has the result {agent.spec.result}; "
                "take another name, or move that file away first",
            )
        for result, number in self._store.written_by(named).items():
            if _is_there(result):
                raise WireError(
                    "name-taken",
                    f"the result {result} is that of {agent_id(number)}, which completed and was pruned; "
                    "take another name, or move that file away first",
                )

    def _part(self, caller: Caller, asked: operations.Run, member: agentspec.RunMember, base: _Base) -> inputs.Part:
        if member.agent.after:
            raise WireError("bad-request", f"run: {member.path}: say what it comes after beside `agent`, not in it")
        spec = self._spec(caller, asked, member.agent, set(), base)
        variables = tuple(sorted(member.variables.items()))
        spec = replace(spec, name=member.agent.name or member.path, variables=variables)
        return inputs.Part(member.path, spec, member.after, member.required)

    def _spec(
        self,
        caller: Caller,
        asked: operations.Spawn | operations.Run,
        spec: agentspec.AgentSpec,
        names: set[str],
        base: _Base,
    ) -> Spec:
        config = self._config
        after, conditions = dependencies_of(spec.after, names, lambda text: self._after(caller, text, names))
        return Spec(
            command=spec.command,
            runner=_runner(spec, self._runners, base.choose),
            model=spec.model,
            name=agentspec.name_of(spec),
            cwd=spec.cwd or asked.cwd,
            environment=base.environment,
            goal=spec.goal,
            skill=spec.skill,
            task_id=spec.task_id,
            stdin=self._stdin(spec),
            output_dir=spec.output_dir,
            result=spec.result,
            worktree=spec.worktree,
            base=spec.base,
            tokens=spec.tokens,
            after=after,
            conditions=conditions,
            priority=spec.priority,
            nesting=spec.nesting,
            timeout=spec.timeout if spec.timeout is not None else config.timeout,
            silence=spec.silence if spec.silence is not None else config.silence,
            grace=spec.grace if spec.grace is not None else config.grace,
            retries=spec.retries,
            attributes=base.attributes,
            **bounds_of(spec, config, self._held()),
        )

    def _parent(self, caller: Caller, claimed: str | None) -> AgentId | None:
        parent = agent_of(caller)
        if claimed is not None and canonical(claimed) != parent:
            who = parent or "no agent"
            raise WireError("forbidden", f"the parent cannot be {claimed!r}: the kernel says that {who} is calling")
        return parent

    def _after(self, caller: Caller, wanted: str, names: set[str]) -> AgentId:
        if wanted in names:
            return AgentId(wanted)  # another of the same request; the core gives it its id
        root = self._naming.root_of(caller)
        agent = self._records.recall(wanted, root)
        check_sight(caller, root, agent)
        if agent.id in names:  # which the core, that knows no other form of an id, would take it for
            said = (
                f"`after` {wanted!r} is {agent.id}, and another of this request has that for a name: name it otherwise"
            )
            raise WireError("ambiguous", said)
        return agent.id

    def _stdin(self, spec: agentspec.AgentSpec) -> str | None:
        if spec.input is None:
            return spec.stdin
        if spec.stdin is not None:
            raise WireError("bad-request", f"both `stdin` {spec.stdin!r} and `input` are given: leave one of them out")
        try:
            return self._given.inputs.keep(spec.input)
        except OSError as error:
            what = f"the standard input cannot be written down: {error.strerror}"
            raise WireError("cannot-store", f"{what}; make room for it and ask again") from None

    def _keep(self, environment: Mapping[str, str]) -> str:
        return self._keep_all(environment, [{}])[0]

    def _keep_all(self, base: Mapping[str, str], changes: Iterable[Mapping[str, str]]) -> list[str]:
        """The digests of `base` with each of `changes`."""
        try:
            return self._environments.keep_all(_shared(base), map(_shared, changes))
        except OSError as error:
            raise WireError(
                "cannot-store", f"the environment cannot be written down: {error.strerror}; mend that and ask again"
            ) from None

    def cancel(self, request: RequestId, caller: Caller, asked: operations.Cancel) -> inputs.Cancel:
        """Whom to end."""
        return inputs.Cancel(request, self._unfinished(caller, asked.ids))

    def pause(self, request: RequestId, caller: Caller, asked: operations.Pause) -> inputs.Pause | inputs.PauseAgents:
        """Admissions, or the agents that are named."""
        if asked.ids:
            return inputs.PauseAgents(request, self._unfinished(caller, asked.ids), asked.release_slot)
        if asked.release_slot:
            raise WireError("bad-request", "`release_slot` is for agents: give `ids`, or leave it out")
        return inputs.Pause(request)

    def resume(
        self, request: RequestId, caller: Caller, asked: operations.Resume
    ) -> inputs.Resume | inputs.ResumeAgents:
        """Admissions, or the agents that are named."""
        return (
            inputs.ResumeAgents(request, self._unfinished(caller, asked.ids)) if asked.ids else inputs.Resume(request)
        )

    def _unfinished(self, caller: Caller, ids: tuple[str, ...]) -> tuple[AgentId, ...]:
        return self._naming.commanded(caller, ids, lambda end: end is None)

    def retry(self, request: RequestId, caller: Caller, asked: operations.Retry) -> inputs.Retry:
        """Which agents to try again, each in the environment that it was spawned with, and `env` over it."""
        ids = self._naming.commanded(caller, asked.ids, lambda end: end is not None and not end.is_good)
        if not ids:
            raise WireError(
                "cannot-retry", f"{', '.join(asked.ids)}: no member ended badly, so there is none to try again"
            )
        for one in ids:
            self._check_blockers(self._state.agents[one])
        self._check_results([self._state.agents[one].spec for one in ids], ids)
        attributes = self._attributes(caller, asked.attributes) if asked.attributes is not None else None
        if asked.resume_session:
            _check_sessions(self._state.agents[one] for one in ids)
        for one in ids:
            self._given.retries.restore_input(self._state.agents[one])
        environments = tuple(self._environment_again(caller, asked, one) for one in ids)
        return inputs.Retry(request, ids, environments, attributes, asked.resume_session)

    def _attributes(self, caller: Caller, sent: wire_attributes.Attributes | None) -> Attributes | None:
        """Those of the caller's process, but for a umask that the configuration sets; none from another machine."""
        found = None if sent is None or isinstance(caller, Visitor) else _attributes(sent)
        if (umask := self._config.umask) is None:
            return found
        return replace(found or Attributes(), umask=int(umask, 8))

    def _environment_again(self, caller: Caller, asked: operations.Retry, agent: AgentId) -> str:
        if asked.current_env:
            return self._keep(_environment(caller, asked.env))
        known = self._state.agents[agent]
        if known.is_over and known.status is not Status.COMPLETED:
            return self._keep({**self._given.retries.environment(agent), **asked.env})
        return known.spec.environment  # the core refuses it: it completed, or is not finished

    def _check_blockers(self, agent: Agent) -> None:
        """One that never started may have come after one that did not complete; of one that is gone nobody knows."""
        conditions = dict(agent.spec.conditions)
        gone = [
            one
            for one in agent.spec.after
            if one not in self._state.agents and conditions.get(one) is not Condition.ANY
        ]
        if gone and not agent.attempt:
            raise WireError(
                "pruned",
                f"{agent.id} never started, and how {gone[0]}, which it comes after, ended is unknown: "
                "that agent was pruned; spawn it anew",
            )


def _check_sessions(agents: Iterable[Agent]) -> None:
    for agent in agents:
        report = agent.outcome.report if agent.outcome else None
        if report is None or report.session_id is None:
            raise WireError(
                "no-session", f"{agent.id}: no session of its CLI is known; retry it without --resume-session"
            )


def _attributes(sent: wire_attributes.Attributes) -> Attributes:
    limits = tuple((name, soft, hard) for name, (soft, hard) in sorted(sent.limits.items()))
    return Attributes(sent.umask, sent.nice, sent.policy, sent.cpus, limits, sent.oom_score_adj)


def _environment(caller: Caller, sent: dict[str, str]) -> dict[str, str]:
    """What an agent gets: on another machine there is no environment to bring along, so this daemon's is the base."""
    return {**inherited.without_descriptors(os.environ), **sent} if isinstance(caller, Visitor) else sent


def _shared(environment: Mapping[str, str]) -> dict[str, str]:
    """Without the variables that are set for each agent anew."""
    return {name: value for name, value in environment.items() if name not in variables.OF_ONE_AGENT}


def _is_there(path: str | None) -> bool:
    return os.path.exists(path or "")  # noqa: PTH110 - unlike that of Path it raises nothing


def _runner(
    spec: agentspec.AgentSpec, known: runner_config.Runners, choose: Callable[[Mapping[str, str]], str]
) -> str | None:
    """What is between the daemon and the agent; None for a command, which is started as it is."""
    if not spec.has_work:
        raise WireError("bad-request", "nothing to run: give a command, or a goal for a runner")
    if spec.runner is not None:
        return known.known(spec.runner)
    return None if spec.command else choose(spec.env)


def _check_names(specs: Iterable[agentspec.AgentSpec]) -> None:
    """Raises WireError for a name that every command would take for the id of something else."""
    for name in (spec.name for spec in specs if spec.name):
        meant = canonical(name) or canonical_run(name) or canonical_session(name)
        if meant is not None:
            raise WireError("bad-request", f"the name {name!r} means {meant} to every command: choose another name")
