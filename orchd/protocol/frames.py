"""Frames: msgpack maps, versioned. Bytes in, a map with known keys out, or WireError."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import msgpack

from orchd.protocol.errors import WireError

VERSION = 1
MAX_FRAME = 8 * 1024 * 1024
MOST = 10_000  # agents, or ids, of one request: it is decided as a whole, and others wait meanwhile
_MAX_ID = 64


class Request(NamedTuple):
    """One request as received: `args` is not checked yet, which needs the shape of the operation."""

    id: str
    op: str
    args: dict[str, object]


class ReplyFrame(NamedTuple):
    """One reply: exactly one of `result` and `error` is set."""

    id: str
    result: object
    error: WireError | None


def pack_request(request_id: str, op: str, args: Mapping[str, object]) -> bytes:
    """Return `{v, id, op, args}`. The client makes the id, so that a request that is sent twice is performed once."""
    return _pack({"v": VERSION, "id": request_id, "op": op, "args": args})


def pack_result(request_id: str, result: object) -> bytes:
    """Return `{v, id, ok: true, result}`."""
    return _pack({"v": VERSION, "id": request_id, "ok": True, "result": result})


def pack_error(request_id: str, error: WireError) -> bytes:
    """Return `{v, id, ok: false, error: {code, message, details}}`."""
    body = {"code": error.code, "message": error.message, "details": error.details}
    return _pack({"v": VERSION, "id": request_id, "ok": False, "error": body})


def pack_hint(seq: int) -> bytes:
    """Return the frame that PUB sends after a commit: the sequence number of the newest event, and nothing else."""
    return _pack({"v": VERSION, "seq": seq})


def unpack_hint(frame: bytes) -> int:
    """Return the sequence number of the newest event. Raises WireError `bad-frame` or `too-large`."""
    seq = _unpack(frame).get("seq")
    if not isinstance(seq, int):
        raise WireError("bad-frame", "the hint has no sequence number")
    return seq


def unpack_request(frame: bytes) -> Request:
    """Return a request with a valid envelope. Raises WireError `bad-frame`, `too-large`, `bad-version`, `bad-request`.

    The version is checked first.
    """
    body = _unpack(frame)
    version = body.get("v")
    if type(version) is not int or version != VERSION:
        text = repr(version)[:40] if isinstance(version, int | str) else type(version).__name__
        raise WireError(
            "bad-version",
            f"this daemon uses protocol version {VERSION}, the request {text}; upgrade and restart the older one",
        )
    request_id, op, args = body.get("id"), body.get("op"), body.get("args", {})
    if not isinstance(request_id, str) or not _is_id(request_id):
        raise WireError("bad-request", f"id must be a string of 1 to {_MAX_ID} printable characters")
    if not isinstance(op, str):
        raise WireError("bad-request", "op must be a string")
    if not isinstance(args, dict) or not all(isinstance(key, str) for key in args):
        raise WireError("bad-request", "args must be a map with string keys")
    return Request(request_id, op, args)


def request_id_of(frame: bytes) -> str:
    """Return the id of an invalid request, for the reply to it; empty when even that cannot be read."""
    try:
        request_id = _unpack(frame).get("id")
    except WireError:
        return ""
    return request_id if isinstance(request_id, str) and _is_id(request_id) else ""


def _is_id(text: str) -> bool:
    """Return whether `text` is a valid id. Bytes that are not UTF-8 arrive unprintable, and no database takes them."""
    return 0 < len(text) <= _MAX_ID and text.isprintable()


def unpack_reply(frame: bytes) -> ReplyFrame:
    """Return a reply; an error in it is returned, not raised. Raises WireError `bad-frame` or `too-large`."""
    body = _unpack(frame)
    request_id = body.get("id")
    if not isinstance(request_id, str):
        raise WireError("bad-frame", "the reply has no id")
    if body.get("ok") is True:
        return ReplyFrame(request_id, body.get("result"), None)
    error = body.get("error")
    if not isinstance(error, dict):
        raise WireError("bad-frame", "the reply is neither a result nor an error")
    details = error.get("details")
    return ReplyFrame(
        request_id,
        None,
        WireError(str(error.get("code")), str(error.get("message")), details if isinstance(details, dict) else {}),
    )


def _pack(body: Mapping[str, object]) -> bytes:
    # arguments and environments are bytes on Linux: what is not UTF-8 comes through unharmed (PEP 383)
    packed: bytes = msgpack.packb(body, use_bin_type=True, unicode_errors="surrogateescape")
    return packed


def _unpack(frame: bytes) -> dict[str, object]:
    if len(frame) > MAX_FRAME:
        raise WireError("too-large", f"a frame may have at most {MAX_FRAME} bytes, not {len(frame)}")
    try:
        body = msgpack.unpackb(frame, raw=False, strict_map_key=True, unicode_errors="surrogateescape")
    except (ValueError, msgpack.UnpackException) as error:
        raise WireError("bad-frame", f"not a msgpack map: {error or type(error).__name__}") from None
    if not isinstance(body, dict):
        raise WireError("bad-frame", f"a frame must be a map, not {type(body).__name__}")
    return body
