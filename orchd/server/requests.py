"""What a request asks: its arguments in the shape of its operation, and whether it changes something."""

from __future__ import annotations

from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.protocol.schema import ShapeError, build


def shaped(op: str, args: dict[str, object]) -> operations.Request:
    """The arguments, checked. Raises WireError for what fits no operation."""
    shape = operations.OPS.get(op)
    if shape is None:
        raise WireError("unknown-op", f"{op!r:.60} is no operation; there are {', '.join(operations.OPS)}")
    try:
        return build(shape, args)
    except ShapeError as error:
        raise WireError("bad-request", f"{op}: {error}") from None


def right_of(op: str, asked: operations.Request) -> str:
    """The name by which rights know an operation: pausing agents is another right than pausing admissions."""
    return f"{op} ID" if isinstance(asked, operations.Pause | operations.Resume) and asked.ids else op


def is_change(asked: operations.Request) -> bool:
    """Whether an operation that shows a number is asked to change it."""
    if isinstance(asked, operations.Budget):
        return asked != operations.Budget(asked.id)
    return isinstance(asked, operations.Limit) and asked != operations.Limit()
