"""Peers are installed once, made anew when that broke off, and left out with a line where they cannot be had."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

import pytest

from benchmarks.peers import at_hand, cache
from benchmarks.peers.base import Peer
from benchmarks.peers.cache import LeftOutError, Source


@pytest.fixture(autouse=True)
def _own_cache(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    monkeypatch.setattr(cache, "DIRECTORY", tmp_path)
    cache.find.cache_clear()
    yield
    cache.find.cache_clear()


def known(monkeypatch: pytest.MonkeyPatch, source: Source) -> None:
    monkeypatch.setattr(cache, "SOURCES", {"a peer": source})


def installs(monkeypatch: pytest.MonkeyPatch, tries: list[str], *, breaks_off: int = 0) -> None:
    """An installer that is counted, and breaks off the first times."""

    def install(package: str, directory: Path) -> str:
        tries.append(package)
        (directory / "half").touch(exist_ok=False)
        if len(tries) <= breaks_off:
            raise subprocess.TimeoutExpired(["pip"], 1)
        (directory / "program").touch()
        return "1.2"

    monkeypatch.setattr(cache, "INSTALLERS", {"pip": install})


def test_a_program_that_the_machine_lacks_is_left_out_with_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    known(monkeypatch, Source("machine", "", "no-such-program"))
    assert cache.find("a peer") is None
    assert cache.find("a peer") is None
    assert capsys.readouterr().out == "a peer: left out: no-such-program is not installed\n"


def test_a_missing_installer_is_reported(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    known(monkeypatch, Source("npm", "pm2", "pm2"))
    assert cache.find("a peer") is None
    assert "a peer: left out: " in capsys.readouterr().out


def test_an_installer_failure_reports_its_error_output(tmp_path: Path) -> None:
    with pytest.raises(LeftOutError, match="no such package"):
        cache._output(["sh", "-c", "echo fetching >&2; echo no such package >&2; exit 1"])


def test_a_package_is_installed_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tries: list[str] = []
    installs(monkeypatch, tries)
    known(monkeypatch, Source("pip", "package", "program"))
    first = cache.find("a peer")
    cache.find.cache_clear()
    assert cache.find("a peer") == first == (tmp_path / "a-peer" / "program", "1.2")
    assert tries == ["package"]


def test_a_partial_installation_is_repeated(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    tries: list[str] = []
    installs(monkeypatch, tries, breaks_off=1)
    known(monkeypatch, Source("pip", "package", "program"))
    assert cache.find("a peer") is None
    assert "left out" in capsys.readouterr().out
    cache.find.cache_clear()
    assert cache.find("a peer")
    assert len(tries) == 2


def test_a_package_without_its_program_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    installs(monkeypatch, [])
    known(monkeypatch, Source("pip", "package", "another"))
    assert cache.find("a peer") is None
    assert "package of pip has no another" in capsys.readouterr().out


def test_a_peer_with_a_missing_requirement_is_not_available(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    class Lacking(Peer):
        needs: ClassVar[tuple[str, ...]] = ("a peer",)

    known(monkeypatch, Source("machine", "", "no-such-program"))
    assert at_hand((Lacking, Peer)) == [Peer]
    assert "a peer: left out" in capsys.readouterr().out
