"""Handlers of news about processes, named after their inputs."""

from __future__ import annotations

from orchd.core.effects import CheckOutput, Freeze, Kill, Release, Terminate, Thaw, WatchCaller
from orchd.core.handlers import returning, stalls
from orchd.core.handlers.backoff import HOLD_SECONDS, MOST_HOLD_SECONDS, backoff, next_seed
from orchd.core.handlers.schedule import cancel_children, refuse_waits, stop
from orchd.core.inputs import (
    Admit,
    Adopted,
    CallerGone,
    DiskSpaceChanged,
    Exited,
    NeverRan,
    OutputSeen,
    OverMemory,
    Spawned,
    SpawnFailed,
    StoodStill,
    Tick,
    TreeGone,
    WorkedWhileWaiting,
)
from orchd.core.state.agents import Agent, Oom, Outcome, Status, StopReason
from orchd.core.state.events import (
    AgentCancelled,
    AgentCompleted,
    AgentFailed,
    AgentHeard,
    AgentLost,
    AgentTimedOut,
    AttemptDeferred,
    AttemptRetried,
    AttemptStarted,
    AttemptVoided,
    KillBegan,
    ProcessEnded,
    RunnerLimited,
    StopBegan,
)
from orchd.core.state.state import State
from orchd.core.turn import Turn

_MARGIN = 16  # disk pressure ends with this part more than the floor
LONGEST_HOLD = 8 * 86_400.0  # seconds: the longest of the known rate limits is counted by the week
MEMORY = "memory"  # the reason of an agent that took more than it may: scripts may rely on it
MACHINES = "the kernel's OOM killer killed a process on this machine while it ran"


def spawned(turn: Turn, given: Spawned) -> None:
    """Record the pid before the gate opens: a crash in between leaves an agent that never ran."""
    turn.record(AttemptStarted(given.agent, given.attempt, given.pid, given.cgroup, given.unmet))
    turn.do(Release(given.agent, given.attempt))


def spawn_failed(turn: Turn, given: SpawnFailed) -> None:
    """End the agent where it is at fault. Where the machine is at fault, hold all starts for a short time, which grows
    as long as the machine refuses."""
    if given.is_passing:
        hold = min(MOST_HOLD_SECONDS, HOLD_SECONDS * 2.0 ** min(turn.state.refusals, 20))
        turn.record(AttemptVoided(given.agent, given.attempt, given.reason, hold, given.remedy))
    else:
        turn.record(AgentFailed(given.agent, given.reason))


def exited(turn: Turn, given: Exited) -> None:
    """Record the end of the process. Its slot is given back when its whole tree is gone."""
    if (agent := turn.current(given.agent, given.attempt)) is None:
        return
    if agent.outcome is None:
        refuse_waits(turn, agent)
        turn.record(ProcessEnded(agent.id, agent.attempt, given.outcome))
    if given.is_tree_gone:
        conclude(turn, agent, given.note)
    else:
        _end_tree(turn, agent)


def never_ran(turn: Turn, given: NeverRan) -> None:
    """Queue the agent again, which is safe, unless it was being stopped."""
    if (agent := turn.current(given.agent, given.attempt)) is None:
        return
    if agent.cause is StopReason.CANCELLED:
        turn.record(AgentCancelled(agent.id, agent.reason or "cancelled", agent.because))
    else:
        turn.record(AttemptVoided(agent.id, agent.attempt, "it never ran: the daemon or its shim ended first"))


def tree_gone(turn: Turn, given: TreeGone) -> None:
    """Conclude the attempt: no process of its tree is left, so the slot is free."""
    agent = turn.current(given.agent, given.attempt)
    if agent is not None and agent.outcome is not None:
        conclude(turn, agent, None)


def adopted(turn: Turn, given: Adopted) -> None:
    """Continue what was being done with an attempt that outlived its daemon."""
    if (agent := turn.current(given.agent, given.attempt)) is None:
        return
    if agent.status is Status.STOPPING:
        _end_tree(turn, agent)
    else:  # the daemon may have died between a commit and what it was to do after it
        turn.do((Freeze if agent.has_frozen_tree else Thaw)(agent.id, agent.attempt))
    for wait in agent.waits.values():
        turn.do(WatchCaller(agent.id, wait.request))


