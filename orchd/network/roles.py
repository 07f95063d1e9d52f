"""Roles of remote keys: each role includes the permissions of the roles below it."""

from __future__ import annotations

from dataclasses import dataclass

from orchd.protocol.errors import WireError
from orchd.protocol.remote_operations import ROLES

VIEWER, USER, ADMIN = ROLES


@dataclass(frozen=True, slots=True)
class RemoteClient:
    """A client on another machine, identified by its key. It is never inside an agent."""

    key: str
    role: str

    def __str__(self) -> str:
        return f"the key {self.key}"


def check_role(remote_client: RemoteClient, op: str, least: str) -> None:
    """Raise WireError `forbidden` when the role of the client's key is below `least`, the role that `op` needs."""
    if ROLES.index(remote_client.role) < ROLES.index(least):
        message = (
            f"permission denied: `{op}` needs the role {least}, and {remote_client} has the role {remote_client.role}"
        )
        raise WireError("forbidden", message)
