"""`orchctl skill install|list|show`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.orchctl.composition.files import composition, written
from tests.orchctl.conftest import Orchctl

NAME = "skill-parallel-orchestration"
FILES = ["SKILL.md", "scripts/spawn_agent_mock.py"]


def test_it_is_installed_and_the_second_time_up_to_date(orchctl: Orchctl, tmp_path: Path) -> None:
    first = orchctl("skill", "install")
    assert first == (0, "".join(f".agent/skills/{NAME}/{file}: written\n" for file in FILES), "")
    assert (tmp_path / ".agent/skills" / NAME / "SKILL.md").read_text().startswith(f"---\nname: {NAME}\n")
    assert orchctl("skill", "install") == (0, f".agent/skills/{NAME} is up to date\n", "")


def test_it_goes_elsewhere_and_to_claude_too(orchctl: Orchctl, tmp_path: Path) -> None:
    assert orchctl("skill", "install", "--dir", "mine/", "--claude").code == 0
    assert [(tmp_path / place / NAME / file).exists() for place in ("mine", ".claude/skills") for file in FILES] == [
        True
    ] * 4
    assert not (tmp_path / ".agent").exists()


def test_a_changed_file_is_never_written_over_without_saying_so(orchctl: Orchctl, tmp_path: Path) -> None:
    orchctl("skill", "install")
    path = tmp_path / ".agent/skills" / NAME / "SKILL.md"
    path.write_text("mine")
    done = orchctl("skill", "install")
    assert (done.code, path.read_text()) == (1, "mine")
    assert done.out.splitlines()[0] == f".agent/skills/{NAME}/SKILL.md: changed"
    assert done.err == "changed: what you changed was left alone; --force replaces it and keeps the old one as .bak\n"
    done = orchctl("skill", "install", "--force", "--json")
    assert [one["done"] for one in json.loads(done.out)["files"]] == ["replaced", "up to date"]
    assert path.with_name("SKILL.md.bak").read_text() == "mine"
    assert orchctl("skill", "install").code == 0


def test_the_list_has_what_is_found_from_here_the_nearest_of_a_name(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "skills/team/composition.json", composition("a"))
    written(tmp_path / ".claude/skills/skyfom-designer/SKILL.md", '---\ndescription: "mine: own"\n---\n')
    (tmp_path / "skills/nothing").mkdir()
    found = {one["name"]: one for one in json.loads(orchctl("skill", "list", "--json").out)["skills"]}
    assert (found["team"]["composite"], found["team"]["path"]) == (True, str(tmp_path / "skills/team"))
    assert found["skyfom-designer"] == {
        "name": "skyfom-designer",
        "path": str(tmp_path / ".claude/skills/skyfom-designer"),
        "composite": False,
        "description": "mine: own",
    }
    assert found["skyfom-feature-complete"]["composite"] is True
    assert NAME in found
    assert "nothing" not in found
    assert "team " in orchctl("skill", "list").out


def test_a_skill_is_shown(orchctl: Orchctl, tmp_path: Path) -> None:
    done = orchctl("skill", "show", NAME)
    assert (done.code, done.err) == (0, "")
    assert "# Parallel orchestration\n" in done.out
    assert json.loads(orchctl("skill", "show", NAME, "--json").out)["text"] == done.out
    written(tmp_path / "skills/team/composition.json", composition("a"))
    assert '"name": "team"' in orchctl("skill", "show", "team").out


def test_a_makefile_in_a_skill_keeps_its_tabs(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "skills/make/SKILL.md", "all:\n\tcc x.c\x1b\n")
    assert orchctl("skill", "show", "make").out == "all:\n\tcc x.c?\n"


def test_what_is_no_skill(orchctl: Orchctl) -> None:
    done = orchctl("skill", "show", "nowhere")
    assert done.code == 2
    assert done.err.startswith(
        "unknown-skill: 'nowhere' is no skill that is found from here; there are skill-parallel-orch"
    )