def _end_tree(turn: Turn, agent: Agent) -> None:
    """Request the signal again that was due: a restarted shell does not know the requests to its predecessor."""
    turn.do((Terminate if agent.kill_at is not None else Kill)(agent.id, agent.attempt))


def caller_gone(turn: Turn, given: CallerGone) -> None:
    """Return the agent to work, if there is a slot for it: no client is blocked any more."""
    agent = turn.state.living.get(given.agent)
    if agent is not None and given.request in agent.waits:
        returning.caller_gone(turn, agent, given.request)


def worked_while_waiting(turn: Turn, given: WorkedWhileWaiting) -> None:
    """Count the agent as working: its wait is not what keeps it from working."""
    agent = turn.current(given.agent, given.attempt)
    if agent is None or agent.status is not Status.WAITING or agent.has_frozen_tree:
        return
    if turn.state.is_strict:
        returning.work_seen(turn, agent)


def heard(turn: Turn, given: OutputSeen) -> None:
    """Record that the agent was silent for `ago` seconds."""
    agent = turn.current(given.agent, given.attempt)
    if agent is None or agent.status is not Status.RUNNING or agent.heard is None:
        return
    if turn.now - given.ago > agent.heard:
        turn.record(AgentHeard(agent.id, agent.attempt, given.ago))
    if (end := silence_at(agent)) is not None and end <= turn.now:
        stop(turn, agent, StopReason.SILENCE, f"no output for {agent.spec.silence:g} s")


def over_memory(turn: Turn, given: OverMemory) -> None:
    """Kill the tree without a grace period: it would take more memory from others in the meantime."""
    agent = turn.current(given.agent, given.attempt)
    if agent is None or (agent.status is Status.STOPPING and agent.kill_at is None):
        return
    if agent.status is not Status.STOPPING:
        refuse_waits(turn, agent)
        turn.record(StopBegan(agent.id, agent.attempt, StopReason.MEMORY, MEMORY))
    turn.record(KillBegan(agent.id, agent.attempt))
    turn.do(Kill(agent.id, agent.attempt))


def stood_still(turn: Turn, given: StoodStill) -> None:
    """Record stalled agents without an event: `settle` announces it while it lasts, and every daemon measures anew."""
    current = (turn.current(agent, attempt) for agent, attempt in given.attempts)
    turn.state.standing = frozenset(agent.id for agent in current if agent is not None)


def disk_space_changed(turn: Turn, given: DiskSpaceChanged) -> None:
    """Record disk pressure without an event: a full disk could not store it, and every daemon measures anew."""
    turn.state.has_disk_pressure = lacks_room(given.free, given.floor, was_short=turn.state.has_disk_pressure)


