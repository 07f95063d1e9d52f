"""What runs a sub-skill."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from orchctl import runners
from orchctl.composition import SubSkill

CLI = [sys.executable, "-m", "orchctl.cli_agent"]
MOCK = [sys.executable, "-m", "orchctl.mock_agent"]


@pytest.mark.parametrize(
    ("sub_skill", "expected"),
    [
        (SubSkill("a"), MOCK),
        (SubSkill("a", runner="claude"), [*CLI, "claude"]),
        (SubSkill("a", runner="claude", model="opus"), [*CLI, "claude", "--model", "opus"]),
        (SubSkill("a", runner="codex"), [*CLI, "codex"]),
        (SubSkill("a", runner="codex", model="o3"), [*CLI, "codex", "--model", "o3"]),
        (SubSkill("a", runner="claude", command=("make", "-j")), ["make", "-j"]),
    ],
    ids=["chosen", "claude", "claude with a model", "codex", "codex with a model", "command"],
)
def test_the_nearest_word_rules(sub_skill: SubSkill, expected: list[str]) -> None:
    assert runners.command(sub_skill, "mock") == expected


def test_claude_is_the_default_where_it_is_installed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert runners.default() == "mock"
    (tmp_path / "claude").touch(0o755)
    assert runners.default() == "claude"
