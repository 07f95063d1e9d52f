"""What a request asks: its arguments in the shape of its operation, and whether it changes something."""

from __future__ import annotations

from orchd.wire import WireError, ops
from orchd.wire.shapes import ShapeError, build


def shaped(op: str, args: dict[str, object]) -> ops.Request:
    """The arguments, checked. Raises WireError for what fits no operation."""
    shape = ops.OPS.get(op)
    if shape is None:
        raise WireError("unknown-op", f"{op!r:.60} is no operation; there are {', '.join(ops.OPS)}")
    try:
        return build(shape, args)
    except ShapeError as error:
        raise WireError("bad-request", f"{op}: {error}") from None


def right_of(op: str, asked: ops.Request) -> str:
    """The name by which rights know an operation: pausing agents is another right than pausing admissions."""
    return f"{op} ID" if isinstance(asked, ops.Pause | ops.Resume) and asked.ids else op


def is_change(asked: ops.Request) -> bool:
    """Whether an operation that shows a number is asked to change it."""
    if isinstance(asked, ops.Budget):
        return asked != ops.Budget(asked.id)
    return isinstance(asked, ops.Limit) and asked != ops.Limit()
