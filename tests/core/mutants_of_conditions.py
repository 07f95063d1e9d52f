"""Planted defects of dependencies with conditions."""

from __future__ import annotations

from tests.core.planting import Mutant


def _test(function: str) -> str:
    return f"tests/core/test_conditions.py::test_{function}"


OF_CONDITIONS = (
    Mutant(
        "any end satisfies the condition any",
        "state/agents.py",
        "    Condition.ANY: OVER,\n",
        "    Condition.ANY: OVER - {Status.LOST},\n",
        _test("an_agent_starts_only_after_an_end_that_satisfies_its_condition"),
    ),
    Mutant(
        "what was cancelled has not failed",
        "state/agents.py",
        "frozenset({Status.FAILED, Status.TIMED_OUT, Status.LOST})",
        "OVER - {Status.COMPLETED}",
        _test("an_agent_starts_only_after_an_end_that_satisfies_its_condition"),
    ),
    Mutant(
        "a queued agent waits again for what is retried",
        "state/indexes.py",
        "    behind = [state.agents[agent_id] for agent_id in sorted(state.conditional.get(agent.id, ()))]\n",
        "    behind: list[Agent] = []\n",
        _test("a_queued_dependent_waits_again_for_a_retried_blocker"),
    ),
    Mutant(
        "an agent that has started depends on no other",
        "state/agents.py",
        "return () if self.has_started and self.spec.conditions else self.spec.after",
        "return self.spec.after",
        _test("a_started_agent_that_is_queued_again_has_no_blockers"),
    ),
    Mutant(
        "an agent that is retried waits again",
        "state/apply_attempts.py",
        "    agent.has_started = False\n",
        "",
        _test("a_retried_dependent_waits_again_for_its_retried_blocker"),
    ),
)
