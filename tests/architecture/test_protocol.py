"""docs/reference/protocol.md says what there is: every op, every error code, every key."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from itertools import takewhile
from pathlib import Path

from orchd.protocol.operations import OPS
from tests.conftest import Instance
from tests.support.raw import Raw, documented_codes

ROOT = Path(__file__).parents[2]
PROTOCOL = (ROOT / "docs/reference/protocol.md").read_text()
RAISERS = {"WireError": 0, "Refusal": 0, "refuse": 1, "Refuse": 1}  # which argument is the code


def codes(text: str) -> Iterator[str]:
    """Every word in the place of an error code in a source, and in pairs that begin with one."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            place = RAISERS.get(name)
            if place is not None and len(node.args) > place and isinstance(node.args[place], ast.Constant):
                yield node.args[place].value  # type: ignore[attr-defined]
        elif isinstance(node, ast.Return) and isinstance(node.value, ast.Tuple):
            first = node.value.elts[0]
            if len(node.value.elts) == 2 and isinstance(first, ast.Constant) and isinstance(first.value, str):
                yield first.value


def raised() -> set[str]:
    """Every code that the daemon can answer with."""
    return {code for path in (ROOT / "orchd").rglob("*.py") for code in codes(path.read_text())}


def operations() -> dict[str, str]:
    """The documented result of each op."""
    section = PROTOCOL.split("## Operations")[1].split("\n## ")[0]
    rows = [line.split("|")[1:3] for line in section.splitlines() if line.startswith("| `")]
    return {op: result for cell, result in rows for op in re.findall(r"`([\w-]+)`", cell)}


def test_error_codes_are_extracted_from_calls_and_returned_pairs() -> None:
    text = (
        'raise WireError("a", "x")\nturn.refuse(r, "b", "x")\nraise Refusal("c", "x")\ndef f():\n    return "d", "x"\n'
    )
    assert set(codes(text)) == {"a", "b", "c", "d"}


def test_the_documented_error_codes_are_exactly_the_raised_codes() -> None:
    assert raised() == documented_codes()


def test_the_documented_ops_are_exactly_the_existing_ops() -> None:
    assert set(operations()) == set(OPS)


def test_every_result_has_the_keys_that_are_documented(instance: Instance) -> None:
    requests = {
        "spawn": {"agents": [{"command": ["true"]}], "cwd": "/", "env": {"PATH": "/bin:/usr/bin"}},
        "wait": {"ids": ["1"]},
        "run": {"name": "run", "cwd": "/", "groups": [{}], "members": [{"path": "a", "agent": {"command": ["true"]}}]},
        "runs": {},
        "run-status": {"id": "run-001"},
        "skills": {"names": ["x"]},
        "status": {},
        "why": {"id": "1"},
        "cancel": {"ids": ["1"]},
        "pause": {},
        "resume": {},
        "limit": {"limit": 3},
        "sessions": {},
        "session-status": {"id": "session-001"},
        "session-new": {"project": "/tmp"},
        "session-close": {"id": "session-001"},
        "budget": {"id": "session-001", "max_tokens": 5},
        "logs": {"id": "1"},
        "events": {},
        "daemon": {},
        "config": {},
        "reload": {},
        "output": {"id": "1"},
        "keys": {},
        "key-authorize": {"key": "laptop", "public": "a1" * 32, "role": "viewer"},
        "key-revoke": {"key": "laptop"},
        "stop": {"agents": "keep"},
    }
    with Raw(instance.home) as raw:
        for op, args in requests.items():
            result = raw.ask(op, args)["result"]
            top = re.sub(r"\[.*?\]", "", operations()[op].split("`")[1])
            assert set(result) == set(re.findall(r"\w+", top)), op
            if op in ("run", "runs", "run-status"):
                assert set(result.get("run") or result["runs"][0]) == documented_keys("Runs", but=op == "runs"), op
            if op.startswith("session"):
                assert set(result.get("session") or result["sessions"][0]) == documented_keys("Sessions", but=False), op
            if op in ("spawn", "run", "cancel"):
                inner = re.findall(r"\[\{(.*?)\}\]", operations()[op])[0]
                assert set(result["agents"][0]) == set(inner.split(", ")), op
            if op == "events":
                assert {"seq", "at", "event", "agent"} <= set(result["events"][0])
    instance.daemon.wait(30)


def test_no_agent_key_is_documented_twice() -> None:
    cells = [row.split("|")[1] for row in table_after("\n## Agent\n")]
    keys = re.findall(r"`(\w+)`", "".join(cells))
    assert len(keys) > 50
    assert sorted(set(keys)) == sorted(keys)


def table_after(text: str) -> list[str]:
    """The rows of the table that follows."""
    lines = PROTOCOL.partition(text)[2].strip().splitlines()
    return list(takewhile(lambda line: line.startswith("|"), lines))


def documented_keys(title: str, *, but: bool) -> set[str]:
    """The keys in the table of a section, without the long ones where they are left out."""
    section = PROTOCOL.split(f"## {title}")[1].split("\n## ")[0]
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("| `")]
    keys = {key for cell in cells for key in re.findall(r"`(\w+)`", cell)}
    return keys - {"groups", "members"} if but else keys


def test_status_reports_the_documented_levels(instance: Instance) -> None:
    (levels,) = re.findall(r"working agents by level, `\{(.*?)\}`", PROTOCOL)
    assert list(instance.status()["levels"]) == levels.split(", ")
