"""A timeline as text."""

from __future__ import annotations

from orchctl.history.lifecycles import AttemptHistory, Lifecycle
from orchctl.render.status_tree import Look
from orchctl.timeline.summary import History
from orchctl.timeline.text_chart import chart
from tests.orchctl.timeline.test_chart import BEGAN, crowded, seven_agents, with_a_night


def rows(lines: list[str]) -> list[str]:
    """Return the lines of agents."""
    return [line for line in lines if line.startswith("agent-")]


def test_each_agent_row_shows_its_states_outcome_and_duration() -> None:
    lines = chart(seven_agents(), Look(90))
    flaky = next(line for line in lines if "flaky" in line)
    assert flaky.split()[2:] == ["█" * 10 + "✕" + "░░" + "█" * 15, "✓", "27s", "x2"]
    lead = next(line for line in lines if "lead" in line)
    assert "█▒" in lead
    assert "▒█" in lead
    assert next(line for line in lines if "agent-004" in line).startswith('agent-004 <script>"&? ░')
    assert lines[-1].startswith("░ queued  █ running  ▒ waiting  ✕ retried  ✓ completed  ✕ failed")


def test_a_frozen_agent_is_drawn_differently_from_a_waiting_agent() -> None:
    attempt = AttemptHistory(1, 0.0, 0.0, 40.0, "completed", waits=[(10.0, 20.0), (30.0, 35.0)], frozen=[10.0])
    history = History(
        "x", [Lifecycle("agent-001", "a", "pm", None, 0.0, [attempt], "completed", None, 40.0)], [], 0.0, 40.0
    )
    (row,) = rows(chart(history, Look(70)))
    assert row.index("▓") < row.index("▒")


def test_an_idle_gap_is_folded_and_labelled_and_the_rest_is_to_scale() -> None:
    lines = chart(with_a_night(), Look(100))
    assert all(row.count("┊") == 1 and "█████" in row for row in rows(lines))
    assert "idle: 5h after 6m" in lines
    assert [line for line in lines if line.split() == ["0", "1m", "2m", "3m", "4m", "5m"] or "5h" in line]
    linear = chart(with_a_night()._replace(folds=False), Look(100))
    assert not [line for line in linear if "┊" in line or line.startswith("idle")]
    assert all("█" in row for row in rows(linear))  # a column at least


def test_text_chart_fits_any_usual_width() -> None:
    for width in range(34, 200, 7):
        for history in (seven_agents(), with_a_night(), crowded(50)):
            assert max(map(len, chart(history, Look(width)))) <= width


def test_text_chart_shows_the_latest_agents_and_counts_the_rest() -> None:
    lines = chart(crowded(300), Look(90), 5)
    assert [row.split()[0] for row in rows(lines)] == [f"agent-{n}" for n in range(295, 300)]
    assert lines[-1].startswith("… and 295 earlier agents: ")
    narrow = chart(crowded(300), Look(40), 5)
    assert "`-o FILE` draws all, `--since 2h`" in " ".join(narrow)
    assert max(map(len, narrow)) <= 40


def test_text_chart_omits_colours_and_blocks_that_terminal_cannot_show() -> None:
    assert all(line.isascii() for line in chart(seven_agents(), Look(90, is_plain=True)))
    assert "\x1b" not in "".join(chart(seven_agents(), Look(90)))
    assert "\x1b[32m█" in "".join(chart(seven_agents(), Look(90, has_colours=True)))


def test_an_attempt_that_began_before_the_chart_is_clipped() -> None:
    (row,) = rows(chart(History("x", [seven_agents().lives[0]], [], BEGAN + 35, BEGAN + 40), Look(70)))
    assert row.split()[2][0] == "█"
    assert "▒" not in row
