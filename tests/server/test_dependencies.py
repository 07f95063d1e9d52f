"""Names and ids with conditions, as a request gives them."""

from __future__ import annotations

import pytest

from orchd.core.state.agents import AgentId, Condition
from orchd.protocol.errors import WireError
from orchd.server.dependencies import dependencies_of

KNOWN = {"agent-001": "agent-001", "1": "agent-001", "old": "agent-001", "a:any": "agent-002", "c:d": "agent-003"}


def find(text: str) -> AgentId:
    """An agent of before, or one of this request."""
    if text in OWN:
        return AgentId(text)
    if text not in KNOWN:
        raise WireError("unknown-agent", text)
    return AgentId(KNOWN[text])


OWN = {"api", "api:failed", "web:x"}


@pytest.mark.parametrize(
    ("text", "blocker", "condition"),
    [
        ("agent-001", "agent-001", Condition.COMPLETED),
        ("agent-001:any", "agent-001", Condition.ANY),
        ("1:failed", "agent-001", Condition.FAILED),
        ("old:completed", "agent-001", Condition.COMPLETED),
        ("old:any", "agent-001", Condition.ANY),
        ("api", "api", Condition.COMPLETED),
        ("api:any", "api", Condition.ANY),
        ("api:failed", "api:failed", Condition.COMPLETED),  # a name of the request
        ("api:failed:any", "api:failed", Condition.ANY),
        ("web:x", "web:x", Condition.COMPLETED),
        ("a:any", "agent-002", Condition.COMPLETED),  # a name of another agent
        ("a:any:any", "agent-002", Condition.ANY),
        ("c:d", "agent-003", Condition.COMPLETED),
        ("c:d:failed", "agent-003", Condition.FAILED),
    ],
)
def test_a_name_with_a_colon_wins_over_a_condition(text: str, blocker: str, condition: Condition) -> None:
    after, conditions = dependencies_of([text], OWN, find)
    assert after == (blocker,)
    assert dict(conditions) == ({} if condition is Condition.COMPLETED else {blocker: condition})


def test_a_blocker_with_two_different_conditions_is_refused() -> None:
    assert dependencies_of(["1", "agent-001:completed"], OWN, find) == (("agent-001",), ())
    with pytest.raises(WireError, match="agent-001 has the conditions completed and any; give only one") as refused:
        dependencies_of(["1", "old:any"], OWN, find)
    assert refused.value.code == "bad-request"


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("1:faild", "unknown-condition"),
        ("no:faild", "unknown-condition"),
        *((text, "unknown-agent") for text in ("no:any", "no", ":any")),
    ],
)
def test_an_unknown_agent_or_condition_is_refused(text: str, code: str) -> None:
    with pytest.raises(WireError) as refused:
        dependencies_of([text], OWN, find)
    assert refused.value.code == code


def test_other_lookup_errors_are_raised_unchanged() -> None:
    def ambiguous(text: str) -> AgentId:
        raise WireError("ambiguous", text)

    with pytest.raises(WireError) as refused:
        dependencies_of(["x:any"], OWN, ambiguous)
    assert refused.value.code == "ambiguous"
