"""Converts the arguments of a request into the shape of its operation."""

from __future__ import annotations

from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.protocol.schema import ShapeError, parse


def shaped(op: str, args: dict[str, object]) -> operations.Request:
    """Return the checked arguments. Raises WireError for an unknown operation or arguments that do not fit."""
    shape = operations.OPS.get(op)
    if shape is None:
        raise WireError("unknown-op", f"unknown operation {op!r:.60}; valid operations are {', '.join(operations.OPS)}")
    try:
        return parse(shape, args)
    except ShapeError as error:
        path = (error.path or "").removeprefix(".")
        # a path that is not printable may hold characters that cannot be packed
        details = {"unknown": path} if error.unknown is not None and path.isprintable() else None
        raise WireError("bad-request", f"{op}: {error}", details) from None
