"""The door for other machines: garbage, floods, and what must be so before it opens."""

from __future__ import annotations

import random
import socket
import subprocess
import sys
from contextlib import ExitStack, closing

import pytest
import zmq

from orchd.protocol.errors import WireError
from orchd.protocol.keys import new_secret
from tests.conftest import Instance, until
from tests.far import Raw, authorized, server
from tests.support.machine import descriptors

LISTEN = '[remote]\nlisten = "tcp://127.0.0.1:{}"\n'


@pytest.fixture
def box(stopped: Instance) -> Instance:
    """A daemon that listens on a port that the kernel gave."""
    stopped.home.create()
    stopped.configure(LISTEN.format(0))
    stopped.start()
    return stopped


def refused(box: Instance) -> str:
    """Why the daemon does not start."""
    process = subprocess.run(
        [sys.executable, "-m", "orchd", "--home", str(box.directory)],
        env=box.env,
        capture_output=True,
        text=True,
        timeout=55,
    )
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr
    return process.stderr


@pytest.mark.parametrize("name", ["server.key", "keys.json"])
def test_key_files_that_other_users_may_access_are_refused_at_start(stopped: Instance, name: str) -> None:
    stopped.home.create()
    stopped.configure(LISTEN.format(0))
    path = stopped.directory / name
    path.write_text("a1" * 32 if name == "server.key" else '{"keys": []}')
    path.chmod(0o644)
    assert f"{path} cannot be used: other users have access" in refused(stopped)


def test_an_invalid_or_unusable_remote_configuration_is_refused_at_start(stopped: Instance) -> None:
    stopped.home.create()
    stopped.configure('[remote]\nlisten = "ipc:///tmp/x"\nplain = true\n')
    message = refused(stopped)
    assert "remote.plain is an unknown key" in message
    assert "(1 more: see `orchctl config check`)" in message
    stopped.configure('[remote]\nlisten = "ipc:///tmp/x"\n')
    assert "remote.listen must be tcp://ADDRESS:PORT" in refused(stopped)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        stopped.configure(LISTEN.format(taken.getsockname()[1]))
        assert "cannot listen on tcp://127.0.0.1:" in refused(stopped)


def test_no_port_or_server_key_exists_without_remote_configuration(instance: Instance) -> None:
    assert not instance.home.server_key.exists()
    assert "Keys" not in instance.ctl("keys", "list")
    assert server(instance) is None


def test_garbage_and_silent_connections_disturb_no_remote_client(box: Instance) -> None:
    address = server(box)
    port = int(address["listens"].rpartition(":")[2])
    before = len(descriptors(box.daemon.pid))
    dice = random.Random(7)
    with ExitStack() as stack, closing(Raw(address, authorized(box, "eyes", "viewer"))) as raw:
        greeting = b"\xff" + b"\0" * 8 + b"\x7f\x03\x01CURVE" + b"\0" * 47
        for number in range(150):
            connection = stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            if number % 3 == 0:
                connection.sendall(dice.randbytes(dice.randrange(1, 3000)))
            elif number % 3 == 1:
                connection.sendall(greeting + dice.randbytes(300))
        assert box.status()["limit"]["limit"] == 7
        assert raw.ask("limit")["limit"] == 7
        for frames in ([b"\xc1"], [b""], [b"", b"", b"x"], [b"x"] * 50):
            raw.socket.send_multipart(frames)
        raw.socket.send(b"\x80")
        assert raw.ask("limit", None, "last")["limit"] == 7
    until(lambda: len(descriptors(box.daemon.pid)) <= before + 3)
    assert "Traceback" not in box.log()


def test_500_silent_connections_take_bounded_descriptors(box: Instance) -> None:
    address = server(box)
    port = int(address["listens"].rpartition(":")[2])
    with ExitStack() as stack, closing(Raw(address, authorized(box, "eyes", "viewer"))) as old:
        assert old.ask("limit", None, "before")["limit"] == 7
        before = len(descriptors(box.daemon.pid))
        for number in range(500):
            stack.enter_context(socket.create_connection(("127.0.0.1", port)))
            if number % 50 == 0:
                assert old.ask("limit", None, f"during-{number}")["limit"] == 7
        with closing(Raw(address, old.secret)) as new:
            assert new.ask("limit")["limit"] == 7
            until(lambda: len(descriptors(box.daemon.pid)) <= before + 64 + 1, 5.0)
            assert old.ask("limit", None, "after")["limit"] == 7
        assert box.status()["limit"]["limit"] == 7


