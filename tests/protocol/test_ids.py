"""Ids as text and numbers."""

from __future__ import annotations

import pytest

from orchd.protocol.ids import AGENT, RUN, SESSION, canonical, number_of, numbered


@pytest.mark.parametrize("kind", [AGENT, RUN, SESSION])
def test_the_number_of_an_id_round_trips(kind: str) -> None:
    assert [number_of(numbered(kind, number)) for number in (1, 999, 1000)] == [1, 999, 1000]
    assert (numbered(kind, 7), numbered(kind, 1234)) == (f"{kind}-007", f"{kind}-1234")


@pytest.mark.parametrize("text", ["run-7", "run-007", "run-0000007"])
def test_an_id_has_one_canonical_form(text: str) -> None:
    assert canonical(RUN, text) == "run-007"


@pytest.mark.parametrize("text", ["7", "run-0", "run-", "run-7a", "run-\u0667", "agent-7", f"run-{10**15}", ""])
def test_malformed_text_is_no_id(text: str) -> None:
    assert canonical(RUN, text) is None
