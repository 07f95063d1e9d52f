"""One page over HTTP, for clients on this machine only."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from orchctl.errors import ClientError
from orchctl.exporters.metrics_server import serve


def refused(host: str) -> str:
    """Return the code of the refusal."""
    with pytest.raises(ClientError) as caught:
        serve(host, lambda _: (b"", ""), lambda _: pytest.fail("it serves"))
    return caught.value.code


@pytest.mark.parametrize("host", ["0.0.0.0:9", "box:9", "9", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", ""])
def test_the_server_refuses_non_local_and_invalid_addresses(host: str) -> None:
    assert refused(host) == "usage"


def test_the_server_leaves_plain_files_and_served_sockets_alone(tmp_path: Path) -> None:
    file, path = tmp_path / "file", tmp_path / "socket"
    file.write_text("mine")
    assert refused(f"unix:{file}") == "in-the-way"
    assert file.read_text() == "mine"
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(path))
        server.listen()
        assert refused(f"unix:{path}") == "in-the-way"
    assert path.exists()
