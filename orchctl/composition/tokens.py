"""Token estimates of compositions: the numbers in the file, otherwise guesses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

from orchctl.composition.order import name_of
from orchctl.composition.types import Composition, SubSkill

CHARACTERS_PER_TOKEN = 4  # of English prose and code, as tokenizers go
ALLOWANCE = 10_000  # tokens for reading around, writing and answering, besides the skill's own text


class TokenEstimate(NamedTuple):
    """The tokens of one sub-skill; `is_given` when its composition says so, otherwise guessed."""

    name: str
    tokens: int
    is_given: bool


def guess_tokens(length: int) -> int:
    """Return the tokens of an agent whose prompt has `length` characters: length / 4 + 10,000 to work with."""
    return -(-length // CHARACTERS_PER_TOKEN) + ALLOWANCE


def estimate_tokens(sub_skill: SubSkill, length: int = 0) -> TokenEstimate:
    """Return the `tokenEstimate`; by default the `length` of its SKILL.md in characters / 4 + 10,000 to work with."""
    if sub_skill.token_estimate is not None:
        return TokenEstimate(name_of(sub_skill), sub_skill.token_estimate, is_given=True)
    return TokenEstimate(name_of(sub_skill), guess_tokens(length), is_given=False)


def token_breakdown(composition: Composition, lengths: Mapping[str, int] | None = None) -> list[TokenEstimate]:
    """Return the tokens of each sub-skill, in the order of the file. `lengths` are characters of SKILL.md by skill."""
    known = lengths or {}
    return [estimate_tokens(sub_skill, known.get(sub_skill.skill_name, 0)) for sub_skill in composition.sub_skills]


def estimate_composition_tokens(composition: Composition, lengths: Mapping[str, int] | None = None) -> int:
    """Return the tokens of all sub-skills, each attempted once."""
    return sum(estimate.tokens for estimate in token_breakdown(composition, lengths))
