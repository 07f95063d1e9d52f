"""The client when the daemon dies and returns."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from orchctl.client import Client, pages
from orchctl.client import client as client_module
from orchctl.errors import NoDaemonError
from orchd.instance.home import Home
from orchd.protocol.errors import WireError
from tests.conftest import Instance, until
from tests.e2e.fleet import is_alive
from tests.orchctl.routers import result, router


def shell(script: str) -> dict[str, object]:
    """Return a spawn of one agent that runs `script`."""
    return {"agents": [{"command": ["sh", "-c", script]}], "cwd": "/", "env": dict(os.environ)}


def kill(pid: int) -> None:
    """`kill -9` of a daemon that the client may have started; return when it is gone."""
    os.kill(pid, signal.SIGKILL)
    until(lambda: not is_alive(pid), what="death")


def test_a_call_returns_the_result_or_raises_the_error_of_the_daemon(instance: Instance) -> None:
    with instance.client() as client:
        assert client.call("limit")["limit"] == 7
        assert client.call("limit", {"limit": 3})["limit"] == 3
        with pytest.raises(WireError) as caught:
            client.call("cancel", {"ids": ["agent-999"]})
        assert caught.value.code == "unknown-agent"


def test_an_observing_client_starts_no_daemon(home: Home) -> None:
    with Client(home, starts=False) as client, pytest.raises(NoDaemonError, match="orchctl daemon start"):
        client.call("status")
    assert not home.database.exists()


def test_a_default_client_starts_a_daemon(home: Home) -> None:
    with Client() as client:
        assert client.call("daemon")["home"] == str(home.directory)


def test_a_client_reconnects_after_a_daemon_crash(home: Home) -> None:
    with Client(home) as client:
        first_pid = client.call("daemon")["pid"]
        kill(first_pid)
        assert client.call("daemon")["pid"] != first_pid


@pytest.mark.parametrize("stable", [0.0, 1000.0])
def test_a_wait_survives_daemon_crashes(
    stable: float, home: Home, tmp_path: Path, gate: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "STABLE", stable)
    deaths: list[int] = []

    class Killer:
        """Kills three daemons during the wait, one after the other; then lets the agent end."""

        def sources(self) -> tuple[()]:
            return ()

        def look(self) -> float | None:
            with Client(home) as second_client:
                pid = second_client.call("daemon")["pid"]
            if pid in deaths:
                return None
            if len(deaths) == 3:
                gate()
                return None
            deaths.append(pid)
            kill(pid)
            return None

    with Client(home) as client:
        (agent,) = client.call("spawn", shell(f"read x <{tmp_path}/gate; exit 4"))["agents"]
        answer = client.wait(ids=[agent["id"]], watch=Killer())
    assert [(agent["status"], agent["exit_code"], agent["attempt"]) for agent in answer["agents"]] == [("failed", 4, 1)]
    assert len(set(deaths)) == 3


def test_a_wait_reports_its_timeout(instance: Instance) -> None:
    agent_id = instance.spawn("sleep", "60")
    with instance.client() as client:
        answer = client.wait(ids=[agent_id], timeout=0.05)
        assert answer["timed_out"]
        assert not client.wait(scope="all", is_any=True, timeout=0.0)["agents"][0]["ended_at"]


def test_a_too_large_request_is_not_sent(home: Home) -> None:
    with Client(home) as client, pytest.raises(WireError) as caught:
        client.call("spawn", {"env": {"X": "x" * (9 << 20)}})
    assert caught.value.code == "too-large"
    assert "split" in caught.value.message


def test_a_result_other_than_a_map_is_refused(home: Home) -> None:
    with router(home, lambda request: result(request, [1])), Client(home) as client, pytest.raises(WireError) as caught:
        client.call("daemon")
    assert caught.value.code == "bad-frame"


def test_the_client_gives_up_on_a_daemon_that_crashes_on_every_request(
    home: Home, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "PATIENCE", 1.0)
    path = tmp_path / "python"
    path.write_text(
        f"#!{sys.executable}\n"
        "import os, socket, sys\n"
        "if sys.argv[1] == '-I': os.execv(sys.orig_argv[0], [sys.orig_argv[0], *sys.argv[1:]])\n"
        f"path = {str(home.socket)!r}\n"
        "os.path.exists(path) and os.unlink(path)\n"
        "server = socket.socket(socket.AF_UNIX); server.bind(path); server.listen()\n"
        "os.write(int(sys.argv[-1]), b'ready\\n'); server.accept()\n"
    )
    path.chmod(0o700)
    monkeypatch.setattr(sys, "executable", str(path))
    with Client(home) as client, pytest.raises(NoDaemonError, match="keeps crashing"):
        client.wait(scope="all")


def test_an_unused_client_may_be_closed_twice(home: Home) -> None:
    client = Client(home)
    client.close()
    client.close()


def test_a_wait_for_many_agents_is_split_and_its_results_are_joined(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_module, "MOST", 2)
    requests: list[tuple[str, dict[str, object]]] = []

    def ask(op: str, args: Callable[[], dict[str, object]], *_: object) -> dict[str, object]:
        requests.append((op, args()))
        ids = list(args()["ids"])  # type: ignore[call-overload]
        if op == "status":
            return {"agents": [{"id": agent_id} for agent_id in ids]}
        return {"agents": [{"id": ids[0]}], "timed_out": "3" in ids, "more": ids[1:]}

    with Client(home) as client:
        monkeypatch.setattr(client, "_ask", ask)
        result = client.wait(ids="12345", timeout=60)
        assert [agent["id"] for agent in result["agents"]] == list("12345")
        assert result["timed_out"]
        assert [args["ids"] for op, args in requests if op == "wait"] == [("1", "2"), ("3", "4"), ("5",)]
        requests.clear()
        client.wait(ids="123", is_any=True)
    assert requests[0][1] == {"ids": ("1", "2", "3"), "scope": "ids", "any": True, "timeout": None, "paged": True}


def test_requests_to_an_older_daemon_omit_unknown_keys(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    def ask(op: str, args: Callable[[], dict[str, object]], *_: object) -> dict[str, object]:
        if args().keys() & {"paged", "most"}:
            raise WireError("bad-request", f"{op}: it is an unknown key")
        extra = {"timed_out": False} if op == "wait" else {"more": None}
        return {"agents": [{"id": "agent-001"}], **extra}

    with Client(home) as client:
        monkeypatch.setattr(client, "_ask", ask)
        assert [agent["id"] for agent in client.wait(ids=["1"])["agents"]] == ["agent-001"]
        assert [agent["id"] for agent in pages.first(client, {}, 5)["agents"]] == ["agent-001"]


def test_reply_keys_of_an_older_daemon_are_renamed(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    results: dict[str, dict[str, object]] = {
        "why": {"id": "agent-001", "holders": [], "held_by": 0},
        "limit": {"limit": 7, "short_of_space": True},
        "status": {"limit": {"short_of_space": False}, "daemon": {"bounds": {}}, "agents": []},
    }
    with Client(home) as client:
        monkeypatch.setattr(client, "_ask", lambda op, *_: results[op])
        assert client.call("why", {"id": "agent-001"}) == {"id": "agent-001", "blockers": [], "blocked_by": 0}
        assert client.call("limit") == {"limit": 7, "disk_pressure": True}
        status = client.call("status")
    assert (status["limit"], status["daemon"]) == ({"disk_pressure": False}, {"resource_limits": {}})


@pytest.mark.parametrize("unknown", ["attributes", "colour"])
def test_attributes_are_omitted_only_if_the_daemon_refuses_that_field(
    home: Home, unknown: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def ask(op: str, args: Callable[[], dict[str, object]], *_: object) -> dict[str, object]:
        if "attributes" in args():
            raise WireError("bad-request", "any words", {"unknown": unknown})
        return {"agents": []}

    with Client(home) as client:
        monkeypatch.setattr(client, "_ask", ask)
        if unknown == "attributes":
            assert client.call("spawn", {"cwd": "/", "attributes": {}}) == {"agents": []}
        else:
            with pytest.raises(WireError, match="any words"):
                client.call("spawn", {"cwd": "/", "attributes": {}})


@pytest.mark.parametrize("code", ["unknown-agent", "forbidden"])
def test_other_refusals_are_not_retried(home: Home, code: str, monkeypatch: pytest.MonkeyPatch) -> None:
    ops: list[str] = []

    def ask(op: str, *_: object) -> dict[str, object]:
        ops.append(op)
        raise WireError(code, "no")

    with Client(home) as client:
        monkeypatch.setattr(client, "_ask", ask)
        calls: tuple[Callable[[], object], ...] = (
            lambda: client.wait(ids=["1"]),
            lambda: pages.first(client, {}, 5),
        )
        for call in calls:
            with pytest.raises(WireError, match="no"):
                call()
    assert ops == ["wait", "status"]


def test_an_agent_name_is_resolved_to_its_id_before_the_wait(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    requests: list[tuple[str, dict[str, object]]] = []

    def ask(op: str, args: Callable[[], dict[str, object]], *_: object) -> dict[str, object]:
        requests.append((op, args()))
        return {"agents": [{"id": "agent-007"}], "timed_out": False, "more": []}

    with Client(home) as client:
        monkeypatch.setattr(client, "_ask", ask)
        client.wait(ids=["api", "Agent-1", "run-002"])
    assert [(op, tuple(args["ids"])) for op, args in requests] == [  # type: ignore[arg-type]
        ("status", ("api",)),
        ("wait", ("agent-007", "Agent-1", "run-002")),
    ]
