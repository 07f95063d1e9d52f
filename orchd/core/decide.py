"""Decides inputs: one input in, events and effects out.

Theory of operation. An input is a request of a user or agent, or news of the outside world. Its handler records what
happened (events, applied to the state as they are recorded) and what the shell is to do about it (effects). Then
`settle` draws the consequences, the same ones after every input: waits that have ended, agents that return, agents that
may start. So no handler has to trigger the scheduler, and every way in - spawn, retry, recovery, a raised limit -
passes the same admission.

Two effects are questions: `Launch` and `CheckOutput`. They are answered before the events of the turn are committed,
and the answers are decided in the same turn. A process is therefore made before its admission is on disk, but behind a
gate that is only opened (`Release`) after: if the daemon dies in between, the gate's other end closes and the process
leaves without having run. For the same reason no other input ever sees an agent that is `starting`.

Time is an argument. Nothing here looks at a clock; `next_deadline` says when the next Tick is due.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from orchd.core import inputs
from orchd.core.handlers import control, pausing, processes, run, sessions, spawn, stalls
from orchd.core.handlers import wait as waiting
from orchd.core.handlers.processes import silence_at, timeout_at
from orchd.core.handlers.schedule import settle
from orchd.core.state.agents import Status
from orchd.core.state.state import State
from orchd.core.turn import Turn

HANDLERS: dict[type, Callable[[Turn, Any], None]] = {
    inputs.SpawnAgents: spawn.spawn_agents,
    inputs.BeginRun: run.begin_run,
    inputs.BeginWait: waiting.begin_wait,
    inputs.CallerGone: processes.caller_gone,
    inputs.Cancel: control.cancel,
    inputs.Retry: control.retry,
    inputs.Pause: control.pause,
    inputs.Resume: control.resume,
    inputs.PauseAgents: pausing.pause_agents,
    inputs.ResumeAgents: pausing.resume_agents,
    inputs.SetLimit: control.set_limit,
    inputs.OpenSession: sessions.open_session,
    inputs.CloseSession: sessions.close_session,
    inputs.SetBudget: sessions.set_budget,
    inputs.Drain: control.drain,
    inputs.Spawned: processes.spawned,
    inputs.SpawnFailed: processes.spawn_failed,
    inputs.Exited: processes.exited,
    inputs.NeverRan: processes.never_ran,
    inputs.TreeGone: processes.tree_gone,
    inputs.Adopted: processes.adopted,
    inputs.OutputSeen: processes.heard,
    inputs.OverMemory: processes.over_memory,
    inputs.WorkedWhileWaiting: processes.worked_while_waiting,
    inputs.StoodStill: processes.stood_still,
    inputs.DiskSpaceChanged: processes.disk_space_changed,
    inputs.Admit: processes.admit,
    inputs.Tick: processes.tick,
}


def decide(turn: Turn, given: inputs.Input) -> None:
    """Handle `given`, then settle once all questions of the turn are answered: of agents that were admitted together
    the launch of one may fail, and a consequence may be the end of another that is still `starting`."""
    HANDLERS[type(given)](turn, given)
    if not turn.questions:
        settle(turn)


def next_deadline(state: State) -> float | None:
    """Return when a Tick is due, on the monotonic clock; None while no deadline is set."""
    due = [state.queue.next_due(), stalls.due_at(state)]
    if len(state.queue):
        due += [until.mono for until in state.holds.values()]
        if state.spawn_backoff_until:
            due.append(state.spawn_backoff_until)
    for agent in state.living.values():
        if agent.status is Status.STOPPING:
            due.append(agent.kill_at)
            continue
        due += [timeout_at(agent), silence_at(agent)]
        is_withheld = agent.held_since is not None  # the wait it was blocked in has ended, whatever its deadline was
        due += [wait.deadline for wait in agent.waits.values() if wait.is_background or not is_withheld]
    return min((moment for moment in due if moment is not None), default=None)
