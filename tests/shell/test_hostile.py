"""Whatever comes in over the wire: each gets an error or nothing, and the others are served meanwhile."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchd.wire import MAX_FRAME, pack_request
from tests.conftest import Instance, until
from tests.shell.machine import as_nobody, needs_root

ROOT = Path(__file__).parents[2]
CODES = {line.split("`")[1] for line in (ROOT / "docs/protocol.md").read_text().splitlines() if line.startswith("| `")}
PATIENCE = 20_000  # milliseconds

VALID: dict[str, dict[str, Any]] = {
    "spawn": {"cwd": "/", "env": {"PATH": "/bin"}, "agents": [{"command": ["/bin/true"], "after": [], "nesting": 0}]},
    "status": {"ids": [], "all": False, "before": None, "usage": False},
    "wait": {"ids": ["agent-001"], "scope": "ids", "any": False, "timeout": 0},
    "cancel": {"ids": ["agent-001"]},
    "retry": {"ids": ["agent-001"], "env": {}},
    "pause": {},
    "resume": {},
    "limit": {"limit": 7, "resident": 28},
    "logs": {"id": "agent-001", "attempt": 1},
    "events": {"since": 0, "count": 10},
    "daemon": {},
}
ANYTHING = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**63), 2**64 - 1),
    st.floats(),
    st.text(max_size=20),
    st.binary(max_size=20),
    st.lists(st.integers(0, 9), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(0, 9), max_size=3),
)


@contextmanager
def dealer(instance: Instance, kind: int = zmq.DEALER) -> Iterator[zmq.Socket[bytes]]:
    """A bare socket on the daemon's door."""
    context = zmq.Context()
    made = context.socket(kind)
    made.connect(f"ipc://{instance.home.socket}")
    yield made
    context.destroy(linger=0)


def reply_to(door: zmq.Socket[bytes], frame: bytes) -> dict[str, Any]:
    """What one frame is answered."""
    door.send(frame)
    assert door.poll(PATIENCE), frame[:200]
    return dict(msgpack.unpackb(door.recv(), unicode_errors="surrogateescape"))


def is_served(instance: Instance) -> bool:
    """Whether a well-behaved client gets its answer."""
    with dealer(instance) as door:
        return bool(reply_to(door, pack_request("well-behaved", "daemon", {}))["ok"])


def is_unharmed(instance: Instance) -> bool:
    """Whether the daemon is the one it was, and has nothing to complain of."""
    return instance.daemon is not None and instance.daemon.poll() is None and "Traceback" not in instance.log()


@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=200))
def test_garbage_is_answered_with_an_error(instance: Instance, frame: bytes) -> None:
    with dealer(instance) as door:
        reply = reply_to(door, frame)
        assert not reply["ok"]
        assert reply["error"]["code"] in CODES
    assert is_unharmed(instance)


