"""Clients that keep to no rules get an error or nothing, and all other clients are served meanwhile."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orchd.protocol.frames import MAX_FRAME
from orchd.protocol.operations import OPS
from tests.conftest import DEADLINE, Instance, until
from tests.support.machine import as_nobody, descriptors, needs_root, status_of
from tests.support.raw import PATIENCE, Raw, packed, provoked_codes, request
from tests.support.valid_requests import ANYTHING, args_of, broken

CODES = provoked_codes()
GREETING = b"\xff" + b"\0" * 8 + b"\x7f\x03\x00NULL" + b"\0" * 16 + b"\0" + b"\0" * 31  # ZMTP 3.0
LONG = {"command": ["sleep", "600"]}
# Examples share one daemon, which is what a hostile client would do too.
SHARED = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], max_examples=25)


@pytest.fixture
def served(instance: Instance) -> Iterator[Instance]:
    """A daemon with a well-behaved client, who is served all the time and at the end, by the same daemon."""
    pid = instance.daemon.pid
    over = threading.Event()
    replies: list[int] = []
    troubles: list[str] = []

    def behave() -> None:
        with Raw(instance.home) as raw:
            while not (over.wait(0.02) and replies):
                try:
                    replies.append(raw.ask("daemon")["result"]["pid"])
                except AssertionError as trouble:
                    troubles.append(str(trouble))
                    return

    client = threading.Thread(target=behave)
    client.start()
    yield instance
    over.set()
    client.join(DEADLINE)
    assert troubles == [], f"somebody else was kept waiting for {PATIENCE} ms"
    assert set(replies) == {pid}
    assert instance.daemon.poll() is None
    instance.ctl("resume")
    agent_id = instance.spawn("true", options=["--priority", "100"])
    instance.ctl("wait", agent_id)
    assert "Traceback" not in instance.log()


def is_idle(pid: int) -> bool:
    """Whether the daemon does nothing but serve a client now and then, for a while."""

    def used() -> int:
        return sum(map(int, Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]))

    before = used()
    return not threading.Event().wait(0.5) and used() - before < 10


def check_reply(reply: dict[str, Any]) -> None:
    """Check that a reply is a result, or an error whose code is documented."""
    assert reply["v"] == 1
    if reply["ok"]:
        assert set(reply) == {"v", "id", "ok", "result"}
        return
    assert set(reply["error"]) == {"code", "message", "details"}
    assert reply["error"]["code"] in CODES
    assert 0 < len(reply["error"]["message"]) < 2000


def garbage() -> list[bytes]:
    """Bytes of all kinds, the same ones each time."""
    dice = random.Random(7)
    noise = [dice.randbytes(dice.randrange(0, 300)) for _ in range(300)]
    return [*noise, b"", b"\xc1", b"\x91" * 100_000, b"\xdd\x00\x70\x00\x00" * 100_000, b"GET / HTTP/1.1\r\n\r\n"]


def test_garbage_frames_get_an_error_reply(served: Instance) -> None:
    with Raw(served.home) as raw:
        for frame in garbage():
            raw.send(frame)
            reply = raw.recv()
            check_reply(reply)
            assert not reply["ok"]


def test_a_frame_of_9_mib_gets_the_error_too_large(served: Instance) -> None:
    with Raw(served.home) as raw:
        for frame in (b"\0" * 9 * 2**20, request("big", "status", {"ids": ["x" * 9 * 2**20]}), b"\0" * (MAX_FRAME + 1)):
            raw.send(frame)
            assert raw.recv()["error"]["code"] == "too-large"
        assert raw.ask("limit")["ok"]


def test_a_frame_of_17_mib_ends_its_own_connection_only(served: Instance) -> None:
    with Raw(served.home) as raw:
        raw.send(b"\0" * 17 * 2**20)
        assert not raw.socket.poll(300)
    with Raw(served.home) as raw:
        assert raw.ask("limit")["ok"]


def test_the_error_for_an_unknown_op_lists_the_known_ops(served: Instance) -> None:
    with Raw(served.home) as raw:
        for op in ("", "fly", "__class__", "spawn ", "Spawn", "\udcff", "x" * 1_000_000):
            reply = raw.ask(op)
            assert reply["error"]["code"] == "unknown-op"
            assert "spawn, run, runs" in reply["error"]["message"]
            check_reply(reply)


def test_out_of_range_numbers_and_invalid_ids_do_not_crash_the_daemon(served: Instance) -> None:
    """Numbers that no database holds, ids that are no text, deadlines that no timer counts."""
    with Raw(served.home) as raw:
        assert raw.code("status", {"all": True, "before": 2**63}) == "bad-request"
        assert raw.code("events", {"since": 2**64 - 1}) == "bad-request"
        raw.send(request("\udcff", "pause"))
        assert raw.recv()["error"]["code"] == "bad-request"
        for seconds in (1e17, 1e300, 1.7e308):
            agent = {**LONG, "timeout": seconds, "silence": seconds, "grace": seconds}
            assert raw.code("spawn", {"agents": [agent], "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}}) == ""
            raw.send(request(f"wait-{seconds}", "wait", {"scope": "all", "timeout": seconds}))
        assert raw.code("daemon") == ""
        assert raw.code("cancel", {"ids": ["1", "2", "3"]}) == ""


# `stop` would end the daemon, and its answer is tested elsewhere; here it is asked with what is wrong only.
@pytest.mark.slow
@pytest.mark.parametrize("op", OPS)
def test_a_valid_request_with_one_field_replaced_is_an_error_or_a_result(served: Instance, op: str) -> None:
    served.ctl("limit", "2")
    with Raw(served.home) as raw:

        @SHARED
        @given(broken(op))
        def check(args: dict[str, Any]) -> None:
            if op == "stop" and args.get("agents") in ("keep", "stop", "drain"):
                args["agents"] = "now"
            if op == "wait":
                args["timeout"] = args.get("timeout") if isinstance(args.get("timeout"), (str, list, dict)) else 0
            check_reply(raw.ask(op, args))

        check()
        raw.ask("limit", {"limit": 2, "resident": 8})
        raw.ask("resume")


@pytest.mark.parametrize("field", ["v", "id", "op", "args"])
def test_a_valid_request_with_its_envelope_replaced_is_an_error_or_a_result(served: Instance, field: str) -> None:
    with Raw(served.home) as raw:

        @SHARED
        @given(st.sampled_from([op for op in OPS if op not in ("stop", "wait")]), ANYTHING, st.booleans())
        def check(op: str, value: Any, is_left_out: bool) -> None:
            body = {"v": 1, "id": "envelope", "op": op, "args": {}, "extra": value, field: value}
            if is_left_out:
                del body[field]
            raw.send(packed(body))
            check_reply(raw.recv())

        check()


@pytest.mark.slow
@pytest.mark.parametrize("op", [op for op in OPS if op not in ("stop", "wait")])
def test_a_valid_request_is_never_refused_as_malformed(served: Instance, op: str) -> None:
    with Raw(served.home) as raw:

        @SHARED
        @given(args_of(op))
        def check(args: dict[str, Any]) -> None:
            reply = raw.ask(op, args)
            check_reply(reply)
            assert reply["ok"] or reply["error"]["code"] not in {"bad-frame", "bad-version", "unknown-op"}

        check()
        raw.ask("resume")


def test_a_multipart_message_is_ignored(served: Instance) -> None:
    with Raw(served.home) as raw:
        raw.send(*[b"x"] * 10_000)
        raw.send(b"not empty", request("a", "daemon"))
        raw.send(b"", b"", request("a", "daemon"))
        assert raw.ask("limit")["ok"]


def test_a_req_socket_is_served_too(served: Instance) -> None:
    with Raw(served.home, zmq.REQ) as raw:
        assert raw.ask("limit")["result"]["limit"] == 7
        raw.send(b"garbage")
        assert raw.recv()["error"]["code"] == "bad-frame"


def test_other_socket_types_disturb_no_client(served: Instance) -> None:
    with ExitStack() as stack:
        for kind in (zmq.PUSH, zmq.SUB, zmq.PAIR, zmq.ROUTER, zmq.PUB):
            raw = stack.enter_context(Raw(served.home, kind))
            with suppress(zmq.ZMQError):
                raw.socket.send(request("a", "daemon"), zmq.NOBLOCK)


@pytest.mark.slow
def test_a_client_that_never_reads_costs_bounded_memory(served: Instance) -> None:
    with Raw(served.home) as raw:
        many = [{**LONG, "goal": "g" * 4000, "after": ["blocker"]} for _ in range(100)]
        agents = [{**LONG, "name": "blocker"}, *many]
        assert raw.ask("spawn", {"agents": agents, "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}})["ok"]
        size = len(msgpack.packb(raw.ask("status", {"all": True})))
        assert size > 400_000
    before = status_of(served.daemon.pid, "VmRSS")
    with Raw(served.home) as rude:
        rude.socket.setsockopt(zmq.RCVHWM, 1)
        rude.socket.disconnect(rude.socket.get_string(zmq.LAST_ENDPOINT))
        rude.socket.connect(f"ipc://{served.home.socket}")
        for number in range(700):
            rude.send(request(f"big-{number}", "status", {"all": True, "usage": False}))
        with Raw(served.home) as polite:
            for _ in range(20):
                assert polite.ask("limit")["ok"]
        until(lambda: is_idle(served.daemon.pid))
        grown = status_of(served.daemon.pid, "VmRSS") - before
        assert grown * 1024 < 300 * size, f"{grown} KiB for replies of {size} bytes"


def test_silent_clients_leave_no_descriptors(served: Instance) -> None:
    before = len(descriptors(served.daemon.pid))
    mute = [socket.socket(socket.AF_UNIX) for _ in range(200)]
    for client in mute:
        client.connect(str(served.home.socket))
    assert served.status()["limit"]["limit"] == 7
    for client in mute:
        client.close()
    until(lambda: len(descriptors(served.daemon.pid)) <= before + 5, what="descriptors of those who left")


@pytest.mark.parametrize("path", ["socket", "events"])
def test_raw_bytes_other_than_zmtp_disturb_no_client(served: Instance, path: str) -> None:
    for content in (b"GET / HTTP/1.1\r\n\r\n", b"\0" * 100, b"\xff" * 500, GREETING + b"\xff" * 100, os.urandom(4096)):
        with socket.socket(socket.AF_UNIX) as client, suppress(OSError):
            client.connect(str(getattr(served.home, path)))
            client.sendall(content)
            client.settimeout(0.2)
            client.recv(4096)


def test_an_oversized_subscription_is_refused(served: Instance) -> None:
    before = status_of(served.daemon.pid, "VmRSS")
    ready = b"\x05READY\x0bSocket-Type\0\0\0\x03SUB"
    with socket.socket(socket.AF_UNIX) as listener:
        listener.connect(str(served.home.events))
        listener.sendall(GREETING + b"\x04" + bytes([len(ready)]) + ready)
        with pytest.raises(OSError, match="Broken pipe|reset"):
            for part in (b"\x02" + (50_000_000).to_bytes(8), *[b"\x01" * 1_000_000] * 50):
                listener.sendall(part)
    assert status_of(served.daemon.pid, "VmRSS") - before < 10_000


CROWD = """
import sys, zmq, msgpack
context = zmq.Context()
context.set(zmq.MAX_SOCKETS, 1000)
poller, waiting = zmq.Poller(), set()
for number in range(int(sys.argv[2])):
    socket = context.socket(zmq.DEALER)
    socket.connect(sys.argv[1])
    socket.send(msgpack.packb({"v": 1, "id": f"{sys.argv[3]}-{number}", "op": "limit", "args": {}}))
    poller.register(socket, zmq.POLLIN)
    waiting.add(socket)
