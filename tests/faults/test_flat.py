"""A leak shows as a trend, a spike does not."""

from __future__ import annotations

from benchmarks.faults.flat import BOUNDS, trend
from benchmarks.faults.plot import Panel, svg


def test_a_growing_series_is_not_flat() -> None:
    result = trend([(float(at), 30.0 + at / 100) for at in range(600)], BOUNDS["memory"])
    assert round(result.growth, 2) == 5.99
    assert not result.is_flat


def test_a_spike_and_a_falling_series_are_flat() -> None:
    spiky = [(float(at), 90.0 if at % 50 == 0 else 30.0) for at in range(600)]
    assert trend(spiky, BOUNDS["memory"]).growth == 0
    falling = trend([(float(at), 60.0 - at / 100) for at in range(600)], BOUNDS["memory"])
    assert falling.is_flat


def test_one_thread_more_is_not_flat() -> None:
    steps = [(float(at), 3.0 + at // 300) for at in range(900)]
    assert not trend(steps, BOUNDS["threads"]).is_flat


def test_a_picture_shows_each_panel_and_its_bound() -> None:
    drawn = svg(
        "a <soak>",
        [Panel("memory", [(0.0, 1.0), (60.0, 2.0)]), Panel("at work", [(0.0, 7.0), (60.0, 7.0)], 7)],
        [5.0],
        30.0,
    )
    assert drawn.startswith("<svg")
    assert drawn.count("<polyline") == 2
    assert drawn.count("stroke-dasharray") == 1
    assert "a &lt;soak&gt;" in drawn
