"""The operation that spawns agents."""

from __future__ import annotations

from collections.abc import Mapping

from orchd.core import inputs
from orchd.core.effects import Answer
from orchd.protocol import operations, specs
from orchd.protocol.errors import WireError
from orchd.server.calls import Call
from orchd.server.context import Context
from orchd.server.operations.specs import bases, check_results, parent_of, scope_of, spec_of, tree_size
from orchd.views.agents import canonical, canonical_run, canonical_session
from orchd.views.agents import tickets as tickets_of


def spawn(context: Context, call: Call, args: operations.Spawn) -> inputs.SpawnAgents:
    """Return the input that spawns agents, as children of a caller that the kernel proves to be an agent."""
    parent = parent_of(call.caller, args.parent)
    for name in (spec.name for spec in args.agents if spec.name):
        meant = canonical(name) or canonical_run(name) or canonical_session(name)
        if meant is not None:
            raise WireError(
                "bad-request", f"the name {name!r} is not allowed: commands read it as {meant}; choose another name"
            )
    names = {specs.name_of(spec) for spec in args.agents}
    wanted = tuple(
        spec_of(context, call.caller, args, spec, names, base)
        for spec, base in zip(
            args.agents, bases(context, call.caller, args, [spec.env for spec in args.agents]), strict=True
        )
    )
    scope = scope_of(context, args.project or args.cwd) if parent is None else None
    size = tree_size(context, parent)
    check_results(context, wanted)
    return inputs.SpawnAgents(call.id, parent, wanted, args.no_queue, size, scope)


def tickets(context: Context, _: Call, answer: Answer) -> Mapping[str, object]:
    """Return each agent of a request with its status and its position in the queue."""
    return tickets_of(context.state, context.records.many(answer.agents), context.clock().mono)
