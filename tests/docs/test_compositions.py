"""docs/guides/compositions.md lists them."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import orchctl.composition
from orchctl.composition import validate_skill_composition
from tests.conftest import Instance
from tests.docs.test_first_pages import check_output, run

TEXT = (Path(__file__).parents[2] / "docs/guides/compositions.md").read_text()
SHOWN = dict(re.findall(r"```\n\$ orchctl (.*?)\n(.*?)```", TEXT, re.DOTALL))
BAD = {
    "name": "team",
    "executionMode": "parallel",
    "maxParallel": 9,
    "subSkills": [
        {"skillName": "api", "role": "Builds the API"},
        {"skillName": "ui", "role": "Builds the UI", "dependencies": ["apii"], "requierd": True},
    ],
}


def test_the_example_is_valid() -> None:
    example = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)[0]
    assert validate_skill_composition(json.loads(example)).valid


@pytest.mark.parametrize("words", [words for words in SHOWN if words.split()[0] in ("validate", "plan")])
def test_commands_print_the_output_that_the_page_shows(words: str, stopped: Instance, tmp_path: Path) -> None:
    (tmp_path / "team.json").write_text(json.dumps(BAD))
    assert stopped.ctl(*words.split(), code=None, cwd=tmp_path) == SHOWN[words]


def test_a_run_prints_the_output_that_the_page_shows(instance: Instance, tmp_path: Path) -> None:
    instance.env["ORCHD_MOCK_SECONDS"] = "0.1"
    blocks = re.findall(r"^```\n\$ orchctl run.*?^```\n", TEXT, re.MULTILINE | re.DOTALL)
    page = "\n".join(blocks).replace("\n\n$ ", "\n$ ")
    output = run(page, instance, tmp_path)
    output = re.sub(r"^using the mock runner, .*\n", "", output, flags=re.MULTILINE)  # which the page does not use
    output = re.sub(rf"{tmp_path}/\.agent/runs/[\w-]+/\S+", "/work/shop/.agent/runs/...", output)
    check_output(page, output.replace(str(tmp_path), "/work/shop"))
    assert len(blocks) == 2


def test_every_function_that_the_page_names_is_in_the_library() -> None:
    rows = [line for line in TEXT.split("| function |")[1].splitlines() if line.startswith("| `")]
    named = re.findall(r"`(\w+)\(", "".join(rows))
    assert len(named) > 5
    assert set(named) <= set(orchctl.composition.__all__)
