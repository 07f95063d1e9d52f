"""Converts requested agents to specs of the core: names resolved, defaults filled in, secrets stored apart."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import NamedTuple

from orchd.core import inputs
from orchd.core.state.agents import AgentId, ProcessAttributes, Spec, Status, agent_id
from orchd.instance.environment import ENV_DEFAULT_RUNNER, OF_ONE_AGENT
from orchd.instance.system import inherited
from orchd.network.callers import Caller, agent_of
from orchd.network.permissions import check_visible
from orchd.network.roles import RemoteClient
from orchd.processes.resource_limits import limits_of
from orchd.protocol import attributes as wire_attributes
from orchd.protocol import operations, specs
from orchd.protocol.errors import WireError
from orchd.server.context import Context
from orchd.server.dependencies import dependencies_of
from orchd.views.agents import canonical


class Base(NamedTuple):
    """What an agent of a request inherits from its caller."""

    environment: str  # its digest
    attributes: ProcessAttributes | None
    choose: Callable[[Mapping[str, str]], str]  # the runner of work that names none, by the agent's own variables


def bases(
    context: Context,
    caller: Caller,
    args: operations.Spawn | operations.Run,
    changes: Sequence[Mapping[str, str]],
) -> list[Base]:
    """Return a base for each agent; `changes` are their own variables. Programs are looked for once a request."""
    known = context.settings.current.known_runners
    names = (ENV_DEFAULT_RUNNER, "PATH")
    sent = environment_of(caller, args.env)

    @cache
    def chosen(*values: str) -> str:
        return known.chosen(dict(zip(names, values, strict=True)))

    def choose(own: Mapping[str, str]) -> str:
        return chosen(*(own.get(name, sent.get(name, "")) for name in names))

    attributes = attributes_of(context, caller, args.attributes)
    return [Base(digest, attributes, choose) for digest in store_environments(context, sent, changes)]


def spec_of(
    context: Context,
    caller: Caller,
    args: operations.Spawn | operations.Run,
    spec: specs.AgentSpec,
    names: set[str],
    base: Base,
) -> Spec:
    """Return the spec of one agent. `names` are the names of the request's own agents. Raises WireError."""
    config = context.settings.current
    after, conditions = dependencies_of(spec.after, names, lambda text: _blocker(context, caller, text, names))
    if not spec.has_work:
        raise WireError("bad-request", "nothing to run; give a command, or a goal for a runner")
    runner: str | None = None  # a command is started as it is
    if spec.runner is not None:
        runner = config.known_runners.known(spec.runner)
    elif not spec.command:
        runner = base.choose(spec.env)
    return Spec(
        command=spec.command,
        runner=runner,
        model=spec.model,
        name=specs.name_of(spec),
        cwd=spec.cwd or args.cwd,
        environment=base.environment,
        goal=spec.goal,
        skill=spec.skill,
        task_id=spec.task_id,
        stdin=_stdin(context, spec),
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
        **limits_of(spec, config, context.processes.held()),
    )


def _blocker(context: Context, caller: Caller, wanted: str, names: set[str]) -> AgentId:
    """Return the agent that `after` names. Raises WireError for an agent that the caller may not look at."""
    if wanted in names:
        return AgentId(wanted)  # another of the same request; the core gives it its id
    root = context.resolver.root_of(caller)
    agent = context.records.recall(wanted, root)
    check_visible(caller, root, agent)
    if agent.id in names:  # which the core, that knows no other form of an id, would take it for
        raise WireError(
            "ambiguous",
            f"`after` {wanted!r} is {agent.id}, which is also the name of an agent of this request; rename that agent",
        )
    return agent.id


def _stdin(context: Context, spec: specs.AgentSpec) -> str | None:
    if spec.input is None:
        return spec.stdin
    if spec.stdin is not None:
        raise WireError("bad-request", f"both `stdin` {spec.stdin!r} and `input` are given; omit one")
    try:
        return context.given.inputs.keep(spec.input)
    except OSError as error:
        what = f"cannot store the standard input: {error.strerror}"
        raise WireError("cannot-store", f"{what}; fix the cause and retry") from None


