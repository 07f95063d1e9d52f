"""Operations that locate and read the output of agents."""

from __future__ import annotations

from typing import NamedTuple

from orchd.core.admission.why import never_ran
from orchd.core.state.agents import Agent
from orchd.processes.attempt_files import files_of
from orchd.protocol import operations, remote_operations
from orchd.protocol.errors import WireError
from orchd.server.calls import Call, Reply
from orchd.server.context import Context
from orchd.server.output import piece
from orchd.views.agents import canonical_run


class AttemptLog(NamedTuple):
    """The output of one attempt."""

    agent: Agent
    attempt: int
    path: str

    @property
    def is_finished(self) -> bool:
        """Return whether nothing more is written to it."""
        return self.agent.is_over or self.attempt < self.agent.attempt


def logs(context: Context, call: Call, args: operations.Logs) -> Reply:
    """Return where the output of an attempt is. Raises WireError when there was no such attempt."""
    log = _log(context, call, args.id, args.attempt)
    return Reply(
        {
            "id": log.agent.id,
            "attempt": log.attempt,
            "attempts": log.agent.attempt,
            "path": log.path,
            "over": log.is_finished,
        }
    )


def output(context: Context, call: Call, args: remote_operations.Output) -> Reply:
    """Return a piece of an attempt's output, for clients without the file. Raises WireError as `logs` does."""
    log = _log(context, call, args.id, args.attempt)
    read = piece(log.path, args.offset, args.count)
    return Reply({"id": log.agent.id, "attempt": log.attempt, "over": log.is_finished, **read._asdict()})


def _log(context: Context, call: Call, agent_id: str, attempt: int | None) -> AttemptLog:
    if canonical_run(agent_id) is not None:
        raise WireError("bad-request", f"{agent_id} is a run and has no output; give one of its members")
    (agent,) = context.resolver.seen(call.caller, (agent_id,))
    number = attempt or agent.attempt
    if number > agent.attempt or not number:
        made = (
            f"its last attempt is {agent.attempt}"
            if agent.attempt
            else f"it is {agent.shown_status} and has not started; `orchctl why {agent.id}` shows the reason"
        )
        raise WireError("no-log", f"{agent.id} has no attempt {number or 1}: {made}")
    if never_ran(agent) and number == agent.attempt:
        what = f"{agent.id} has no output, because it could not be started"
        raise WireError("no-log", f"{what}; `orchctl why {agent.id}` shows the reason")
    return AttemptLog(agent, number, files_of(context.home, agent.id, number).log)
