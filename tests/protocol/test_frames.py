"""Frames: bytes in, a map with known keys out, or WireError; and nothing else, whatever the bytes."""

from __future__ import annotations

import os
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.protocol.errors import WireError
from orchd.protocol.frames import (
    MAX_FRAME,
    VERSION,
    pack_error,
    pack_hint,
    pack_request,
    pack_result,
    request_id_of,
    unpack_hint,
    unpack_reply,
    unpack_request,
)

# what os.fsdecode makes of any bytes, so of every argument and path
BYTES_AS_TEXT = st.binary(max_size=20).map(os.fsdecode)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | BYTES_AS_TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(BYTES_AS_TEXT, inner, max_size=4),
    max_leaves=12,
)
IDS = st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=1, max_size=64)


def packed(**body: Any) -> bytes:
    """A frame as no client of ours makes it."""
    return bytes(msgpack.packb(body, unicode_errors="surrogateescape"))


def request(**changed: Any) -> bytes:
    """A right request with something changed in it; None leaves a key out."""
    body = {"v": VERSION, "id": "r1", "op": "status", "args": {}, **changed}
    return packed(**{key: value for key, value in body.items() if value is not ...})


def code_of(frame: bytes) -> str:
    """The code with which a request is refused."""
    with pytest.raises(WireError) as caught:
        unpack_request(frame)
    return caught.value.code


@given(IDS, BYTES_AS_TEXT, st.dictionaries(BYTES_AS_TEXT, VALUES, max_size=5))
def test_a_request_with_non_utf_8_bytes_round_trips(request_id: str, op: str, args: dict[str, Any]) -> None:
    assert unpack_request(pack_request(request_id, op, args)) == (request_id, op, args)


@given(IDS, VALUES)
def test_a_result_round_trips(request_id: str, result: Any) -> None:
    assert unpack_reply(pack_result(request_id, result)) == (request_id, result, None)


@given(IDS, BYTES_AS_TEXT, BYTES_AS_TEXT, st.dictionaries(BYTES_AS_TEXT, VALUES, max_size=3))
def test_an_error_round_trips(request_id: str, code: str, message: str, details: dict[str, Any]) -> None:
    reply = unpack_reply(pack_error(request_id, WireError(code, message, details)))
    assert (reply.id, reply.result) == (request_id, None)
    assert reply.error is not None
    assert (reply.error.code, reply.error.message, reply.error.details) == (code, message, details)


@given(st.integers(0, 2**63))
def test_a_hint_round_trips(seq: int) -> None:
    assert unpack_hint(pack_hint(seq)) == seq


@given(st.binary(max_size=200))
def test_any_bytes_unpack_or_raise_a_wire_error(frame: bytes) -> None:
    for unpack in (unpack_request, unpack_reply, unpack_hint):
        try:
            unpack(frame)
        except WireError as error:
            assert error.code in {"bad-frame", "bad-version", "bad-request"}  # noqa: PT017 - either outcome is right
    assert isinstance(request_id_of(frame), str)


@given(st.sampled_from(["v", "id", "op", "args"]), VALUES)
def test_a_request_with_one_field_replaced_is_right_or_refused(field: str, value: Any) -> None:
    try:
        request_id, op, args = unpack_request(request(**{field: value}))
    except WireError as error:
        assert error.code in {"bad-version", "bad-request"}  # noqa: PT017 - either outcome is right
    else:
        assert (type(request_id), type(op), type(args)) == (str, str, dict)


@pytest.mark.parametrize("version", [0, 2, None, "1", True, 1.0, ..., [1], "x" * 5000, b"x"])
def test_the_version_is_checked_before_any_other_field(version: Any) -> None:
    with pytest.raises(WireError) as caught:
        unpack_request(request(v=version, id=None, op=None, args=None))
    assert caught.value.code == "bad-version"
    assert len(caught.value.message) < 200


@pytest.mark.parametrize("depth", [900, 1000, 1010, 1020])
def test_a_deeply_nested_version_is_a_bad_version(depth: int) -> None:
    with pytest.raises(WireError, match="bad-version"):
        unpack_request(b"\x81\xa1v" + b"\x91" * depth + b"\xc0")


@pytest.mark.parametrize("wrong", ["", "x" * 65, 7, None, ..., ["r"], "\udcff", "a\nb", "a\0b"])
def test_an_id_is_1_to_64_printable_characters(wrong: Any) -> None:
    assert code_of(request(id=wrong)) == "bad-request"
    assert request_id_of(request(id=wrong)) == ""


@pytest.mark.parametrize("request_id", ["x", "x" * 64, "anfrage-é"])
def test_an_id_of_1_to_64_printable_characters_is_accepted(request_id: str) -> None:
    assert unpack_request(request(id=request_id)).id == request_id_of(request(id=request_id)) == request_id


@pytest.mark.parametrize("op", [None, 7, ["status"], ...])
def test_an_op_is_a_string(op: Any) -> None:
    assert code_of(request(op=op)) == "bad-request"


@pytest.mark.parametrize("args", [None, 7, [], "x", {b"key": 1}])
def test_args_are_a_map_with_string_keys(args: Any) -> None:
    assert code_of(request(args=args)) == "bad-request"


def test_args_may_be_left_out() -> None:
    assert unpack_request(request(args=...)).args == {}


@pytest.mark.parametrize(
    "frame", [b"", b"\xc1", b"\x81", b"\x01", b"\x90", b"\xc0", packed(v=1) + b"more", b"\x81\x01\x02", b"\x91" * 5000]
)
def test_a_malformed_frame_is_refused_as_a_bad_frame(frame: bytes) -> None:
    assert code_of(frame) == "bad-frame"
    assert request_id_of(frame) == ""


def test_lists_that_claim_to_be_long_take_no_memory() -> None:
    claim = b"\xdd\x00\x70\x00\x00"
    assert code_of(claim * (MAX_FRAME // len(claim))) == "bad-frame"


def test_a_frame_of_the_largest_size_is_read_and_one_byte_more_is_too_large() -> None:
    room = MAX_FRAME - len(request(args={"x": "y" * 70_000})) + 70_000
    largest = request(args={"x": "y" * room})
    assert len(largest) == MAX_FRAME
    assert len(str(unpack_request(largest).args["x"])) == room
    assert code_of(request(args={"x": "y" * (room + 1)})) == "too-large"


@pytest.mark.parametrize("seq", [None, "1", 1.5, ...])
def test_a_hint_without_a_number_is_a_bad_frame(seq: Any) -> None:
    with pytest.raises(WireError, match="no sequence number"):
        unpack_hint(packed(v=1, **({} if seq is ... else {"seq": seq})))


@pytest.mark.parametrize("body", [{"ok": True, "result": 1}, {"id": 7, "ok": True}])
def test_a_reply_without_an_id_is_a_bad_frame(body: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="has no id"):
        unpack_reply(packed(**body))


@pytest.mark.parametrize("body", [{"ok": False}, {"ok": 1, "result": 1}, {"error": "no"}, {}])
def test_a_reply_that_is_neither_result_nor_error_is_a_bad_frame(body: dict[str, Any]) -> None:
    with pytest.raises(WireError, match="neither"):
        unpack_reply(packed(id="r1", **body))


def test_an_error_without_details_has_an_empty_map() -> None:
    error = unpack_reply(packed(id="r1", ok=False, error={"code": "x", "message": "y", "details": 7})).error
    assert error is not None
    assert error.details == {}