while waiting:
    ready = poller.poll(20000)
    if not ready:
        sys.exit(f"{len(waiting)} were not served")
    for socket, _ in ready:
        assert msgpack.unpackb(socket.recv())["ok"]
        poller.unregister(socket)
        waiting.discard(socket)
context.destroy(linger=0)
"""


@pytest.mark.slow
def test_500_concurrent_clients_are_served_and_leave_no_descriptor(served: Instance) -> None:
    before = len(descriptors(served.daemon.pid))
    crowds = [
        subprocess.Popen([sys.executable, "-c", CROWD, f"ipc://{served.home.socket}", "125", str(number)])
        for number in range(4)
    ]
    assert [crowd.wait(60) for crowd in crowds] == [0, 0, 0, 0]
    until(lambda: len(descriptors(served.daemon.pid)) <= before + 5, what="descriptors of those who left")


def watched_by(pid: int) -> set[int]:
    """Return the processes of which a process has a pidfd: -1 for a process that has been reaped."""
    watched = set()
    for number, target in descriptors(pid).items():
        if "pidfd" in target:
            with suppress(FileNotFoundError):  # closed meanwhile
                info = Path(f"/proc/{pid}/fdinfo/{number}").read_text()
                watched |= {int(line.split()[1]) for line in info.splitlines() if line.startswith("Pid:")}
    return watched


def test_a_client_killed_during_its_wait_leaves_no_watch_or_connection(served: Instance) -> None:
    daemon = served.daemon.pid
    served.spawn("sleep", "600")
    before = sum("socket" in target for target in descriptors(daemon).values())
    waiting = [
        subprocess.Popen([sys.executable, "-m", "orchctl", "wait", "--all"], env=served.env, stdout=subprocess.DEVNULL)
        for _ in range(5)
    ]
    until(lambda: {process.pid for process in waiting} <= watched_by(daemon), what="a watch of each client")
    for process in waiting:
        process.kill()
        process.wait(DEADLINE)
    until(lambda: -1 not in watched_by(daemon), what="the end of the watches")
    until(
        lambda: sum("socket" in target for target in descriptors(daemon).values()) <= before,
        what="the end of the connections",
    )


def test_a_client_that_disconnects_amid_a_message_disturbs_no_other_client(served: Instance) -> None:
    for _ in range(20):
        with Raw(served.home) as raw:
            raw.socket.setsockopt(zmq.LINGER, 0)
            raw.send(request("gone", "status", {"ids": ["1"] * 9000}))


def test_the_same_id_from_two_connections_is_one_request(served: Instance) -> None:
    args = {"agents": [{"command": ["true"]}], "cwd": "/"}
    with Raw(served.home) as first_raw, Raw(served.home) as second_raw:
        first, second = first_raw.ask("spawn", args, "same"), second_raw.ask("spawn", args, "same")
    assert first == second
    assert len(served.status("--all")["agents"]) == 1


def test_a_repeated_id_with_other_content_gets_the_first_reply(served: Instance) -> None:
    with Raw(served.home) as raw:
        first = raw.ask("spawn", {"agents": [{"command": ["true"]}], "cwd": "/"}, "same")
        second = raw.ask("spawn", {"agents": [{"command": ["false"]}] * 2, "cwd": "/"}, "same")
    assert first == second
    assert len(served.status("--all")["agents"]) == 1


def test_a_repeated_id_for_another_op_is_refused(served: Instance) -> None:
    with Raw(served.home) as raw:
        assert raw.ask("spawn", {"agents": [LONG], "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}}, "same")["ok"]
        assert raw.ask("cancel", {"ids": ["1"]}, "same")["error"]["code"] == "bad-request"
        assert raw.ask("limit", {"limit": 3}, "same")["error"]["code"] == "bad-request"
        assert raw.ask("limit")["result"]["limit"] == 7
        assert raw.ask("daemon", {}, "same")["ok"], "what changes nothing may be asked with any id"


def test_the_id_of_a_pending_request_is_refused_for_another_op(served: Instance) -> None:
    with Raw(served.home) as raw:
        raw.ask("spawn", {"agents": [LONG], "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}})
        raw.send(request("same", "wait", {"ids": ["1"]}))
        assert raw.ask("cancel", {"ids": ["1"]}, "same")["error"]["code"] == "bad-request"
        raw.send(request("other", "cancel", {"ids": ["1"]}))
        assert {raw.recv()["id"], raw.recv()["id"]} == {"same", "other"}


@pytest.mark.slow
def test_too_many_pending_waits_are_refused_as_busy(served: Instance) -> None:
    """Each takes a descriptor; beyond a thousand of one process they are refused, and others have some left."""
    with Raw(served.home) as raw:
        raw.ask("spawn", {"agents": [LONG], "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}})
        for number in range(1100):
            raw.send(request(f"wait-{number}", "wait", {"ids": ["1"]}))
        assert raw.recv()["error"]["code"] == "busy"


@needs_root
def test_another_user_cannot_reach_the_socket(served: Instance) -> None:
    def connect() -> str:
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(str(served.home.socket))
        return "connected"

    assert as_nobody(connect).startswith("PermissionError")


@needs_root
def test_a_request_of_another_user_is_refused_and_logged(served: Instance) -> None:
    os.chmod(served.directory, 0o711)
    os.chmod(served.home.socket, 0o666)

    def ask() -> str:
        with Raw(served.home) as raw:
            return ",".join(raw.code(op, args) for op, args in requests.items())

    requests: dict[str, Any] = {
        "status": {},
        "daemon": {},
        "limit": {"limit": 9999},
        "stop": {"agents": "stop"},
        "pause": {},
        "spawn": {"agents": [{"command": ["true"]}], "cwd": "/"},
        "events": {},
        "cancel": {"ids": ["1"]},
    }
    assert as_nobody(ask) == ",".join(["forbidden"] * len(requests))
    assert f"refused a request of uid {65534}" in served.log()
    reply = served.status("--all")
    assert reply["limit"]["limit"] == 7
    assert reply["agents"] == []
