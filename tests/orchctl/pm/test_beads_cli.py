"""`bd`, with every form of answer."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from orchctl.errors import RefusedError
from orchctl.pm.beads_cli import Bd
from tests.conftest import until
from tests.orchctl.pm.fake_bd import FakeBd


def refused(bd: Bd, *words: str) -> RefusedError:
    """Return the reason why there is no answer."""
    with pytest.raises(RefusedError) as caught:
        bd.issues(*words)
    return caught.value


@pytest.mark.parametrize("envelope", [False, True])
def test_json_with_and_without_an_envelope_is_read(fake: FakeBd, tmp_path: Path, envelope: bool) -> None:
    fake.say({"id": "bd-1", "title": "x", "new_in_v9": {"a": []}}, envelope=envelope)
    (issue,) = Bd(tmp_path).issues("ready", "--limit", "0")
    assert issue["id"] == "bd-1"
    assert fake.calls() == [["ready", "--limit", "0", "--json"]]
    fake.say(envelope=envelope)
    assert Bd(tmp_path).issues("ready") == []


def test_a_missing_bd_program_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    error = refused(Bd(tmp_path), "ready")
    assert error.code == "no-bd"
    assert "--tasks FILE" in error.message


def test_a_hanging_bd_is_ended_with_its_child_processes(fake: FakeBd, tmp_path: Path) -> None:
    fake.say(modes={"ready": "hang"})
    began = time.monotonic()
    error = refused(Bd(tmp_path, timeout=0.5), "ready")
    assert (error.code, time.monotonic() - began < 5) == ("bd-hung", True)
    assert "within 0.5 s" in error.message

    def is_left() -> bool:
        mark = str(fake.place).encode()
        return any(mark in _command(entry) for entry in Path("/proc").iterdir() if entry.name.isdigit())

    until(lambda: not is_left())


def _command(entry: Path) -> bytes:
    try:
        return (entry / "cmdline").read_bytes()
    except OSError:
        return b""


def test_the_error_message_of_bd_is_reported(fake: FakeBd, tmp_path: Path) -> None:
    fake.say(modes={"ready": "error"})
    error = refused(Bd(tmp_path), "ready", "--limit", "0")
    assert str(error) == "bd-failed: `bd ready --limit`: database is locked"
    fake.say()
    assert str(refused(Bd(tmp_path), "show", "bd-9")) == "bd-failed: `bd show bd-9`: no issue found"


def test_output_without_valid_issues_is_refused(fake: FakeBd, tmp_path: Path) -> None:
    fake.say(modes={"ready": "garbage"})
    error = refused(Bd(tmp_path), "ready")
    assert error.code == "bd-nonsense"
    assert "Welcome to bd!" in error.message
    for wrong in ({"id": 7}, {"id": ""}, {"id": "--all"}, {"id": "a\nb"}, {"id": "x" * 201}):
        fake.say(wrong)
        assert refused(Bd(tmp_path), "ready").code == "bd-nonsense"


@pytest.mark.parametrize("output", ["", "null", "7", "[7]", "[" * 100_000, '{"data": null}', "{}", "[[]]"])
def test_empty_or_malformed_output_is_refused(fake: FakeBd, tmp_path: Path, output: str) -> None:
    (tmp_path / "said").write_text(output)
    (tmp_path / "bin/bd").write_text(f"#!/bin/sh\ncat {tmp_path}/said\n")
    assert refused(Bd(tmp_path), "ready").code == "bd-nonsense"


@pytest.mark.parametrize(
    ("output", "message"),
    [
        ("", "exit code 3"),
        ("boom\nbang", "boom / bang"),
        ('{"schema_version": 1, "data": {"error": "not found"}}', "not found"),
        ('note\n{"error": "a", "failed": [{"error": "b"}, {"error": "c"}]}', "b, c"),
        ("[", "["),
    ],
)
def test_every_kind_of_failure_has_a_message(fake: FakeBd, tmp_path: Path, output: str, message: str) -> None:
    (tmp_path / "said").write_text(output)
    (tmp_path / "bin/bd").write_text(f"#!/bin/sh\ncat {tmp_path}/said >&2\nexit 3\n")
    assert refused(Bd(tmp_path), "ready").message == f"`bd ready --json`: {message}"
