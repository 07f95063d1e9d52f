"""Values that the daemon sends and clients compare: statuses of agents, the events of their ends, simulated costs."""

from __future__ import annotations

QUEUED, COMPLETED = "queued", "completed"
ALIVE = ("starting", "running", "waiting", "paused", "stopping")  # `paused` stands for running or waiting
UNFINISHED = (QUEUED, *ALIVE)
FINISHED = ("cancelled", COMPLETED, "failed", "lost", "skipped", "timed-out")
FAILED = ("failed", "timed-out", "lost")  # by themselves: cancelled and skipped agents have not failed

SIMULATED = "simulated"  # no service was used: tokens and dollars count in no budget and no sum

ENDS = {f"agent-{status}": status for status in FINISHED}  # events by which an agent is finished
AGAIN = {f"attempt-{how}": how for how in ("retried", "deferred", "voided")}  # by which an attempt ends before another