@settings(max_examples=400, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_valid_request_with_one_field_replaced_gets_an_answer(instance: Instance, data: st.DataObject) -> None:
    op = data.draw(st.sampled_from(sorted(VALID)))
    request: dict[str, Any] = {"v": 1, "id": os.urandom(8).hex(), "op": op, "args": msgpack.unpackb(msgpack.packb(VALID[op]))}
    spots: list[tuple[Any, Any]] = [(request, key) for key in request] + [(request["args"], key) for key in request["args"]]
    if op == "spawn":
        spots += [(request["args"]["agents"][0], key) for key in ("command", "after", "nesting", "timeout", "stdin", "env")]
    place, key = data.draw(st.sampled_from(range(len(spots))).map(lambda index: spots[index]))
    place[key] = data.draw(ANYTHING)
    with dealer(instance) as door:
        reply = reply_to(door, msgpack.packb(request))
        assert reply["ok"] or reply["error"]["code"] in CODES, reply
    assert is_unharmed(instance)


@pytest.mark.parametrize("size", [MAX_FRAME + 1, 9 * 1024 * 1024])
def test_a_frame_that_is_a_little_too_large_is_told_so(instance: Instance, size: int) -> None:
    with dealer(instance) as door:
        assert reply_to(door, b"x" * size)["error"]["code"] == "too-large"
    assert is_served(instance)


def test_a_frame_that_is_much_too_large_is_hung_up_on(instance: Instance) -> None:
    with dealer(instance) as door:
        door.send(b"x" * (2 * MAX_FRAME + 1))
        assert is_served(instance)
        assert not door.poll(100)
    assert is_unharmed(instance)


def test_messages_of_many_parts_are_nobodys(instance: Instance) -> None:
    with dealer(instance) as door:
        door.send_multipart([b"a", b"b", b"c", b"d"])
        assert reply_to(door, pack_request("after", "daemon", {}))["id"] == "after"


def test_a_req_socket_is_served_as_well(instance: Instance) -> None:
    with dealer(instance, zmq.REQ) as door:
        assert reply_to(door, pack_request("req", "daemon", {}))["ok"]


def test_bytes_that_are_no_zeromq_hurt_nobody(instance: Instance) -> None:
    sockets = [socket.socket(socket.AF_UNIX) for _ in range(50)]
    for number, one in enumerate(sockets):
        one.connect(str(instance.home.socket))
        if number % 2:
            one.send(b"GET / HTTP/1.1\r\n\r\n" * 10)
    assert is_served(instance)
    for one in sockets:
        one.close()
    assert is_unharmed(instance)


def test_a_client_that_never_reads_costs_a_bounded_amount(instance: Instance) -> None:
    """Its replies are dropped, for it alone, when enough of them lie there."""
    assert instance.daemon is not None
    agents = [{"command": ["/bin/true"], "goal": "x" * 2000}] * 400
    with instance.client() as client:
        client.call("pause")
        client.call("spawn", {"agents": agents, "cwd": "/"})
    with dealer(instance) as door:
        door.set(zmq.SNDHWM, 0)
        for number in range(1500):
            door.send(pack_request(f"n{number}", "status", {"usage": False}), zmq.NOBLOCK)
        assert is_served(instance)
        status = Path(f"/proc/{instance.daemon.pid}/status").read_text()
        resident = int(next(line.split()[1] for line in status.splitlines() if line.startswith("VmRSS"))) / 1024
    assert resident < 700, f"{resident} MB"
    assert is_served(instance)


def test_five_hundred_clients_at_once(instance: Instance) -> None:
    context = zmq.Context()
    context.set(zmq.MAX_SOCKETS, 1023)
    doors = [context.socket(zmq.DEALER) for _ in range(500)]
    for number, door in enumerate(doors):
        door.connect(f"ipc://{instance.home.socket}")
        door.send(pack_request(f"client-{number}", "limit", {}))
    for number, door in enumerate(doors):
        assert door.poll(PATIENCE), number
        assert msgpack.unpackb(door.recv())["id"] == f"client-{number}"
    context.destroy(linger=0)
    assert is_unharmed(instance)


def test_clients_that_come_and_go_leave_nothing_open(instance: Instance) -> None:
    assert instance.daemon is not None
    descriptors = Path(f"/proc/{instance.daemon.pid}/fd")

    def visit() -> None:
        one = instance.spawn("sleep", "1000")
        with dealer(instance) as door:
            door.send(pack_request(os.urandom(8).hex(), "wait", {"ids": [one]}))
            assert reply_to(door, pack_request(os.urandom(8).hex(), "daemon", {}))["ok"]
        instance.ctl("cancel", one)
        instance.ctl("wait", one, code=1)

    visit()
    before = len(list(descriptors.iterdir()))
    for _ in range(10):
        visit()
    until(lambda: len(list(descriptors.iterdir())) <= before + 1)


def test_the_same_request_from_two_connections_is_done_once(instance: Instance) -> None:
    frame = pack_request("the-same", "spawn", VALID["spawn"])
    with dealer(instance) as first, dealer(instance) as second:
        assert reply_to(first, frame)["result"] == reply_to(second, frame)["result"]
        assert len(instance.status("--all")["agents"]) == 1


@needs_root
def test_another_user_is_refused_by_the_kernels_word(instance: Instance) -> None:
    def ask() -> str:
        with dealer(instance) as door:
            return str(reply_to(door, pack_request("stranger", "spawn", VALID["spawn"]))["error"]["code"])

    assert "PermissionError" in as_nobody(lambda: os.stat(instance.home.socket))  # the directory is closed to them
    instance.directory.chmod(0o711)
    instance.home.socket.chmod(0o666)
    assert "forbidden" in as_nobody(ask)
    assert "refused a request of uid 65534" in instance.log()
    assert instance.status("--all")["agents"] == []