def test_a_flood_of_unauthorized_keys_is_refused_with_bounded_logging(box: Instance) -> None:
    address = server(box)
    with ExitStack() as stack, closing(Raw(address, authorized(box, "eyes", "viewer"))) as raw:
        strangers = [stack.enter_context(closing(Raw(address, new_secret()))) for _ in range(120)]
        for number in range(20):
            assert raw.ask("limit", None, f"r{number}")["limit"] == 7
        assert box.status()["agents"] == []
        for stranger in strangers:
            stranger.until(zmq.Event.HANDSHAKE_FAILED_AUTH)
    assert box.log().count("is not authorized") == 100


def test_a_client_chosen_routing_id_is_ignored(box: Instance) -> None:
    """It might be that of another connection, whose answers it would get."""
    address, secret = server(box), authorized(box, "eyes", "viewer")
    with closing(Raw(address, secret)) as raw, closing(Raw(address, secret)) as chosen:
        chosen.socket.disconnect(chosen.socket.get_string(zmq.LAST_ENDPOINT))
        chosen.socket.setsockopt(zmq.ROUTING_ID, b"mine!")
        chosen.socket.connect(address["listens"])
        chosen.send("limit")
        assert raw.ask("limit")["limit"] == 7
        assert not chosen.socket.poll(200)


def test_a_remote_client_is_no_agent_and_passes_no_environment(box: Instance) -> None:
    with closing(Raw(server(box), authorized(box, "hands", "user"))) as raw:
        agents = [{"command": ["sh", "-c", 'echo "$PATH" "$A" "$ORCHD_AGENT"'], "env": {"A": "mine"}}]
        (agent,) = raw.ask("spawn", {"agents": agents, "cwd": "/", "env": {"ORCHD_AGENT": "agent-009"}})["agents"]
        assert raw.ask("wait", {"ids": [agent["id"]]}, "two")["agents"][0]["status"] == "completed"
        reply = raw.ask("output", {"id": agent["id"]}, "three")
        assert reply["data"].decode().split() == [f"{box.directory}/bin:{box.env['PATH']}", "mine", agent["id"]]
        for args in ({"scope": "children"}, {"ids": ["agent-777"]}):
            with pytest.raises(WireError, match="bad-request|unknown-agent"):
                raw.ask("wait", args, f"{args}"[:60])


def test_pending_waits_of_a_closed_connection_make_room_for_new_waits(box: Instance) -> None:
    address, secret = server(box), authorized(box, "eyes", "viewer")
    agent_id = box.spawn("sleep", "600")
    leaving = Raw(address, secret)
    for number in range(256):
        leaving.send("wait", {"ids": [agent_id]}, f"old-{number}")
    assert leaving.ask("limit", None, "all are in")
    with closing(Raw(address, secret)) as raw:
        with pytest.raises(WireError, match="busy: the key eyes already has 256 pending waits"):
            raw.ask("wait", {"ids": [agent_id], "timeout": 0}, "first")
        leaving.close()
        answers = (answered(raw, agent_id, number) for number in range(10_000))
        until(lambda: next(answers))


def answered(raw: Raw, agent_id: str, number: int) -> bool:
    """Whether there is room for one more wait."""
    try:
        return bool(raw.ask("wait", {"ids": [agent_id], "timeout": 0}, f"more-{number}")["timed_out"])
    except WireError:
        return False


def test_agents_inherit_no_socket_of_the_daemon(box: Instance) -> None:
    agent_id = box.spawn("sh", "-c", "ls -l /proc/self/fd")
    box.ctl("wait", agent_id)
    assert "socket:" not in box.ctl("logs", agent_id)
