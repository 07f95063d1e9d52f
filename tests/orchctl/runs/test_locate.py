"""The composition that an argument names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from orchctl.composition import Task
from orchctl.errors import RefusedError, UsageError
from orchctl.runs.locate import located, opened, task_of
from tests.orchctl.composition.files import after, composition, written


def test_a_composition_is_located_by_file_folder_or_name(tmp_path: Path) -> None:
    path = written(tmp_path / "skills/mine/composition.json", composition("a"))
    assert located("skills/mine/composition.json", tmp_path) == path
    assert located("skills/mine", tmp_path) == path
    assert located("mine", tmp_path) == path
    assert located(str(path), Path("/")) == path


def test_a_name_is_resolved_to_the_nearest_composition(tmp_path: Path) -> None:
    written(tmp_path / "skills/mine/SKILL.md", "only a skill")
    path = written(tmp_path / ".agent/skills/mine/composition.json", composition("a"))
    assert located("mine", tmp_path) == path


@pytest.mark.parametrize("word", ["nothing", "", "../x", "skyfom-backend-developer", "/nowhere/composition.json"])
def test_an_unknown_name_is_refused_with_the_known_compositions(tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError, match="unknown composition .* skyfom-feature-complete") as caught:
        located(word, tmp_path)
    assert caught.value.code == "no-composition"


def test_an_invalid_composition_is_refused_with_all_its_problems(tmp_path: Path) -> None:
    written(tmp_path / "x.json", composition(after("a", "zz"), "a"))
    with pytest.raises(RefusedError, match=r"\(1 more: see `orchctl validate x.json`\)") as caught:
        opened("x.json", tmp_path)
    problems = caught.value.details["problems"]
    assert [problem["code"] for problem in problems] == ["duplicate-name", "unknown-dependency"]  # type: ignore[attr-defined]
    assert caught.value.code == "bad-composition"


def test_the_task_is_read_from_the_options() -> None:
    options = SimpleNamespace(task_id="bd-1", requirements=None, context=("a=b=c", "d="))
    assert task_of(options) == Task("bd-1", "", {"a": "b=c", "d": ""})
