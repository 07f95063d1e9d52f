"""The numbers of a timeline, and a timeline cut at a time."""

from __future__ import annotations

from dataclasses import replace

import pytest

from orchctl.timeline import summary
from tests.orchctl.timeline.test_chart import BEGAN, seven_agents, with_a_night


def test_a_cut_omits_finished_agents_and_counts_the_rest_from_the_cut() -> None:
    whole_chart = with_a_night()
    cut_chart = summary.cut(whole_chart, BEGAN + 5 * 3600 + 690)
    assert [life.name for life in cut_chart.lives] == ["worker-12"]
    assert summary.numbers(cut_chart) == (1, 1, 30.0, 1.0, 0)
    assert cut_chart.lives[0].attempts == whole_chart.lives[-1].attempts  # titles keep the true times


def test_a_cut_in_a_gap_begins_at_the_next_agent() -> None:
    cut_chart = summary.cut(with_a_night(), BEGAN + 3600)
    assert (len(cut_chart.lives), cut_chart.begin) == (6, BEGAN + 5 * 3600 + 360)
    assert summary.numbers(cut_chart).utilisation == 1.0


def test_earlier_attempts_queues_and_limits_do_not_count_after_a_cut() -> None:
    lives = [replace(life, ended=life.attempts[-1].ended if life.attempts else None) for life in seven_agents().lives]
    cut_chart = summary.cut(seven_agents()._replace(lives=lives), BEGAN + 39)
    totals = summary.numbers(cut_chart)
    assert [life.name for life in cut_chart.lives] == ["lead", "ui", "late", "never"]
    assert totals.attempts == 3
    assert cut_chart.limits == [(BEGAN + 39, 3)]
    assert totals.seconds == 21
    assert totals.most_queued == 2


def test_the_labels_of_a_folded_axis_name_every_unit() -> None:
    assert summary.offset(18020, is_exact=True) == "5h 20s"
    assert summary.offset(90061, is_exact=True) == "1d 1h 1m 1s"
    assert summary.offset(0, is_exact=True) == "0"
    assert summary.offset(2.5, is_exact=True) == "2.5s"
    assert summary.offset(5400, is_exact=False) == "1h 30m"


def test_unfolded_gaps_are_still_reported() -> None:
    linear = with_a_night()._replace(folds=False)
    assert summary.gaps(linear) == [pytest.approx((BEGAN + 360, BEGAN + 5 * 3600 + 360))]
    assert summary.folded(linear) == []
