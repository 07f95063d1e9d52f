"""Attempts put into lanes, and counts over time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from orchctl.history.lifecycles import AttemptHistory, Lifecycle
from orchctl.timeline import lanes
from orchctl.timeline.lanes import Bar


def life(number: int, *attempts: AttemptHistory, queued: float = 0.0) -> Lifecycle:
    """Return an agent with these attempts."""
    return Lifecycle(f"agent-{number:03d}", f"n{number}", "pm", None, queued, list(attempts))


def attempt(
    admitted: float, ended: float | None, *waits: tuple[float, float | None], queued: float = 0.0
) -> AttemptHistory:
    """Return an attempt that began and ended at these times."""
    return AttemptHistory(1, queued, admitted, ended, waits=list(waits))


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(1, 10)), max_size=60))
def test_attempts_in_a_lane_never_overlap_and_lane_count_is_minimal(spans: list[tuple[int, int]]) -> None:
    lives = [life(n, attempt(begin, begin + took)) for n, (begin, took) in enumerate(spans)]
    blocks = lanes.working(lives, 99.0)
    assert len(blocks) == len(spans)
    for block in blocks:
        for second_block in blocks:
            assert (
                block is second_block
                or block.lane != second_block.lane
                or block.end <= second_block.begin
                or second_block.end <= block.begin
            )
    most_blocks = max((count for _, count in lanes.counts((block.begin, block.end) for block in blocks)), default=0)
    assert len({block.lane for block in blocks}) == most_blocks


def test_a_waiting_agent_leaves_its_lane_and_resumes_in_a_free_lane() -> None:
    parent = life(1, attempt(0.0, 9.0, (2.0, 6.0)))
    child = life(2, attempt(2.0, 8.0))
    rows = [
        (block.life.id, block.begin, block.end, block.lane, block.is_last)
        for block in lanes.working([parent, child], 9.0)
    ]
    assert rows == [
        ("agent-001", 0.0, 2.0, 0, False),
        ("agent-002", 2.0, 8.0, 0, True),
        ("agent-001", 6.0, 9.0, 1, True),
    ]
    (wait,) = lanes.waiting([parent, child], 9.0)
    assert wait == Bar(parent, parent.attempts[0], 2.0, 6.0, 0, is_last=False)


def test_an_unfinished_attempt_extends_to_the_current_time() -> None:
    (block,) = lanes.working([life(1, attempt(1.0, None))], 5.0)
    assert (block.begin, block.end) == (1.0, 5.0)


def test_queued_spans_precede_attempts_and_a_pending_retry_stays_queued() -> None:
    retried = life(1, attempt(1.0, 2.0), attempt(4.0, 5.0, queued=2.0), queued=2.0)
    waiting = life(2, attempt(1.0, 2.0), queued=2.0)
    never = life(3, queued=3.0)
    assert lanes.queued([retried], 9.0) == [(0.0, 1.0), (2.0, 4.0)]
    assert lanes.queued([waiting, never], 9.0) == [(0.0, 1.0), (2.0, 9.0), (3.0, 9.0)]


def test_counts_change_once_per_time_and_area_is_their_integral() -> None:
    steps = lanes.counts([(0.0, 2.0), (1.0, 2.0), (2.0, 4.0)])
    assert steps == [(0.0, 1), (1.0, 2), (2.0, 1), (4.0, 0)]
    assert lanes.area(steps, 4.0) == 1 + 2 + 2
    assert lanes.area(steps, 3.0) == 1 + 2 + 1
    assert lanes.area([], 3.0) == 0
