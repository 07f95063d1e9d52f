"""Titles and paths that the encoding of the locale lacks."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest

from orchctl.terminal import console
from tests.conftest import Instance
from tests.orchctl import repos
from tests.orchctl.conftest import Orchctl
from tests.orchctl.pm.pm_runs import MOCK, pm_report

BARE = {"PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0", "LC_ALL": "C"}


@pytest.fixture
def bare(stopped: Instance) -> dict[str, str]:
    """An environment whose locale has ASCII only."""
    return {**stopped.env, **BARE, "ORCHD_MOCK_SECONDS": "0.01"}


def test_a_plan_with_non_ascii_titles_is_executed(
    stopped: Instance, orchctl: Orchctl, tmp_path: Path, bare: dict[str, str]
) -> None:
    (tmp_path / "plan.md").write_text("- [ ] Füge 日\n")
    report = pm_report(orchctl("pm", "--tasks", "plan.md", "--tick", *MOCK, "--json", env=bare))
    assert [(row["id"], row["title"], row["task"]) for row in report["developers"]] == [
        ("füge-日", "Füge 日", "ticked")
    ]
    assert Path(report["developers"][0]["result"]).is_file()
    (tmp_path / "plan.md").write_text("- [ ] Füge 日 2\n")
    result = orchctl("pm", "--tasks", "plan.md", *MOCK, env=bare)
    assert (result.code, "F?ge ? 2" in result.err) == (0, True)


def test_worktrees_of_a_repository_with_a_non_ascii_path_are_pruned(
    stopped: Instance, orchctl: Orchctl, tmp_path: Path, bare: dict[str, str]
) -> None:
    repo = tmp_path / "rü"
    repos.repository(repo)
    assert orchctl("spawn", "--worktree", "--wait", "--", "true", cwd=repo, env=bare).code == 0
    listed = orchctl("worktrees", "list", "--json", cwd=repo, env=bare)
    assert json.loads(listed.out)["worktrees"][0]["repository"] == f"{repo}/.git"
    assert orchctl("worktrees", "list", cwd=repo, env=bare).code == 0
    pruned = orchctl("worktrees", "prune", cwd=repo, env=bare)
    assert "agent-001  removed" in pruned.out, pruned


def test_streams_escape_characters_that_their_encoding_lacks(monkeypatch: pytest.MonkeyPatch) -> None:
    raw = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(raw, encoding="ascii"))
    console.prepare()
    sys.stdout.write("日")
    sys.stdout.flush()
    assert raw.getvalue() == b"\\u65e5"
