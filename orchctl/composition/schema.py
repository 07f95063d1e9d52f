"""Checks the structure of a composition against its JSON Schema, and describes every error with its fix."""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Callable, Iterator, Mapping
from difflib import get_close_matches
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from orchctl.composition.json_reader import json_path
from orchctl.composition.problems import Problem

if TYPE_CHECKING:
    from jsonschema.protocols import Validator

SCHEMA = Path(__file__).parents[1] / "schemas/skill-composition-schema.json"
_EXAMPLE = SCHEMA.with_name("composition-example.json")
_SHOWN = 60  # characters of a value in a message
_WORDS = {
    "string": "a string",
    "integer": "a whole number",
    "number": "a number",
    "boolean": "true or false",
    "array": "a list",
    "object": "an object",
    "null": "null",
}


@cache
def schema() -> dict[str, Any]:
    """Return the schema of composition.json."""
    value: dict[str, Any] = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return value


def example_file() -> str:
    """Return a valid composition.json; its notes are keys that begin with `x-`, which are ignored."""
    return _EXAMPLE.read_text(encoding="utf-8")


@cache
def _validator() -> Validator:
    from jsonschema import Draft202012Validator  # takes a tenth of a second, which only checks should cost

    return Draft202012Validator(schema())


def checked(value: Any) -> tuple[list[Problem], dict[str, Any] | None]:
    """Return the problems of the structure, and `value` without its invalid parts; None when it is not an object.

    The second has the right structure, so that the rest can be checked too: empty in place of invalid parts.
    """
    errors = [
        _Error(
            str(error.validator),
            error.validator_value,
            error.instance,
            list(error.absolute_path),
            error.schema,
            error.message,
        )
        for error in _validator().iter_errors(value)
    ]
    reported = (problem for error in errors for problem in _TOLD[error.rule](error))
    problems = list({(problem.path, problem.message): problem for problem in reported}.values())
    if not isinstance(value, dict):
        return problems, None
    left = copy.deepcopy(value)
    for error in errors:
        if error.rule not in _KEEP:
            _remove(left, error.path)
    for key, default in (("name", ""), ("executionMode", "hybrid"), ("subSkills", [])):
        left.setdefault(key, default)
    for sub_skill in left["subSkills"]:
        sub_skill.setdefault("skillName", "")
    return problems, left


class _Error(NamedTuple):
    rule: str  # the keyword of the schema
    bound: Any  # what the keyword says
    instance: Any
    path: list[Any]
    schema: Any
    message: str


_KEEP = ("required", "additionalProperties")  # the object is right but for a key that is missing or not read


def _problem(error: _Error, message: str, way_out: str, code: str = "bad-value") -> Problem:
    return Problem(code, json_path(error.path), error.instance, message, way_out)


def _shown(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."


def _kind(error: _Error) -> Iterator[Problem]:
    kinds = error.bound if isinstance(error.bound, list) else [error.bound]
    wanted = " or ".join(_WORDS[kind] for kind in kinds if kind != "null")
    yield _problem(error, f"{_shown(error.instance)} is not {wanted}", f"write {wanted}")


def _choice(error: _Error) -> Iterator[Problem]:
    words = [word for word in error.bound if isinstance(word, str)]
    nearest = get_close_matches(str(error.instance), words, 1)
    way_out = f"did you mean {nearest[0]!r}?" if nearest else f"write one of {', '.join(words)}"
    yield _problem(error, f"{_shown(error.instance)} is not one of {', '.join(words)}", way_out)


def _missing(error: _Error) -> Iterator[Problem]:
    examples = {"name": '"my-team"', "executionMode": '"hybrid"', "subSkills": "[...]"}
    for key in error.bound:
        if key not in error.instance:
            path, example = json_path([*error.path, key]), examples.get(key, '"..."')
            yield Problem("missing", path, None, f"{key!r} is missing", f'add "{key}": {example}')


_MEANT = {  # by keys of other tools
    "optional": "`required: false` makes a member optional",
    **dict.fromkeys(
        ("after", "dependsOn", "depends_on", "needs", "requires"),
        "`dependencies` lists the sub-skills that must end before",
    ),
    **dict.fromkeys(("concurrency", "parallel"), "`maxParallel` limits how many run at once"),
}


def _unknown(error: _Error) -> Iterator[Problem]:
    known = error.schema["properties"]
    patterns = error.schema.get("patternProperties", ())
    for key, value in error.instance.items():
        if key not in known and not any(re.search(pattern, key) for pattern in patterns):
            nearest = get_close_matches(key, known, 1)
            keys = f"known keys: {', '.join(sorted(known))}, and any key that begins with `x-`"
            way_out = _MEANT.get(key) or (f"did you mean {nearest[0]!r}?" if nearest else keys)
            path = json_path([*error.path, key])
            yield Problem("unknown-key", path, value, f"unknown key {key!r}", way_out)


def _bound(error: _Error) -> Iterator[Problem]:
    words = {"minimum": "{} or more", "maximum": "{} or less", "exclusiveMinimum": "more than {}"}
    way_out = f"make it {words[error.rule].format(error.bound)}"
    yield _problem(error, f"{_key(error)} is {_shown(error.instance)}", way_out, "out-of-range")


def _pattern(error: _Error) -> Iterator[Problem]:
    if _key(error) == "timeout":
        way_out = "use seconds or a unit, e.g. 90, 90s, 15m, 2h"
        yield _problem(error, f"{_shown(error.instance)} is not a valid duration", way_out)
    else:
        way_out = "write a name without `=`"
        yield _problem(error, f"{_shown(error.instance)} is not a valid variable name", way_out)


def _length(error: _Error) -> Iterator[Problem]:
    if error.rule == "maxLength":
        way_out = f"use {error.bound} characters or fewer"
        yield _problem(error, f"{_key(error)} has {len(error.instance)} characters", way_out, "too-long")
    else:
        yield _problem(error, f"{_key(error)} is empty", "write a value, or remove it", "empty")


def _key(error: _Error) -> str:
    return str(error.path[-1]) if error.path else "it"


_TOLD: Mapping[str, Callable[[_Error], Iterator[Problem]]] = {
    "type": _kind,
    "enum": _choice,
    "required": _missing,
    "additionalProperties": _unknown,
    "minimum": _bound,
    "maximum": _bound,
    "exclusiveMinimum": _bound,
    "pattern": _pattern,
    "minLength": _length,
    "maxLength": _length,
    "minItems": _length,
}


def _remove(left: dict[str, Any], path: list[Any]) -> None:
    match path:
        case ["subSkills", int(index)]:
            left["subSkills"][index] = {}
        case ["subSkills", int(index), "dependencies", int(place)]:
            left["subSkills"][index]["dependencies"][place] = ""
        case ["subSkills", int(index), key, *_]:
            left["subSkills"][index].pop(key, None)
        case ["coordinationStrategy", key]:
            left["coordinationStrategy"].pop(key, None)
        case [key, *_]:
            left.pop(key, None)
