"""The composition that an argument names."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from orchctl.composition import Task
from orchctl.errors import RefusedError, UsageError
from orchctl.runs.locate import located, opened, task_of
from tests.orchctl.composition.files import after, composition, written


def test_a_file_a_folder_and_a_name_are_understood(tmp_path: Path) -> None:
    path = written(tmp_path / "skills/mine/composition.json", composition("a"))
    assert located("skills/mine/composition.json", tmp_path) == path
    assert located("skills/mine", tmp_path) == path
    assert located("mine", tmp_path) == path
    assert located(str(path), Path("/")) == path


def test_a_name_means_the_nearest_that_is_a_composition(tmp_path: Path) -> None:
    written(tmp_path / "skills/mine/SKILL.md", "only a skill")
    path = written(tmp_path / ".agent/skills/mine/composition.json", composition("a"))
    assert located("mine", tmp_path) == path


@pytest.mark.parametrize("word", ["nothing", "", "../x", "skyfom-backend-developer", "/nowhere/composition.json"])
def test_what_means_nothing_is_told_with_what_there_is(tmp_path: Path, word: str) -> None:
    with pytest.raises(UsageError, match="is no composition: .* skyfom-feature-complete") as caught:
        located(word, tmp_path)
    assert caught.value.code == "no-composition"


def test_a_bad_composition_is_refused_with_all_that_is_wrong(tmp_path: Path) -> None:
    written(tmp_path / "x.json", composition(after("a", "zz"), "a"))
    with pytest.raises(RefusedError, match=r"\(1 more: see `orchctl validate x.json`\)") as caught:
        opened("x.json", tmp_path)
    problems = caught.value.details["problems"]
    assert [problem["code"] for problem in problems] == ["duplicate-name", "unknown-dependency"]  # type: ignore[attr-defined]
    assert caught.value.code == "bad-composition"


def test_the_task_is_what_the_options_say() -> None:
    options = SimpleNamespace(task_id="bd-1", requirements=None, context=("a=b=c", "d="))
    assert task_of(options) == Task("bd-1", "", {"a": "b=c", "d": ""})
