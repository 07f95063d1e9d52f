"""The agent that only pretends."""

from __future__ import annotations

import io
from pathlib import Path

import pytest

from orchctl.runners import mock

QUICK = {"ORCHD_MOCK_SECONDS": "0.001"}


@pytest.fixture(autouse=True)
def _prompt(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("Do it."))


def test_it_reads_works_and_writes_its_result(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "design.md").touch()
    inputs = f"{tmp_path}/design.md:{tmp_path}/none.md"
    env = {**QUICK, "ORCHD_RESULT": str(tmp_path / "api.md"), "ORCHD_RESULTS": inputs, "ORCHD_MOCK_FAIL": "ui"}
    assert mock.main(env) == 0
    assert (tmp_path / "api.md").read_text() == (
        f"# api\n\nThis agent only pretended.\n\n- has read {tmp_path}/design.md\n"
    )
    said = capsys.readouterr().out.splitlines()
    assert said[0] == "api: read a prompt of 6 characters"
    assert said[-1] == "api: done"
    assert len(said) == 6


def test_it_fails_when_it_is_told_to(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    env = {**QUICK, "ORCHD_RESULT": str(tmp_path / "api.md"), "ORCHD_MOCK_FAIL": "ui,api"}
    assert mock.main(env) == 1
    assert not (tmp_path / "api.md").exists()
    assert "failed" in capsys.readouterr().out


def test_it_needs_nobody_to_run_it() -> None:
    assert mock.main(QUICK) == 0
