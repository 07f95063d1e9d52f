"""A box driven from laptops: real daemons, real sockets, real keys."""

from __future__ import annotations

import json
import os
import socket
import stat
from contextlib import closing, suppress
from pathlib import Path

import pytest
import zmq

from orchd.protocol.errors import WireError
from tests.conftest import Instance, until
from tests.far import Laptop, Raw, authorized, server

REFUSED = zmq.Event.HANDSHAKE_FAILED_AUTH
LONG = {"agents": [{"command": ["sleep", "600"]}], "cwd": "/"}


@pytest.fixture
def box(stopped: Instance) -> Instance:
    """A daemon that listens on a port that the kernel gave."""
    stopped.home.create()
    stopped.configure('[remote]\nlisten = "tcp://127.0.0.1:0"\n')
    stopped.start()
    return stopped


@pytest.fixture
def laptop(box: Instance, tmp_path: Path) -> Laptop:
    """A client with a key that is let in."""
    return Laptop(box, tmp_path).authorized("user")


def test_a_remote_user_starts_follows_and_cancels_agents(box: Instance, laptop: Laptop, tmp_path: Path) -> None:
    go = tmp_path / "go"
    os.mkfifo(go)
    script = f'echo "$WHO in $PWD, here: $ONLY_HERE"; read x <{go}; echo bye'
    agent_id = laptop.ctl("spawn", "--cwd", "/", "--env", "WHO=me", "--name", "far", "--", "sh", "-c", script).strip()
    follower = laptop.begin("--profile", "box", "logs", "-f", agent_id)
    assert follower.stdout is not None
    assert follower.stdout.readline() == "me in /, here: \n"
    go.write_text("\n")
    assert follower.communicate(timeout=55)[0] == "bye\n"
    laptop.ctl("wait", agent_id)
    assert laptop.ctl("logs", "--lines", "1", agent_id) == "bye\n"
    (agent,) = json.loads(laptop.ctl("status", agent_id, "--json"))["agents"]
    assert (agent["status"], agent["parent"], agent["level"]) == ("completed", None, "pm")
    other_id = laptop.ctl("spawn", "--cwd", "/", "--", "sleep", "600").strip()
    assert "stopping" in laptop.ctl("cancel", other_id)
    laptop.ctl("wait", other_id, code=1)
    assert "last lines of " in laptop.ctl("why", agent_id)
    for words in (["events"], ["usage"], ["session", "show"]):
        assert laptop.ctl(*words)
    assert not (tmp_path / "none").exists(), "a daemon was started here"


def test_a_remote_client_receives_events_and_status_live_until_revoked(box: Instance, laptop: Laptop) -> None:
    events = laptop.begin("--profile", "box", "events", "-f", "--since", "0", "--json")
    status_watch = laptop.begin("--profile", "box", "status", "--watch", "--json")
    assert events.stdout is not None
    assert status_watch.stdout is not None
    assert json.loads(status_watch.stdout.readline())["agents"] == []
    agent_id = box.spawn("true")
    while json.loads(events.stdout.readline())["event"] != "agent-completed":
        pass
    while not (agents := json.loads(status_watch.stdout.readline())["agents"]) or agents[0]["status"] != "completed":
        pass
    assert agents[0]["id"] == agent_id
    box.ctl("keys", "revoke", "laptop")
    for process in (events, status_watch):
        out, _ = process.communicate(timeout=55)
        assert process.returncode == 1
        assert json.loads(out.splitlines()[-1])["error"]["code"] == "key-refused"


def test_a_waiting_remote_client_survives_a_daemon_restart(box: Instance, laptop: Laptop, tmp_path: Path) -> None:
    box.kill()
    box.configure(f'[remote]\nlisten = "tcp://127.0.0.1:{lasting_port()}"\n')
    box.start()
    laptop.trust(address := server(box))
    os.mkfifo(tmp_path / "go")
    agent_id = box.spawn("sh", "-c", f"read x <{tmp_path}/go")
    waits = laptop.begin("--profile", "box", "wait", agent_id)
    until(lambda: "ESTAB" in connections(address["listens"]), what="nobody has connected")
    box.kill()
    box.start()
    (tmp_path / "go").write_text("\n")
    out, err = waits.communicate(timeout=55)
    assert (waits.returncode, out.split()[0]) == (0, agent_id), err
    assert server(box) == address


def lasting_port() -> int:
    """A free port that the kernel assigns to no other socket meanwhile, unlike a port that it chose itself."""
    for number in range(1000):
        with socket.socket() as tried, suppress(OSError):
            tried.bind(("127.0.0.1", port := 20_000 + (os.getpid() * 7 + number) % 12_000))
            return port
    raise AssertionError("no port is free")


def connections(address: str) -> str:
    """`ESTAB` when the kernel has a connection to this port."""
    port = f"{int(address.rpartition(':')[2]):04X}"
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return "ESTAB" if any(row[1].endswith(f":{port}") and row[3] == "01" for row in rows) else ""


def test_an_unauthorized_key_fails_the_handshake(box: Instance, tmp_path: Path) -> None:
    with closing(Raw(server(box))) as raw:
        raw.send("status")
        raw.until(REFUSED)
        assert not raw.socket.poll(200)
    stranger = Laptop(box, tmp_path, "stranger")
    stranger.run("keys", "new", "stranger")
    stranger.trust(server(box))
    assert stranger.ctl("status", code=1).startswith("key-refused: ")
    assert '"code":"key-refused"' in stranger.ctl("status", "--json", code=1)
    assert "is not authorized" in box.log()


