"""Every operation: its shape, its permitted callers, its function and its reply. The only such table."""

from __future__ import annotations

from orchd.network.roles import ADMIN, USER, VIEWER
from orchd.protocol import operations as shapes
from orchd.protocol import remote_operations as remote
from orchd.server.calls import Operation
from orchd.server.operations import agents, control, daemon, keys, logs, runs, sessions, spawn

# An operation that is another right with other arguments has a row for each: of these the first that applies counts.
OPERATIONS: dict[str, Operation] = {
    "spawn": Operation(
        shapes.Spawn, USER, spawn.spawn, spawn.tickets, for_agents=True, is_stored=True, starts_agents=True
    ),
    "run": Operation(shapes.Run, USER, runs.run, runs.begun, for_agents=True, is_stored=True, starts_agents=True),
    "runs": Operation(shapes.Runs, VIEWER, runs.runs, for_agents=True, is_question=True),
    "run-status": Operation(shapes.RunStatus, VIEWER, runs.run_status, for_agents=True, is_question=True),
    "skills": Operation(shapes.Skills, VIEWER, daemon.skills, for_agents=True, is_question=True),
    "sessions": Operation(shapes.Sessions, VIEWER, sessions.sessions, for_agents=True, is_question=True),
    "session-status": Operation(
        shapes.SessionStatus, VIEWER, sessions.session_status, for_agents=True, is_question=True
    ),
    "session-new": Operation(shapes.SessionNew, USER, sessions.session_new, sessions.session, is_stored=True),
    "session-close": Operation(shapes.SessionClose, USER, sessions.session_close, sessions.session, is_stored=True),
    "budget AMOUNT": Operation(
        shapes.Budget, ADMIN, sessions.set_budget, sessions.budget, is_stored=True, applies=sessions.sets_budget
    ),
    "budget": Operation(shapes.Budget, VIEWER, sessions.show_budget, is_question=True),
    "status": Operation(shapes.Status, VIEWER, agents.status, for_agents=True, is_question=True),
    "why": Operation(shapes.Why, VIEWER, agents.why, for_agents=True, is_question=True),
    "wait": Operation(shapes.Wait, VIEWER, agents.wait, agents.waited, for_agents=True),
    "cancel": Operation(shapes.Cancel, USER, control.cancel, spawn.tickets, for_agents=True, is_stored=True),
    "retry": Operation(
        shapes.Retry, USER, control.retry, spawn.tickets, for_agents=True, is_stored=True, starts_agents=True
    ),
    "pause ID": Operation(
        shapes.Pause,
        USER,
        control.pause_agents,
        control.paused_or_resumed,
        for_agents=True,
        is_stored=True,
        applies=control.names_agents,
    ),
    "pause": Operation(shapes.Pause, ADMIN, control.pause, control.limit, is_stored=True),
    "resume ID": Operation(
        shapes.Resume,
        USER,
        control.resume_agents,
        control.paused_or_resumed,
        for_agents=True,
        is_stored=True,
        applies=control.names_agents,
    ),
    "resume": Operation(shapes.Resume, ADMIN, control.resume, control.limit, is_stored=True),
    "limit NUMBER": Operation(
        shapes.Limit, ADMIN, control.set_limit, control.limit, is_stored=True, applies=control.sets_limit
    ),
    "limit": Operation(shapes.Limit, VIEWER, control.show_limit, for_agents=True, is_question=True),
    "logs": Operation(shapes.Logs, VIEWER, logs.logs, for_agents=True, is_question=True),
    "output": Operation(remote.Output, VIEWER, logs.output, is_question=True),
    "events": Operation(shapes.Events, VIEWER, daemon.events, for_agents=True, is_question=True),
    "listen": Operation(remote.Listen, VIEWER, keys.listen),
    "prune": Operation(shapes.Prune, ADMIN, daemon.prune),
    "daemon": Operation(shapes.Daemon, VIEWER, daemon.daemon, for_agents=True, is_question=True),
    "config": Operation(shapes.Config, VIEWER, daemon.config, is_question=True),
    "reload": Operation(shapes.Reload, ADMIN, daemon.reload),
    "stop": Operation(shapes.Stop, ADMIN, daemon.stop, daemon.stopped),
    "keys": Operation(remote.Keys, ADMIN, keys.keys),
    "key-authorize": Operation(remote.KeyAuthorize, ADMIN, keys.authorize),
    "key-revoke": Operation(remote.KeyRevoke, ADMIN, keys.revoke),
}


def row_of(args: object) -> Operation:
    """Return the row that a request means."""
    of_shape = (row for row in OPERATIONS.values() if row.shape is type(args))
    return next(row for row in of_shape if row.applies is None or row.applies(args))
