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


def test_a_given_token_estimate_is_used() -> None:
    assert estimate_tokens(SubSkill("a", token_estimate=0), 4000) == TokenEstimate("a", 0, True)


def test_an_estimate_adds_skill_length_and_working_tokens() -> None:
    assert estimate_tokens(SubSkill("a"), 4001) == TokenEstimate("a", 1001 + 10_000, False)
    assert estimate_tokens(SubSkill("a")).tokens == 10_000


def test_composition_tokens_are_estimated_per_member_and_in_total() -> None:
    lengths = {"a": 9000, "b": 400}
    expected = [TokenEstimate("a", 500, True), TokenEstimate("one", 10_100, False), TokenEstimate("two", 10_100, False)]
    assert token_breakdown(TEAM, lengths) == expected
    assert estimate_composition_tokens(TEAM, lengths) == 20_700
    assert estimate_composition_tokens(TEAM) == 20_500
