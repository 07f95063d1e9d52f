"""Every operation's shape: what fits is built, what does not is said."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.protocol.frames import MOST
from orchd.protocol.operations import OPS, Request
from orchd.protocol.schema import ShapeError, parse
from tests.support.valid_requests import args_of, broken

REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("spawn", {"cwd": "/"}, "agents is missing"),
    ("spawn", {"agents": [], "cwd": "/"}, "agents must be a list of 1 to 10,000 agents, not ()"),
    (
        "spawn",
        {"agents": [{"command": [""]}], "cwd": "/"},
        "agents[0].command must be a list whose first item is not empty, not ('',)",
    ),
    ("spawn", {"agents": [{"command": ["x"], "result": "r"}], "cwd": "/"}, "agents[0].result must be an absolute path"),
    (
        "spawn",
        {"agents": [{"command": ["x"], "tokens": -1}], "cwd": "/"},
        "agents[0].tokens must be between 0 and 10^12",
    ),
    ("spawn", {"agents": [{"command": "ls"}], "cwd": "/"}, "agents[0].command must be a list, not a string"),
    ("spawn", {"agents": [{"command": ["x"]}], "cwd": "."}, "cwd must be an absolute path, not '.'"),
    ("spawn", {"agents": [{"command": ["x"], "stdin": "x"}], "cwd": "/"}, "agents[0].stdin must be an absolute path"),
    ("spawn", {"agents": [{"command": ["x"], "timeout": 0}], "cwd": "/"}, "agents[0].timeout must be above 0, not 0.0"),
    ("spawn", {"agents": [{"command": ["x"], "silence": -1}], "cwd": "/"}, "agents[0].silence must be above 0"),
    ("spawn", {"agents": [{"command": ["x"], "grace": -1}], "cwd": "/"}, "agents[0].grace must be 0 or more"),
    ("spawn", {"agents": [{"command": ["x"], "retries": 1001}], "cwd": "/"}, "between 0 and 1000"),
    ("spawn", {"agents": [{"command": ["x"], "priority": 101}], "cwd": "/"}, "between -100 and 100"),
    ("spawn", {"agents": [{"command": ["x"], "nesting": -1}], "cwd": "/"}, "agents[0].nesting must be 0 or more"),
    ("spawn", {"agents": [{"command": ["x"], "name": ""}], "cwd": "/"}, "1 to 200 characters"),
    ("spawn", {"agents": [{"command": ["x"], "name": "n" * 201}], "cwd": "/"}, "1 to 200 characters"),
    ("spawn", {"agents": [{"command": ["x"], "goal": "g" * 4097}], "cwd": "/"}, "at most 4,096 characters"),
    ("wait", {"scope": "some"}, "scope must be ids, tree, all or children, not 'some'"),
    ("wait", {"timeout": -0.1}, "timeout must be 0 or more"),
    ("cancel", {"ids": []}, "ids must be a list of at least one id, not ()"),
    ("cancel", {}, "ids is missing"),
    ("retry", {"ids": []}, "ids must be a list of at least one id, not ()"),
    ("limit", {"limit": 0}, "limit must be between 1 and 10,000, not 0"),
    ("limit", {"resident": 10_001}, "resident must be between 1 and 10,000"),
    ("logs", {"id": "1", "attempt": 0}, "attempt must be 1 or more"),
    ("events", {"since": -1}, "since must be 0 or more"),
    ("events", {"count": 1001}, "count must be between 1 and 1,000"),
    ("stop", {"agents": "kill"}, "agents must be keep, stop or drain, not 'kill'"),
    ("pause", {"for": 3}, "for is an unknown key"),
]


@pytest.mark.parametrize(("op", "args", "words"), REFUSED)
def test_invalid_arguments_are_refused_with_the_reason(op: str, args: dict[str, Any], words: str) -> None:
    with pytest.raises(ShapeError) as caught:
        parse(OPS[op], args)
    assert words in str(caught.value)


@pytest.mark.parametrize("op", OPS)
def test_every_op_accepts_the_arguments_that_its_shape_generates(op: str) -> None:
    @given(args_of(op))
    def check(args: dict[str, Any]) -> None:
        value = parse(OPS[op], args)
        again = dataclasses.asdict(value)
        assert parse(OPS[op], again) == value

    check()


@pytest.mark.parametrize("op", OPS)
def test_every_op_with_one_field_replaced_is_built_or_refused(op: str) -> None:
    @given(broken(op))
    def check(args: dict[str, Any]) -> None:
        try:
            assert isinstance(parse(OPS[op], args), OPS[op])
        except ShapeError as error:
            assert str(error)  # noqa: PT017 - either outcome is right

    check()


def test_the_table_and_the_union_name_the_same_shapes() -> None:
    assert set(OPS.values()) == set(Request.__args__)


def test_a_request_for_more_than_10_000_agents_or_ids_is_refused() -> None:
    agents = [{"command": ["true"]}] * MOST
    assert len(parse(OPS["spawn"], {"agents": agents, "cwd": "/"}).agents) == MOST  # type: ignore[union-attr]
    with pytest.raises(ShapeError, match="1 to 10,000 agents"):
        parse(OPS["spawn"], {"agents": [*agents, agents[0]], "cwd": "/"})
    for op in ("cancel", "retry", "wait", "status"):
        with pytest.raises(ShapeError, match="at most 10,000 ids"):
            parse(OPS[op], {"ids": ["1"] * (MOST + 1)})


@given(st.lists(st.binary(min_size=1, max_size=9).filter(lambda arg: b"\0" not in arg), min_size=1, max_size=4))
def test_a_command_may_be_any_bytes_but_nul(argv: list[bytes]) -> None:
    command = [arg.decode(errors="surrogateescape") for arg in argv]
    args = parse(OPS["spawn"], {"agents": [{"command": command}], "cwd": "/"})
    assert list(args.agents[0].command) == command  # type: ignore[union-attr]
