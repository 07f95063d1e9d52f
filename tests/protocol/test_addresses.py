"""Addresses of daemons."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchd.instance.config import SettingsError, read
from orchd.protocol.addresses import address, can_be_listened_on


@pytest.mark.parametrize("text", ["tcp://box:7777", "tcp://box.example.org:1", "tcp://10.0.0.1:65535", "tcp://[::1]:7"])
def test_an_address_is_a_host_and_a_port(text: str) -> None:
    assert str(address(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        *("", "box:7777", "tcp://box", "tcp://box:65536", "tcp://:1", "ipc:///tmp/x", "ws://box:1", "udp://box:1"),
        *(
            "tcp://*:1",
            "tcp://box:1;tcp://x:2",
            "tcp://a@box:1",
            "tcp://box:1\n",
            "tcp://-x:1",
            "tcp://::1:7",
            "tcp://b:",
        ),
    ],
)
def test_an_invalid_address_parses_to_none(text: str) -> None:
    assert address(text) is None


def test_only_numeric_addresses_can_be_listened_on() -> None:
    assert all(map(can_be_listened_on, ["tcp://0.0.0.0:7777", "tcp://127.0.0.1:0", "tcp://[::]:7777"]))
    assert not any(
        map(can_be_listened_on, ["tcp://box:7777", "tcp://[1.2.3.4]:7", "tcp://999.0.0.1:7", "", "tcp://lo:1"])
    )


def test_reading_a_configuration_reports_every_problem(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text('limit = 0\n[remote]\nlisten = "ipc:///tmp/x"\nplain = true\n')
    with pytest.raises(SettingsError) as refused:
        read(tmp_path / "config.toml")
    assert {problem.key for problem in refused.value.problems} == {"limit", "remote.listen", "remote.plain"}
