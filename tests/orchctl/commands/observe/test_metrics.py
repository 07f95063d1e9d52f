"""`orchctl metrics`."""

from __future__ import annotations

import signal
import socket
import stat
import subprocess
import sys
import urllib.request
from pathlib import Path
from types import SimpleNamespace

import pytest
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from orchctl.commands.observe import metrics
from orchctl.errors import RefusedError
from orchctl.exporters.extras import how_to_install
from tests.conftest import Instance
from tests.orchctl.conftest import Background, Orchctl
from tests.orchctl.exporters.test_metrics import parsed


def address(command: subprocess.Popen[str]) -> str:
    """Return the host and port that the command prints."""
    assert command.stderr is not None
    return command.stderr.readline().strip().removeprefix("metrics at ")


def response(path: Path, target: str = "/metrics") -> bytes:
    """Return the HTTP response of a Unix socket."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(f"GET {target} HTTP/1.0\r\n\r\n".encode())
        return b"".join(iter(lambda: client.recv(65536), b""))


def test_metrics_prints_one_page_and_exits_69_without_a_daemon(instance: Instance, orchctl: Orchctl) -> None:
    assert parsed(orchctl("metrics").out)["orchd_up"] == 1
    instance.stop()
    result = orchctl("metrics")
    assert (result.code, result.out) == (69, "")


def test_metrics_without_the_extra_reports_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "orchctl.exporters.metrics", raising=False)
    monkeypatch.setitem(sys.modules, "prometheus_client", None)
    with pytest.raises(RefusedError) as caught:
        metrics.run(SimpleNamespace(serve=None))
    assert caught.value.code == "no-prometheus"
    assert caught.value.message.endswith(f": run {how_to_install('prometheus-client')}")


def test_metrics_server_sends_openmetrics_on_request(instance: Instance, background: Background) -> None:
    command = background("metrics", "--serve", "127.0.0.1:0")
    request = urllib.request.Request(address(command), headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    with urllib.request.urlopen(request, timeout=30) as reply:
        assert reply.headers["Content-Type"].startswith("application/openmetrics-text; version=1.0.0")
        page = reply.read().decode()
    assert page.endswith("# EOF\n")
    names = {family.name for family in text_string_to_metric_families(page)}  # type: ignore[no-untyped-call]
    assert {"orchd", "orchd_agents_ended", "orchd_queue_seconds"} <= names
    command.send_signal(signal.SIGINT)
    assert command.wait(30) == 130


def test_metrics_server_answers_while_the_daemon_is_down(instance: Instance, background: Background) -> None:
    command = background("metrics", "--serve", "127.0.0.1:0")
    url = address(command)
    for up in (1, 0, 1):
        with urllib.request.urlopen(url, timeout=30) as reply:
            assert reply.headers["Content-Type"].startswith("text/plain; version=0.0.4")
            assert parsed(reply.read().decode())["orchd_up"] == up
        instance.kill() if up else instance.start()
    command.send_signal(signal.SIGINT)
    assert command.wait(30) == 130
    instance.start()


def test_metrics_socket_is_private_and_removed_when_the_server_stops(
    instance: Instance, background: Background, tmp_path: Path
) -> None:
    path = tmp_path / "metrics.sock"
    with socket.socket(socket.AF_UNIX) as left_behind:
        left_behind.bind(str(path))
    command = background("metrics", "--serve", f"unix:{path}")
    assert address(command) == f"unix:{path}"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert b"\norchd_limit 7.0\n" in response(path)
    assert response(path, "/else").startswith(b"HTTP/1.0 404")
    with socket.socket(socket.AF_UNIX) as silent:  # one that says nothing keeps others waiting for a while only
        silent.connect(str(path))
        assert b"\norchd_limit 7.0\n" in response(path)
    command.send_signal(signal.SIGINT)
    assert command.wait(30) == 130
    assert not path.exists()
