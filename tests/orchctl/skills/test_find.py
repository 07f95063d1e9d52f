"""Where skills are found."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.skills import find as skills
from tests.orchctl.composition.files import written


def test_the_nearest_skill_is_returned(tmp_path: Path) -> None:
    file = tmp_path / "far/team/composition.json"
    for place in (tmp_path / "far/api", tmp_path / "skills/api", tmp_path / ".claude/skills/api"):
        written(place / "SKILL.md", "x")
    places = skills.places(tmp_path, file)
    assert skills.find("api", places) == tmp_path / "far/api"
    assert skills.find("api", skills.places(tmp_path)) == tmp_path / "skills/api"
    (tmp_path / "skills/api/SKILL.md").unlink()
    assert skills.find("api", skills.places(tmp_path)) == tmp_path / ".claude/skills/api"


def test_skills_are_searched_next_to_a_file_of_any_name(tmp_path: Path) -> None:
    written(tmp_path / "api/composition.json", "{}")
    assert skills.find("api", skills.places(tmp_path / "x", tmp_path / "team.json")) == tmp_path / "api"


@pytest.mark.parametrize("name", ["", "..", ".", "../api", "a\0b", "nothing"])
def test_an_invalid_or_unknown_skill_name_has_no_match(tmp_path: Path, name: str) -> None:
    written(tmp_path / "api/SKILL.md", "x")
    written(tmp_path / "SKILL.md", "x")
    assert skills.find(name, [tmp_path, tmp_path / "api"]) is None


def test_skill_text_excludes_the_front_matter(tmp_path: Path) -> None:
    assert skills.text_of(written(tmp_path / "a/SKILL.md", "---\nname: a\n---\n\n# A\n").parent) == "# A\n"
    assert skills.text_of(written(tmp_path / "b/SKILL.md", "# B\n---\n").parent) == "# B\n---\n"
    assert skills.text_of(written(tmp_path / "c/SKILL.md", "---\nno end").parent) == "---\nno end"
    assert skills.text_of(tmp_path) == ""


def test_names_lists_compositions_only(tmp_path: Path) -> None:
    written(tmp_path / "skills/mine/composition.json", "{}")
    written(tmp_path / "skills/api/SKILL.md", "")
    names = list(skills.names(tmp_path))
    assert names[0] == "mine"
    assert "api" not in names
