"""Specs of agents in requests."""

from __future__ import annotations

import pytest

from orchd.protocol.schema import ShapeError, parse
from orchd.protocol.specs import AgentSpec, RunMember, name_of


@pytest.mark.parametrize(
    ("spec", "name"),
    [
        (AgentSpec(command=("/usr/bin/make", "test"), name="api"), "api"),
        (AgentSpec(command=("/usr/bin/make", "test")), "make"),
        (AgentSpec(command=("bin/",)), "bin"),
        (AgentSpec(command=("/",), runner="mock"), "mock"),
        (AgentSpec(skill="review", runner="mock"), "review"),
        (AgentSpec(command=("--fast",), skill="review", runner="mock"), "mock"),
        (AgentSpec(goal="x"), "agent"),
        (AgentSpec(command=("x" * 300,)), "x" * 200),
    ],
)
def test_the_name_of_an_agent_is_derived_from_its_spec(spec: AgentSpec, name: str) -> None:
    assert name_of(spec) == name


@pytest.mark.parametrize("work", [{"command": ["true"]}, {"goal": "x"}, {"skill": "review"}, {"stdin": "/prompt"}])
def test_a_spec_has_work_only_with_a_command_goal_skill_or_stdin(work: dict[str, object]) -> None:
    assert parse(AgentSpec, work).has_work
    assert not parse(AgentSpec, {"name": "idle", "runner": "mock"}).has_work


def test_a_member_is_an_agent_at_a_path_inside_its_run() -> None:
    member = parse(RunMember, {"path": "web/api", "agent": {"command": ["true"]}, "after": ["schema"]})
    assert (member.path, member.agent.command, member.after, member.required) == (
        "web/api",
        ("true",),
        ("schema",),
        True,
    )
    with pytest.raises(ShapeError, match=r"^path must be a path of at most 1,000, not '/web'"):
        parse(RunMember, {"path": "/web", "agent": {}})