def test_a_revoked_key_gets_no_reply_or_event_after_its_revocation(box: Instance) -> None:
    secret, other = authorized(box, "lost", "admin"), authorized(box, "kept", "viewer")
    address = server(box)
    with (
        closing(Raw(address, secret)) as lost,
        closing(Raw(address, secret)) as ears,
        closing(Raw(address, other)) as allowed,
    ):
        assert lost.ask("limit")["limit"] == 7
        ears.ask("listen")
        agent_id = lost.ask("spawn", LONG, "two")["agents"][0]["id"]
        assert ears.socket.poll(30_000), "no hint"
        lost.send("wait", {"ids": [agent_id]}, "three")
        assert lost.ask("limit", None, "four")["working"] == 1
        assert allowed.ask("listen")
        box.ctl("keys", "revoke", "lost")
        while ears.socket.poll(0):
            ears.socket.recv()
        for raw in (lost, ears):
            raw.until(REFUSED)
            raw.send("stop", {"agents": "stop"})
        box.ctl("cancel", agent_id)
        box.ctl("wait", agent_id, code=1)
        for raw in (lost, ears):
            assert not raw.socket.poll(200)
        allowed.until(zmq.Event.DISCONNECTED)
        allowed.until(zmq.Event.HANDSHAKE_SUCCEEDED)
        assert allowed.ask("status", None, "five")["agents"][0]["status"] == "cancelled"
    assert box.ctl("keys", "list").count("kept") == 1
    assert "lost" not in box.ctl("keys", "list")


def test_a_revoked_key_stays_revoked_after_a_daemon_crash(box: Instance) -> None:
    secret = authorized(box, "lost", "user")
    box.ctl("keys", "revoke", "lost")
    box.kill()
    box.start()
    with closing(Raw(server(box), secret)) as raw:
        raw.send("status")
        raw.until(REFUSED)


def test_an_admin_key_can_revoke_another_key_and_then_itself(box: Instance, tmp_path: Path) -> None:
    chief = Laptop(box, tmp_path, "chief").authorized("admin")
    authorized(box, "other", "user")
    assert "key other revoked" in chief.ctl("keys", "revoke", "other")
    assert chief.ctl("keys", "revoke", "other", code=1).startswith("unknown-key: ")
    assert chief.ctl("keys", "revoke", "chief", code=1).startswith("key-refused: ")
    assert box.ctl("keys", "list").count("chief") == 0


def test_an_agent_on_the_host_may_not_manage_keys(box: Instance) -> None:
    for words in ("keys list", f"keys authorize me {'a1' * 32} --role admin", "keys revoke me"):
        agent_id = box.spawn("sh", "-c", f"orchctl {words}")
        box.ctl("wait", agent_id, code=1)
        assert "forbidden: " in box.ctl("logs", agent_id)


def test_unencrypted_peers_and_wrong_servers_are_refused(box: Instance, laptop: Laptop, tmp_path: Path) -> None:
    with closing(Raw(server(box), is_plain=True)) as raw:
        raw.send("status")
        raw.until(zmq.Event.HANDSHAKE_FAILED_PROTOCOL | zmq.Event.HANDSHAKE_FAILED_NO_DETAIL)
        assert not raw.socket.poll(200)
    laptop.trust({**server(box), "public": "ab" * 32})
    assert laptop.ctl("status", code=1).startswith("wrong-server: ")
    context = zmq.Context()
    plain = context.socket(zmq.ROUTER)
    port = plain.bind_to_random_port("tcp://127.0.0.1")
    laptop.trust(server(box), f"tcp://127.0.0.1:{port}")
    assert laptop.ctl("status", code=1).startswith("wrong-server: ")
    assert not plain.poll(0), "it was told something"
    context.destroy(linger=0)
    laptop.trust(server(box), f"tcp://127.0.0.1:{port}")
    assert laptop.ctl("status", code=69).startswith("no-daemon: no daemon answers at ")


def test_local_commands_and_relative_paths_are_refused_with_a_profile(laptop: Laptop) -> None:
    for words in (["daemon", "start"], ["run", "x"]):
        assert "another" in laptop.ctl(*words, code=2)
    assert "--cwd" in laptop.ctl("spawn", "--", "true", code=2)
    assert "absolute" in laptop.ctl("spawn", "--cwd", "here", "--", "true", code=2)
    assert "no profile" in laptop.run("--profile", "nowhere", "status", code=2)
    assert "no profile" in laptop.run("--connect", "tcp://1.2.3.4:5", "status", code=2)
    assert laptop.run("--connect", server(laptop.box)["listens"], "limit") == laptop.ctl("limit")


def test_secret_keys_are_private_and_never_shown(box: Instance, laptop: Laptop) -> None:
    new_key = json.loads(laptop.run("keys", "new", "second", "--json"))
    files = [box.home.server_key, box.home.keys, Path(new_key["file"])]
    assert [stat.S_IMODE(path.stat().st_mode) for path in files] == [0o600] * 3
    assert stat.S_IMODE(Path(new_key["file"]).parent.stat().st_mode) == 0o700
    secrets = [path.read_text().strip() for path in (files[0], files[2])]
    output = json.dumps(new_key) + box.log() + box.ctl("keys", "list", "--json") + laptop.ctl("limit", "--json")
    assert not any(secret in output for secret in secrets)
    assert "key-exists" in laptop.run("keys", "new", "second", code=1)


def test_requests_beyond_the_role_of_a_key_are_forbidden(box: Instance) -> None:
    with closing(Raw(server(box), authorized(box, "eyes", "viewer"))) as raw:
        for op, args in (("spawn", LONG), ("pause", {}), ("limit", {"limit": 9}), ("stop", {"agents": "stop"})):
            words = f"permission denied: `{op}` needs the role .*, and the key eyes has the role viewer"
            with pytest.raises(WireError, match=words) as refused:
                raw.ask(op, args)
            assert refused.value.code == "forbidden"
    assert box.status()["agents"] == []
