"""Estimates of tokens."""

from __future__ import annotations

from orchctl.composition import (
    Composition,
    SubSkill,
    TokenEstimate,
    estimate_composition_tokens,
    estimate_tokens,
    token_breakdown,
)

TEAM = Composition(
    "team", "hybrid", (SubSkill("a", token_estimate=500), SubSkill("b", id="one"), SubSkill("b", id="two"))
)


def test_what_is_given_counts() -> None:
    assert estimate_tokens(SubSkill("a", token_estimate=0), 4000) == TokenEstimate("a", 0, True)


def test_otherwise_the_length_of_the_skill_and_room_to_work() -> None:
    assert estimate_tokens(SubSkill("a"), 4001) == TokenEstimate("a", 1001 + 10_000, False)
    assert estimate_tokens(SubSkill("a")).tokens == 10_000


def test_each_and_all_of_a_composition() -> None:
    lengths = {"a": 9000, "b": 400}
    expected = [TokenEstimate("a", 500, True), TokenEstimate("one", 10_100, False), TokenEstimate("two", 10_100, False)]
    assert token_breakdown(TEAM, lengths) == expected
    assert estimate_composition_tokens(TEAM, lengths) == 20_700
    assert estimate_composition_tokens(TEAM) == 20_500
