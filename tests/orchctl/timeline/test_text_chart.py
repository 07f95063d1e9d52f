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


def test_each_agent_has_a_line_with_its_states_its_end_and_its_duration() -> None:
    lines = chart(seven_agents(), Look(90))
    flaky = next(line for line in lines if "flaky" in line)
    assert flaky.split()[2:] == ["█" * 10 + "✕" + "░░" + "█" * 15, "✓", "27s", "x2"]
    lead = next(line for line in lines if "lead" in line)
    assert "█▒" in lead
    assert "▒█" in lead
    assert next(line for line in lines if "agent-004" in line).startswith('agent-004 <script>"&? ░')
    assert lines[-1].startswith("░ queued  █ at work  ▒ waiting  ✕ tried again  ✓ completed  ✕ failed")


def test_a_frozen_agent_differs_from_a_waiting_one() -> None:
    attempt = AttemptHistory(1, 0.0, 0.0, 40.0, "completed", waits=[(10.0, 20.0), (30.0, 35.0)], frozen=[10.0])
    history = History(
        "x", [Lifecycle("agent-001", "a", "pm", None, 0.0, [attempt], "completed", None, 40.0)], [], 0.0, 40.0
    )
    (row,) = rows(chart(history, Look(70)))
    assert row.index("▓") < row.index("▒")


def test_a_gap_is_folded_and_named_and_the_rest_is_to_scale() -> None:
    lines = chart(with_a_night(), Look(100))
    assert all(row.count("┊") == 1 and "█████" in row for row in rows(lines))
    assert "idle: 5h after 6m" in lines
    assert [line for line in lines if line.split() == ["0", "1m", "2m", "3m", "4m", "5m"] or "5h" in line]
    linear = chart(with_a_night()._replace(folds=False), Look(100))
    assert not [line for line in linear if "┊" in line or line.startswith("idle")]
    assert all("█" in row for row in rows(linear))  # a column at least


def test_it_fits_any_usual_width() -> None:
    for width in range(34, 200, 7):
        for history in (seven_agents(), with_a_night(), crowded(50)):
            assert max(map(len, chart(history, Look(width)))) <= width


def test_of_many_agents_the_latest_are_shown_and_the_rest_counted() -> None:
    lines = chart(crowded(300), Look(90), 5)
    assert [row.split()[0] for row in rows(lines)] == [f"agent-{n}" for n in range(295, 300)]
    assert lines[-1].startswith("… and 295 earlier agents: ")


def test_colours_and_block_characters_are_left_out_where_they_cannot_be_shown() -> None:
    assert all(line.isascii() for line in chart(seven_agents(), Look(90, is_plain=True)))
    assert "\x1b" not in "".join(chart(seven_agents(), Look(90)))
    assert "\x1b[32m█" in "".join(chart(seven_agents(), Look(90, has_colours=True)))


def test_what_began_before_the_begin_is_cut() -> None:
    (row,) = rows(chart(History("x", [seven_agents().lives[0]], [], BEGAN + 35, BEGAN + 40), Look(70)))
    assert row.split()[2][0] == "█"
    assert "▒" not in row
