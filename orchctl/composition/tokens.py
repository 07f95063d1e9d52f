"""How many tokens a composition will take: what its file says, and a guess for the rest."""

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
    """What an agent will take that is told a text of `length` characters: length / 4 + 10,000 to work with."""
    return -(-length // CHARACTERS_PER_TOKEN) + ALLOWANCE


def estimate_tokens(sub_skill: SubSkill, length: int = 0) -> TokenEstimate:
    """Its `tokenEstimate`; without one the `length` of its SKILL.md in characters / 4 + 10,000 to work with."""
    if sub_skill.token_estimate is not None:
        return TokenEstimate(name_of(sub_skill), sub_skill.token_estimate, is_given=True)
    return TokenEstimate(name_of(sub_skill), guess_tokens(length), is_given=False)


def token_breakdown(composition: Composition, lengths: Mapping[str, int] | None = None) -> list[TokenEstimate]:
    """Each sub-skill's tokens, in the order of the file. `lengths` are characters of each skill's SKILL.md."""
    known = lengths or {}
    return [estimate_tokens(one, known.get(one.skill_name, 0)) for one in composition.sub_skills]


def estimate_composition_tokens(composition: Composition, lengths: Mapping[str, int] | None = None) -> int:
    """All of them together, every sub-skill tried once."""
    return sum(one.tokens for one in token_breakdown(composition, lengths))
