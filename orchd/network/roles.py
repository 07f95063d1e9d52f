"""What each role of a key may ask: one table, into which a new op has to be put. What is not there is nobody's."""

from __future__ import annotations

from dataclasses import dataclass

from orchd.protocol.errors import WireError
from orchd.protocol.remote_operations import ROLES

VIEWER, USER, ADMIN = ROLES

LEAST: dict[str, str] = {
    **dict.fromkeys(("status", "why", "wait", "logs", "output", "events", "listen", "daemon", "config"), VIEWER),
    **dict.fromkeys(("limit", "runs", "run-status", "skills", "sessions", "session-status", "budget"), VIEWER),
    **dict.fromkeys(("spawn", "run", "cancel", "retry", "session-new", "session-close"), USER),
    **dict.fromkeys(("pause", "resume", "reload", "stop", "prune", "keys", "key-authorize", "key-revoke"), ADMIN),
}
"""The least role that may ask for an op. `limit` and `budget` show at this role; to change them is for an admin."""


NAMED = {"pause ID": USER, "resume ID": USER}
"""The same for operations on agents that are named, where this is another right."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """A client on another machine, by the key that it has shown to have. It is never inside an agent."""

    key: str
    role: str

    def __str__(self) -> str:
        return f"the key {self.key}"


def check_role(visitor: Visitor, op: str, *, is_change: bool) -> None:
    """Raises WireError `forbidden` when the role of the visitor's key does not go so far."""
    least = ADMIN if is_change else NAMED.get(op, LEAST.get(op))
    if least is None or ROLES.index(visitor.role) < ROLES.index(least):
        who = f"a key with the role {least}" if least else "the machine it runs on"
        raise WireError("forbidden", f"{visitor} has the role {visitor.role}: `{op}` is for {who}")