def lacks_room(free: int, floor: int, *, was_short: bool) -> bool:
    """Whether fewer bytes are free than required. Disk pressure ends a sixteenth above the floor, so that it does not
    flap."""
    return free < floor + (floor // _MARGIN if was_short else 0)


def admit(turn: Turn, given: Admit) -> None:
    """Do nothing: `settle`, which follows every input, starts the next agents."""


def tick(turn: Turn, given: Tick) -> None:  # noqa: ARG001 - every handler takes its input
    """Handle the deadlines that have passed."""
    if (end := stalls.due_at(turn.state)) is not None and end <= turn.now:
        for agent in turn.state.living.values():  # which of them has been quiet longest
            turn.ask(CheckOutput(agent.id, agent.attempt))
    for agent in list(turn.state.living.values()):
        if agent.status is Status.STOPPING:
            if agent.kill_at is not None and agent.kill_at <= turn.now:
                turn.record(KillBegan(agent.id, agent.attempt, agent.because))
                turn.do(Kill(agent.id, agent.attempt))
        elif (end := timeout_at(agent)) is not None and end <= turn.now:
            stop(turn, agent, StopReason.TIMEOUT, f"timed out after {agent.spec.timeout:g} s")
        elif (end := silence_at(agent)) is not None and end <= turn.now:
            turn.ask(CheckOutput(agent.id, agent.attempt))


def timeout_at(agent: Agent) -> float | None:
    """Return when the attempt times out (mono). Time spent lacking only a slot, or paused, does not count."""
    timeout, started = agent.spec.timeout, agent.started
    return None if timeout is None or started is None or agent.held_since is not None else started + timeout


def silence_at(agent: Agent) -> float | None:
    """Return when to check whether the attempt has been silent for too long. A blocked or paused agent may be
    silent."""
    silence, last = agent.spec.silence, agent.heard
    if silence is None or last is None or agent.status is not Status.RUNNING or agent.is_paused:
        return None
    return last + silence


def conclude(turn: Turn, agent: Agent, note: str | None) -> None:
    """Record what becomes of the agent whose tree is gone, by why it was stopped and how it ended."""
    code = agent.outcome.code if agent.outcome else None
    if agent.cause is StopReason.CANCELLED:
        turn.record(AgentCancelled(agent.id, agent.reason or "cancelled", agent.because))
    elif agent.cause is StopReason.ENDED and code == 0:
        turn.record(AgentCompleted(agent.id))
        return
    elif (limited := _rate_limit_of(agent)) is not None and not _is_cut_short(turn.state, agent):
        _defer(turn, agent, *limited)
    else:
        _retry_or_end(turn, agent, note or agent.reason)
    cancel_children(turn, agent, f"its parent {agent.id} did not complete")


def _rate_limit_of(agent: Agent) -> tuple[str, float, str] | None:
    """Return the runner whose service rate-limited the attempt, until when (wall), and the message of the service."""
    report = agent.outcome.report if agent.outcome else None
    if (
        agent.cause is not StopReason.ENDED
        or agent.spec.runner is None
        or report is None
        or report.limited_until is None
    ):
        return None
    return agent.spec.runner, report.limited_until, report.reason or ""


def _defer(turn: Turn, agent: Agent, runner: str, until: float, message: str) -> None:
    """Queue the agent until the time its service gave, at no cost to its retries, up to a bound: some rate limits never
    end."""
    until = min(max(until, turn.at.wall + HOLD_SECONDS), turn.at.wall + LONGEST_HOLD)
    known = turn.state.holds.get(runner)
    if known is None or known.wall < until:
        turn.record(RunnerLimited(runner, until, message))
    since = turn.at.wall if agent.limited_since is None else agent.limited_since
    bound = None
    if agent.rate_limits >= turn.state.rate_limit_waits:
        bound = f"and it has already waited {agent.rate_limits} times (`rate_limit_waits`)"
    elif until - since > turn.state.rate_limit_time:
        bound = f"and it would wait {until - since:.0f} s in total, more than `rate_limit_time`"
    words = f": {message}" if message else ""
    if bound is not None:
        turn.record(AgentFailed(agent.id, f"{runner} was rate-limited, {bound}{words}"))
    else:
        turn.record(AttemptDeferred(agent.id, agent.attempt, f"{runner} was rate-limited{words}"))


def _retry_or_end(turn: Turn, agent: Agent, note: str | None) -> None:
    """Queue another attempt of the agent while it has retries left; otherwise record by what it ended."""
    is_lost = agent.cause is StopReason.ENDED and (agent.outcome is None or agent.outcome.code is None)
    outcome = agent.outcome or Outcome(None)
    reported = outcome.report.reason if outcome.report else None
    reason = note or ("it ended without an exit record" if is_lost else reported or f"exit code {outcome.code}")
    if agent.cause is StopReason.MEMORY:
        reason = MEMORY
    elif outcome.oom is Oom.MACHINE and agent.cause is StopReason.ENDED:
        reason = f"{reason}; {MACHINES}"
    if agent.tries < agent.spec.retries and not _is_cut_short(turn.state, agent):
        delay = backoff(agent.tries, turn.state.seed)
        turn.record(AttemptRetried(agent.id, agent.attempt, reason, delay, next_seed(turn.state.seed)))
    elif agent.cause in (StopReason.TIMEOUT, StopReason.SILENCE):
        turn.record(AgentTimedOut(agent.id, reason))
    elif is_lost:
        turn.record(AgentLost(agent.id, reason))
    else:
        turn.record(AgentFailed(agent.id, reason))


def _is_cut_short(state: State, agent: Agent) -> bool:
    """Whether the run of the agent has no use for another attempt."""
    member = agent.spec.member
    return member is not None and state.runs[member.run].is_cut_short(member.path)
