"""`orchctl skill install|list|show`."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.composition.files import composition, written
from tests.orchctl.conftest import Orchctl

NAME = "skill-parallel-orchestration"
FILES = ["SKILL.md", "scripts/spawn_agent_mock.py"]


@pytest.fixture(autouse=True)
def _no_cli(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take the CLIs that are installed on this machine out of the PATH."""
    places = os.environ["PATH"].split(os.pathsep)
    remaining_places = [
        directory for directory in places if not any(shutil.which(name, path=directory) for name in ("claude", "codex"))
    ]
    monkeypatch.setenv("PATH", os.pathsep.join(remaining_places))


def copies(directory: Path) -> list[str]:
    """Return the directories of skills that contain the skill."""
    return sorted(str(path.relative_to(directory).parents[1]) for path in directory.rglob(f"{NAME}/SKILL.md"))


def test_install_writes_the_skill_for_each_installed_cli(stopped: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    stopped.env["PATH"] = f"{tmp_path}/bin:{stopped.env['PATH']}"
    for name, expected in (
        ("claude", [".agent/skills", ".claude/skills"]),
        ("codex", [".agent/skills", ".agents/skills", ".claude/skills"]),
    ):
        (tmp_path / "bin").mkdir(exist_ok=True)
        (tmp_path / "bin" / name).touch(mode=0o755)
        assert orchctl("skill", "install").code == 0
        assert copies(tmp_path) == expected


@pytest.mark.parametrize(
    ("directory", "expected"),
    [
        (".claude/settings.json", [".agent/skills", ".claude/skills"]),
        (".claude/state/agents.json", [".agent/skills"]),
        (".agents/x", [".agent/skills", ".agents/skills"]),
    ],
)
def test_install_detects_a_cli_by_project_files_not_made_by_the_daemon(
    orchctl: Orchctl, tmp_path: Path, directory: str, expected: list[str]
) -> None:
    (tmp_path / directory).parent.mkdir(parents=True)
    (tmp_path / directory).touch()
    orchctl("skill", "install")
    assert copies(tmp_path) == expected


def test_install_dir_writes_only_to_the_given_directory(orchctl: Orchctl, tmp_path: Path) -> None:
    (tmp_path / ".agents").mkdir()
    orchctl("skill", "install", "--dir", "mine")
    assert copies(tmp_path) == ["mine"]


def test_show_reads_a_skill_in_the_codex_directory(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / ".agents/skills/own/SKILL.md", "# Own\n")
    assert orchctl("skill", "show", "own").out == "# Own\n"


def test_a_second_install_reports_an_up_to_date_skill(orchctl: Orchctl, tmp_path: Path) -> None:
    first_install = orchctl("skill", "install")
    assert first_install == (0, "".join(f".agent/skills/{NAME}/{file}: written\n" for file in FILES), "")
    assert (tmp_path / ".agent/skills" / NAME / "SKILL.md").read_text().startswith(f"---\nname: {NAME}\n")
    assert orchctl("skill", "install") == (0, f".agent/skills/{NAME} is up to date\n", "")


def test_install_writes_to_a_given_directory_and_to_claude(orchctl: Orchctl, tmp_path: Path) -> None:
    assert orchctl("skill", "install", "--dir", "mine/", "--claude").code == 0
    assert [(tmp_path / place / NAME / file).exists() for place in ("mine", ".claude/skills") for file in FILES] == [
        True
    ] * 4
    assert not (tmp_path / ".agent").exists()


def test_install_replaces_a_changed_file_only_with_force(orchctl: Orchctl, tmp_path: Path) -> None:
    orchctl("skill", "install")
    path = tmp_path / ".agent/skills" / NAME / "SKILL.md"
    path.write_text("mine")
    result = orchctl("skill", "install")
    assert (result.code, path.read_text()) == (1, "mine")
    assert result.out.splitlines()[0] == f".agent/skills/{NAME}/SKILL.md: changed"
    assert (
        result.err
        == "changed: files that you edited were not replaced; --force replaces them and keeps the old files as .bak\n"
    )
    result = orchctl("skill", "install", "--force", "--json")
    assert [file["done"] for file in json.loads(result.out)["files"]] == ["replaced", "up to date"]
    assert path.with_name("SKILL.md.bak").read_text() == "mine"
    assert orchctl("skill", "install").code == 0


def test_list_shows_the_nearest_skill_of_each_name(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "skills/team/composition.json", composition("a"))
    written(tmp_path / ".claude/skills/skyfom-designer/SKILL.md", '---\ndescription: "mine: own"\n---\n')
    (tmp_path / "skills/nothing").mkdir()
    skills = {skill["name"]: skill for skill in json.loads(orchctl("skill", "list", "--json").out)["skills"]}
    assert (skills["team"]["composite"], skills["team"]["path"]) == (True, str(tmp_path / "skills/team"))
    assert skills["skyfom-designer"] == {
        "name": "skyfom-designer",
        "path": str(tmp_path / ".claude/skills/skyfom-designer"),
        "composite": False,
        "description": "mine: own",
    }
    assert skills["skyfom-feature-complete"]["composite"] is True
    assert NAME in skills
    assert "nothing" not in skills
    assert "team " in orchctl("skill", "list").out


def test_a_skill_is_shown(orchctl: Orchctl, tmp_path: Path) -> None:
    result = orchctl("skill", "show", NAME)
    assert (result.code, result.err) == (0, "")
    assert "# Parallel orchestration\n" in result.out
    assert json.loads(orchctl("skill", "show", NAME, "--json").out)["text"] == result.out
    written(tmp_path / "skills/team/composition.json", composition("a"))
    assert '"name": "team"' in orchctl("skill", "show", "team").out


def test_a_makefile_in_a_skill_keeps_its_tabs(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "skills/make/SKILL.md", "all:\n\tcc x.c\x1b\n")
    assert orchctl("skill", "show", "make").out == "all:\n\tcc x.c?\n"


def test_show_refuses_an_unknown_skill(orchctl: Orchctl) -> None:
    result = orchctl("skill", "show", "nowhere")
    assert result.code == 2
    assert result.err.startswith("unknown-skill: unknown skill: 'nowhere'; available skills: skill-parallel-orch")
