"""The compositions that are installed with the package."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from orchctl.composition import flatten, load_tree, name_of, plan_execution_order, validate_skill_composition
from orchctl.runs.locate import located
from orchctl.skills import find

ROOT = Path(__file__).parents[3]
GROUPS = {
    "skyfom-fullstack-developer": [["backend-developer"], ["frontend-developer", "mobile-developer"]],
    "skyfom-feature-complete": [
        ["backend-developer", "frontend-developer", "designer"],
        ["qa-engineer", "code-reviewer"],
    ],
}
LONGEST = {"skill-parallel-orchestration": 12_000}  # it is read by itself, not as a part of a prompt


@pytest.mark.parametrize("name", GROUPS)
def test_each_shipped_composition_is_valid_and_has_the_expected_plan(name: str, tmp_path: Path) -> None:
    path = located(name, tmp_path)
    assert path == find.SHIPPED / name / "composition.json"
    assert validate_skill_composition(path, directory=tmp_path) == (True, (), ())
    tree = load_tree(path, tmp_path)
    groups = plan_execution_order(tree.composition.sub_skills)
    assert [[name_of(sub_skill).removeprefix("skyfom-") for sub_skill in group] for group in groups] == GROUPS[name]
    assert tree.composition.execution_mode == "hybrid"
    assert all(member.text.startswith("# ") for member in flatten(tree).members)


def test_all_shipped_compositions_are_tested() -> None:
    assert sorted(GROUPS) == sorted(path.parent.name for path in find.SHIPPED.glob("*/composition.json"))


@pytest.mark.parametrize(
    "folder",
    sorted(folder for folder in find.SHIPPED.iterdir() if find.is_skill(folder)),
    ids=lambda folder: folder.name,
)
def test_every_skill_has_a_name_and_a_description(folder: Path) -> None:
    head = (folder / "SKILL.md").read_text().split("---\n")[1]
    assert f"name: {folder.name}\n" in head
    assert "description: " in head
    assert 200 < len(find.text_of(folder)) < LONGEST.get(folder.name, 2000)


def test_all_shipped_files_are_installed_with_the_package() -> None:
    package_data = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]["orchctl"]
    package = ROOT / "orchctl"
    installed = {path for pattern in package_data for path in package.glob(pattern)}
    shipped = {
        path
        for path in find.SHIPPED.rglob("*")
        if path.is_file() and path.parent != find.SHIPPED and path.suffix != ".pyc"
    }
    texts = {path for path in package.rglob("*") if path.suffix in (".md", ".json") and path.name != "README.md"}
    assert texts | shipped <= installed
