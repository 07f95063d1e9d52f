"""Steps, drawn from a seed: a name, and a number from which all details are drawn.

A step names nobody. Whom it is about is chosen among those that are there when it is performed, so any step may be
left out of a history and what remains still is one: that is what lets a failing history shrink.
"""

from __future__ import annotations

from random import Random
from typing import NamedTuple

# How often each happens. What frees, resumes and restarts is frequent enough for histories to go on.
WEIGHTS = {
    "an_agent_spawns": 9,
    "a_parent_waits": 6,
    "an_agent_waits_for_anybody": 4,
    "a_client_asks_again": 3,
    "a_client_dies": 4,
    "an_agent_works_beside_its_wait": 3,
    "an_agent_waits_in_the_background": 2,
    "a_request_of_a_frozen_agent_arrives": 1,
    "somebody_spawns": 6,
    "a_composition_is_run": 3,
    "a_run_begins_inside_an_agent": 1,
    "somebody_cancels": 3,
    "somebody_retries": 3,
    "somebody_retries_all_that_ended_badly": 1,
    "somebody_retries_what_a_withheld_reply_is_about": 2,
    "the_limit_changes": 3,
    "somebody_pauses": 1,
    "somebody_resumes": 3,
    "somebody_pauses_agents": 3,
    "somebody_resumes_agents": 4,
    "a_session_opens": 1,
    "a_session_closes": 1,
    "a_budget_is_set": 3,
    "a_process_ends": 20,
    "a_service_turns_an_attempt_away": 2,
    "what_was_asked_to_end_does": 9,
    "the_disk_fills": 1,
    "the_disk_empties": 3,
    "time_passes": 9,
    "a_stall_lasts": 4,
    "a_launch_will_fail": 2,
    "agents_fall_silent": 1,
    "agents_are_loud": 1,
    "the_daemon_is_killed": 2,
    "the_daemon_dies_before_the_next_commit": 2,
    "the_daemon_dies_after_the_next_commit": 2,
    "the_daemon_drains": 1,
    "a_process_is_killed": 3,
    "the_kernel_ends_a_process_for_memory": 2,
    "a_tree_takes_more_than_it_may": 2,
    "news_comes_late_or_twice": 4,
    "the_configuration_is_read_again": 1,
}
DEPTH = 4  # levels of agents
_NAMES, _SHARES = list(WEIGHTS), list(WEIGHTS.values())


class Step(NamedTuple):
    """One thing that happens."""

    name: str
    dice: int


class Opening(NamedTuple):
    """The settings with which a history begins."""

    limit: int
    resident: int
    seed: int
    is_strict: bool = True
    is_roomy: bool = False  # a chain of agents always has room, and agents wait for their own children alone
    launches: int | None = None  # how many attempts may start in one turn
    rate_limit_waits: int = 10  # how often an agent waits for its service
    rate_limit_time: float = 8 * 86_400.0  # seconds from its first rate limit to the end of its last


def drawn(seed: int, number: int, length: int) -> tuple[Opening, list[Step]]:
    """The `number`th history of a seed: the same on every machine, whichever other histories are performed."""
    chance = Random(f"{seed}:{number}")
    limit = chance.choice([1, 1, 2, 2, 3, 7])
    is_roomy = chance.random() < 0.25
    room = limit + DEPTH - 1
    resident = chance.choice([room, 4 * limit + DEPTH] if is_roomy else [limit, limit + 1, limit + 2, room, 4 * limit])
    is_strict = is_roomy or chance.random() < 0.85
    patience = Random(f"{seed}:{number}:rate limits")
    opening = Opening(
        *(limit, resident, chance.getrandbits(64), is_strict, is_roomy, chance.choice([None, None, 1, 2])),
        rate_limit_waits=patience.choice([0, 1, 2, 10, 10]),
        rate_limit_time=patience.choice([50.0, 50.0, 500.0, 8 * 86_400.0]),
    )
    return opening, [Step(name, chance.getrandbits(32)) for name in chance.choices(_NAMES, _SHARES, k=length)]
