"""The structure of compositions, and the message for each mistake."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from orchctl.composition.schema import _TOLD, checked, schema
from tests.orchctl.composition.files import after, composition


def test_the_schema_is_valid_and_describes_every_key() -> None:
    Draft202012Validator.check_schema(schema())
    for definition in (schema(), *schema()["$defs"].values()):
        assert all(value["description"] for value in definition["properties"].values())


def test_every_schema_rule_has_an_error_message() -> None:
    silent = {"$schema", "$id", "$ref", "$defs", "title", "description", "default", "properties", "items"}
    silent |= {"patternProperties", "propertyNames"}  # these only apply other rules
    pending, rules = [schema()], set[str]()
    while pending:
        branch = pending.pop()
        rules |= set(branch)
        inner = [branch.get("items"), branch.get("additionalProperties"), branch.get("propertyNames")]
        for key in ("properties", "patternProperties", "$defs"):
            inner += branch.get(key, {}).values()
        pending += [item for item in inner if isinstance(item, dict)]
    assert rules - silent == set(_TOLD)


@pytest.mark.parametrize("name", ["claude", "my-own.runner", None])
def test_a_member_may_have_any_runner(name: str | None) -> None:
    assert checked(composition(after("a", runner=name)))[0] == []


def test_allowed_values_have_no_problems() -> None:
    sub_skill = after("a", "b", id="x", timeout="1.5h", tokenEstimate=3.0, model=None, env={"A": ""}, command=["x"])
    strategy = {"errorHandling": "retry", "maxRetries": 0, "x-note": 1}
    more: dict[str, Any] = {"$schema": "s", "x-mine": 1, "version": "1"}
    value = composition(sub_skill, "b", coordinationStrategy=strategy, **more)
    assert checked(value) == ([], value)


@pytest.mark.parametrize(
    ("change", "path", "message"),
    [
        ({"name": 3}, "$.name", "3 is not a string; write a string"),
        ({"name": ""}, "$.name", "name is empty"),
        ({"name": "x" * 201}, "$.name", "name has 201 characters; use 200 characters or fewer"),
        ({"executionMode": "hybird"}, "$.executionMode", "did you mean 'hybrid'?"),
        ({"executionMode": "x"}, "$.executionMode", "write one of parallel, sequential, hybrid"),
        ({"maxparallel": 3}, "$.maxparallel", "did you mean 'maxParallel'?"),
        ({"zz": 3}, "$.zz", "unknown key 'zz'; known keys: "),
        ({"optional": True}, "$.optional", "`required: false` makes a member optional"),
        ({"maxParallel": 0}, "$.maxParallel", "maxParallel is 0; make it 1 or more"),
        ({"maxParallel": True}, "$.maxParallel", "true is not a whole number"),
        ({"subSkills": []}, "$.subSkills", "subSkills is empty"),
        ({"subSkills": "a"}, "$.subSkills", '"a" is not a list; write a list'),
        ({"coordinationStrategy": {"maxRetries": 1001}}, "$.coordinationStrategy.maxRetries", "1000 or less"),
        ({"coordinationStrategy": 1}, "$.coordinationStrategy", "1 is not an object"),
        ({"subSkills": [7]}, "$.subSkills[0]", "7 is not an object"),
        ({"subSkills": [{}]}, "$.subSkills[0].skillName", "'skillName' is missing; add"),
        ({"subSkills": [after("a", timeout=0)]}, "$.subSkills[0].timeout", "timeout is 0; make it more than 0"),
        (
            {"subSkills": [after("a", timeout="0s")]},
            "$.subSkills[0].timeout",
            '"0s" is not a valid duration; use seconds',
        ),
        ({"subSkills": [after("a", env={"A=": ""})]}, "$.subSkills[0].env", '"A=" is not a valid variable name'),
        ({"subSkills": [after("a", tokenEstimate=-1)]}, "$.subSkills[0].tokenEstimate", "make it 0 or more"),
        ({"name": ["x" * 90]}, "$.name", "... is not a string"),
    ],
    ids=lambda value: value if isinstance(value, str) and value.startswith("$") else "",
)
def test_each_mistake_is_reported_with_its_path_and_a_way_out(change: dict[str, Any], path: str, message: str) -> None:
    problems, rest_of_value = checked({**composition("a"), **change})
    assert [problem.path for problem in problems] == [path]
    assert message in str(problems[0])
    assert rest_of_value is not None
    emptied = {"$.name", "$.subSkills", "$.subSkills[0].skillName"}  # are empty now, which is right for the checks
    emptied |= {problem.path for problem in problems if problem.code == "unknown-key"}
    assert {problem.path for problem in checked(rest_of_value)[0]} <= emptied


def test_all_missing_keys_are_reported_at_once() -> None:
    problems, rest_of_value = checked({})
    assert [problem.path for problem in problems] == ["$.name", "$.executionMode", "$.subSkills"]
    assert rest_of_value == {"name": "", "executionMode": "hybrid", "subSkills": []}


def test_a_non_object_is_reported_and_yields_no_value() -> None:
    problems, rest_of_value = checked([1])
    assert (problems[0].path, rest_of_value) == ("$", None)


def test_valid_values_beside_a_mistake_keep_their_positions() -> None:
    _, rest_of_value = checked(
        composition(after("a", "b"), after("b", "a", role=3), 7, {"skillName": "c", "dependencies": ["a", 3]})
    )
    assert rest_of_value is not None
    assert [sub_skill["skillName"] for sub_skill in rest_of_value["subSkills"]] == ["a", "b", "", "c"]
    assert rest_of_value["subSkills"][1]["dependencies"] == ["a"]
    assert rest_of_value["subSkills"][3]["dependencies"] == ["a", ""]


def test_importing_orchctl_does_not_import_jsonschema() -> None:
    script = "import sys, orchctl.__main__, orchctl.composition; print('jsonschema' in sys.modules)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout == "False\n"
