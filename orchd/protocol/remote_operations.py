"""Operations for clients on other machines, and operations on their keys."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Annotated

from orchd.protocol import bounds
from orchd.protocol.keys import is_key, is_name
from orchd.protocol.schema import Constraint

ROLES = ("viewer", "user", "admin")  # each includes the permissions of the roles before it
MOST_BYTES = 1 << 20  # of one piece of output

_Id = Annotated[str, bounds.NAME]
_KeyName = Annotated[str, Constraint(is_name, "1 to 64 letters, digits, dots, dashes and underscores")]
_Public = Annotated[str, Constraint(is_key, "a public key: 64 hexadecimal digits, as `orchctl keys new` prints it")]
_Role = Annotated[str, Constraint(lambda role: role in ROLES, "viewer, user or admin")]
_Size = Annotated[int, Constraint(lambda count: 1 <= count <= MOST_BYTES, "between 1 and 1,048,576")]


@dataclass(frozen=True, slots=True)
class Keys:
    """Show the authorized keys of other machines. Result: `{keys: [{name, public, role, added_at}], server}`."""


@dataclass(frozen=True, slots=True)
class KeyAuthorize:
    """Authorize the clients that have the secret half of `public`. Result: `{name, public, role, added_at, server}`."""

    key: _KeyName
    public: _Public
    role: _Role


@dataclass(frozen=True, slots=True)
class KeyRevoke:
    """Revoke a key and close its connections. Result: `{name, public, role, added_at}`."""

    key: _KeyName


@dataclass(frozen=True, slots=True)
class Listen:
    """Send hints on this connection, for clients that do not reach `events.sock`. Result: `{last}`."""


@dataclass(frozen=True, slots=True)
class Output:
    """Show a piece of an attempt's output, from `offset` on; below 0 it counts from the end.
    Result: `{id, attempt, over, offset, data, size, gap}`, where `data` are bytes, none of a gap, and `gap` is null or
    `[start, end]`, the first of what was left out that reaches behind `offset`."""

    id: _Id
    attempt: Annotated[int, bounds.AT_LEAST_ONE] | None = None
    offset: int = 0
    count: _Size = MOST_BYTES
