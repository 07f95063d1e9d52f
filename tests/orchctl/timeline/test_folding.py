"""Idle gaps, and the axis that folds them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.history.lifecycles import Lifecycle
from orchctl.timeline.folding import Axis, busy, gaps
from tests.orchctl.timeline.test_lanes import attempt, life


def test_queued_running_and_waiting_agents_make_time_busy() -> None:
    waiting_life = life(1, attempt(2.0, 9.0, (3.0, 8.0), queued=1.0), queued=1.0)
    queued = life(2, queued=20.0)
    assert busy([waiting_life, queued], 30.0) == [(1.0, 9.0), (20.0, 30.0)]
    queued_again = life(3, attempt(0.0, 2.0), queued=2.0)
    assert busy([queued_again], 5.0) == [(0.0, 5.0)]
    skipped = Lifecycle("agent-004", "n", "pm", None, 4.0, status="skipped", ended=6.0)
    assert busy([skipped, life(5, attempt(5.0, 7.0, queued=5.0), queued=5.0)], 9.0) == [(4.0, 7.0)]


def test_a_gap_longer_than_a_tenth_of_the_busy_time_is_reported() -> None:
    lives = [life(n, attempt(at, at + 10, queued=at), queued=at) for n, at in enumerate((0.0, 11.9, 30.0))]
    assert gaps(lives, 0.0, 40.0) == [(21.9, 30.0)]
    assert gaps(lives, 0.0, 100.0) == [(21.9, 30.0), (40.0, 100.0)]
    assert gaps(lives, 5.0, 40.0) == [(21.9, 30.0)]
    assert gaps([], 0.0, 40.0) == []


def test_axis_is_to_scale_between_breaks_and_breaks_are_narrow() -> None:
    axis = Axis(0.0, 1020.0, 120.0, [(10.0, 1010.0)], 20.0)
    assert [axis.x(at) for at in (-1.0, 0.0, 5.0, 10.0, 1010.0, 1015.0, 1020.0, 9e9)] == pytest.approx(
        [0.0, 0.0, 25.0, 50.0, 70.0, 95.0, 120.0, 120.0]
    )
    assert axis.x(510.0) == pytest.approx(60.0)
    assert axis.seconds == 20.0
    assert list(axis.ticks(5.0, 0.0)) == [0.0, 5.0, 10.0, 1010.0, 1015.0, 1020.0]


def test_many_breaks_share_a_fixed_part_of_the_width() -> None:
    folded = [(10.0 * n + 1, 10.0 * n + 10) for n in range(100)]
    axis = Axis(0.0, 1001.0, 1000.0, folded, 22.0)
    assert sum(fold.right - fold.left for fold in axis.breaks) == pytest.approx(400.0)
    assert axis.x(1001.0) == 1000.0


@given(st.lists(st.integers(0, 1000), min_size=2, max_size=12, unique=True), st.floats(0, 30))
def test_the_axis_never_runs_backwards(edges: list[int], break_width: float) -> None:
    edges.sort()
    folded = [(float(edges[i]), float(edges[i + 1])) for i in range(0, len(edges) - 1, 2)]
    axis = Axis(0.0, 1000.0, 500.0, folded, break_width)
    places = [axis.x(float(at)) for at in range(0, 1001, 7)]
    assert places == sorted(places)
    assert all(0.0 <= place <= 500.0 + 1e-6 for place in places)
