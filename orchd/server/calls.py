"""Permitted requests, rows of the table of operations, and results of operations."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

from orchd.core.effects import Answer
from orchd.core.inputs import Input
from orchd.core.state.agents import RequestId
from orchd.network.callers import Caller
from orchd.network.peers import Peer


class Reply(NamedTuple):
    """A result that is sent at once, and an input to decide after it."""

    result: object
    then: Input | None = None


Result = Input | Answer | Reply | None
"""What an operation comes to: an input whose effects reply, a reply, or None when the reply follows later."""


class Operation(NamedTuple):
    """A row of the table: all that the daemon knows of an operation beside the docstring of its shape."""

    shape: type
    role: str  # the least role of a key that may ask for it
    # functions of a Context
    run: Callable[[Any, Call, Any], Result]
    reply: Callable[[Any, Call, Answer], object] | None = None  # the result, once the core has answered
    for_agents: bool = False  # an agent may ask for it; the objects that it names are checked one by one
    is_stored: bool = False  # repeated with the same id, it is done once, and the reply survives the daemon
    is_question: bool = False  # it changes nothing, so a mistake in it need not end the daemon
    starts_agents: bool = False
    applies: Callable[[Any], bool] | None = None  # whether this row, of all with the same shape, is meant


class Call(NamedTuple):
    """A permitted request with the row of its operation."""

    id: RequestId
    op: str
    args: Any  # of the shape of the operation
    operation: Operation
    caller: Caller
    peer: Peer


PendingRequests = dict[RequestId, Call]
"""The requests that are not answered yet."""