def parent_of(caller: Caller, claimed: str | None) -> AgentId | None:
    """Return the calling agent. Raises WireError where the request names another as the parent."""
    parent = agent_of(caller)
    if claimed is not None and canonical(claimed) != parent:
        who = parent or "no agent"
        raise WireError("forbidden", f"the parent cannot be {claimed!r}: the calling process belongs to {who}")
    return parent


def tree_size(context: Context, parent: AgentId | None) -> int:
    """Return how many agents the tree of `parent` has spawned."""
    return context.store.kin(context.state.agents[parent].root) if parent else 0


def scope_of(context: Context, directory: str) -> inputs.Scope:
    """Return the scope of a project; its open session is brought into memory."""
    if (session := context.records.session_in(directory)) is not None:
        context.records.keep(session)
    return inputs.Scope(directory)


def check_results(context: Context, wanted: Iterable[Spec], own: Container[AgentId] = ()) -> None:
    """Raise WireError where a result would overwrite the result of an agent that completed, or that still may.

    The agents in `own` are retried: each may overwrite what an earlier attempt of it wrote.
    """
    named = Counter(spec.result for spec in wanted if spec.result)
    if doubled := [result for result, count in named.items() if count > 1]:
        raise WireError(
            "name-taken", f"two agents of this request have the result {doubled[0]}; give them different names"
        )
    for writer in (agent for agent in context.store.writers(named) if agent.id not in own):
        agent = context.state.agents.get(writer.id, writer)
        if agent.is_over and not (agent.status is Status.COMPLETED and _exists(agent.spec.result)):
            continue
        raise WireError(
            "name-taken",
            f"{agent.spec.name!r} is taken: {agent.id} ({agent.status.value}) has the result {agent.spec.result}; "
            "use another name, or move that file away first",
        )
    for result, number in context.store.written_by(named).items():
        if _exists(result):
            raise WireError(
                "name-taken",
                f"the result {result} was written by {agent_id(number)}, which completed and was pruned; "
                "use another name, or move that file away first",
            )


def _exists(path: str | None) -> bool:
    return os.path.exists(path or "")  # noqa: PTH110 - unlike that of Path it raises nothing


def environment_of(caller: Caller, sent: dict[str, str]) -> dict[str, str]:
    """Return the variables of an agent; variables from another machine are added to the daemon's own."""
    return {**inherited.without_descriptors(os.environ), **sent} if isinstance(caller, RemoteClient) else sent


def store_environments(
    context: Context, base: Mapping[str, str], changes: Iterable[Mapping[str, str]] = ({},)
) -> list[str]:
    """Store `base` with each of `changes`, without the variables that each agent gets anew. Returns the digests."""

    def shared(environment: Mapping[str, str]) -> dict[str, str]:
        return {name: value for name, value in environment.items() if name not in OF_ONE_AGENT}

    try:
        return context.environments.keep_all(shared(base), map(shared, changes))
    except OSError as error:
        raise WireError(
            "cannot-store", f"cannot store the environment: {error.strerror}; fix the cause and retry"
        ) from None


def attributes_of(
    context: Context, caller: Caller, sent: wire_attributes.SentAttributes | None
) -> ProcessAttributes | None:
    """Return the attributes of the caller's process, with the umask of the configuration; none from another machine."""
    attributes = None
    if sent is not None and not isinstance(caller, RemoteClient):
        limits = tuple((name, soft, hard) for name, (soft, hard) in sorted(sent.limits.items()))
        attributes = ProcessAttributes(sent.umask, sent.nice, sent.policy, sent.cpus, limits, sent.oom_score_adj)
    if (umask := context.settings.current.umask) is None:
        return attributes
    return replace(attributes or ProcessAttributes(), umask=int(umask, 8))
