"""The picture of `status`."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.render import text as render
from orchctl.render.status_tree import Look, bar, picture
from tests.orchctl.agents import NOW, agent, answer, ended, queued
from tests.support.recording import recording

FAMILY = (
    queued(5, 1, reason="7 of 7 places", goal="tests"),
    ended(4, parent="agent-002", name="check", level="sub-skill"),
    agent(3, parent="agent-002", name="code", level="sub-skill", attempt=2, cpu_seconds=12.0, rss_bytes=47185920),
    agent(2, name="pm", status="waiting", reason="after agent-003", goal="the app"),
)


def picture_lines(look: Look, *agents: dict[str, Any], **limit: Any) -> list[str]:
    """Return the lines of the picture."""
    return picture(answer(*agents, **limit), NOW, look)


def test_children_are_below_their_parents_in_order_of_creation() -> None:
    assert picture_lines(Look(is_whole=True), *FAMILY) == [
        "slots [###····] 3/7 in use · 4/28 alive · 1 queued · 2 pm · 1 sub-skill",
        "agent-002     pm     waiting    1m                pm                         pid 4711  after agent-003  the app",  # noqa: E501
        "├─ agent-003  code   running    1m     attempt 2  sub-skill  12s cpu  45 MB  pid 4711",
        "└─ agent-004  check  completed  1m 1s             sub-skill                            exit 0",
        "agent-005     api    queued     2m                pm                                   #1: 7 of 7 places  tests",  # noqa: E501
    ]


def test_memory_is_shown_with_its_limit() -> None:
    line = picture_lines(Look(is_whole=True), agent(1, rss_bytes=47185920, memory_max=2 << 30))[1]
    assert "  45 MB of 2.0 GB  " in line


def test_grandchildren_keep_the_branch_lines_of_their_ancestors() -> None:
    generations = [
        agent(1),
        agent(2, parent="agent-001"),
        agent(3, parent="agent-002"),
        agent(4, parent="agent-001"),
        agent(5, parent="agent-004"),
    ]
    assert [
        line.partition("api")[0].rstrip()
        for line in picture_lines(Look(is_plain=True, is_whole=True), *generations)[1:]
    ] == [
        "agent-001",
        "|- agent-002",
        "|  `- agent-003",
        "`- agent-004",
        "   `- agent-005",
    ]


def test_a_child_of_a_hidden_parent_is_shown_at_the_top_level() -> None:
    assert picture_lines(Look(is_whole=True), FAMILY[1])[1].startswith("agent-004  check")


def test_a_narrow_terminal_drops_the_least_important_columns() -> None:
    def words(width: int) -> str:
        return picture_lines(Look(width=width, is_whole=True), *FAMILY)[2]

    assert "sub-skill" in words(120)
    assert "sub-skill" not in words(100)
    assert "pid" in words(100)
    assert "pid" not in words(99)
    assert "cpu" in words(90)
    assert "cpu" not in words(89)
    assert words(30).split()[1:3] == ["agent-003", "code"]


@given(st.integers(20, 150), st.booleans())
def test_no_line_is_wider_than_the_terminal(width: int, is_plain: bool) -> None:
    long = agent(1, name="n" * 50, goal="日本 " * 50, status="waiting", reason="waits " * 40)
    for line in picture_lines(Look(width=width, is_plain=is_plain), long, *FAMILY):
        assert render.columns(line) <= width


def test_a_plain_status_tree_contains_only_ascii() -> None:
    long = agent(6, name="n" * 50)
    assert "".join(picture_lines(Look(width=60, is_plain=True), long, *FAMILY)).isascii()


@pytest.mark.parametrize("name", ["running", "日本"])
def test_only_the_status_is_coloured(name: str) -> None:
    plain = picture_lines(Look(width=80), agent(1, name=name))[1]
    coloured = picture_lines(Look(width=80, has_colours=True), agent(1, name=name))[1]
    assert coloured == "\x1b[32mrunning\x1b[0m".join(plain.rsplit("running", 1))


def test_an_unknown_status_has_no_colour() -> None:
    assert "\x1b" not in picture_lines(Look(has_colours=True), agent(1, status="dreaming"))[1]


def test_hidden_agents_are_mentioned_below_the_tree() -> None:
    assert picture_lines(Look(), agent(9))[-1] == "… and older finished agents: `orchctl status --all`"
    assert picture_lines(Look(is_plain=True), agent(9))[-1].startswith("... and")
    assert picture_lines(Look(is_whole=True), agent(9))[-1].startswith("agent-009")
    assert picture_lines(Look(), agent(2), agent(1))[-1].startswith("agent-002")


@pytest.mark.parametrize("width", [30, 40, 60])
def test_commands_that_help_are_not_cut_on_a_narrow_terminal(width: int) -> None:
    look = Look(width=width)
    assert "`orchctl status --all`" in "\n".join(picture_lines(look, agent(9)))
    lines = picture({**answer(agent(1)), "counts": {"running": 1, "queued": 9999, "ended": 3}}, NOW, look)
    assert "`orchctl status --all`" in "\n".join(lines)
    assert "`--json`" in "\n".join(lines)
    lines = picture_lines(look, agent(1), paused=True, standing_still=["agent-001"])
    assert "`orchctl resume`" in "\n".join(lines)
    assert "`orchctl why agent-001`" in "\n".join(lines)
    assert max(map(render.columns, lines)) <= width


def test_an_empty_tree_shows_how_to_start_an_agent() -> None:
    assert picture_lines(Look())[-1] == "no agents; `orchctl spawn -- COMMAND` starts one"


def test_the_slot_bar_marks_slots_over_the_limit() -> None:
    look = Look(is_whole=True)
    assert [bar(used, 4, look) for used in (0, 1, 4, 6)] == ["[····]", "[#···]", "[####]", "[####!!]"]
    assert bar(50, 100, look) == "[##########··········]"
    assert bar(1, 2, Look(is_plain=True)) == "[#.]"


def test_a_pause_and_rate_limits_are_shown_above_the_agents() -> None:
    lines = picture_lines(Look(is_whole=True), agent(1), paused=True, held={"claude": "2026-01-02T03:07:09.000Z"})
    assert lines[1:3] == [
        "paused: no new agents will start; run `orchctl resume`",
        "claude is rate-limited for 1m 4s more; `orchctl resume` retries now",
    ]


def test_a_large_tree_shows_the_number_of_hidden_agents() -> None:
    status = {**answer(agent(1), queued(2, 1)), "counts": {"running": 1, "queued": 9999, "ended": 3}}
    lines = picture(status, NOW, Look())
    assert "9999 queued" in lines[0]
    assert lines[-1] == (
        "… and 9,998 queued, 3 ended: `orchctl status --all` shows all agents, `--json` prints them as data"
    )
    assert picture({**status, "counts": {"running": 1, "queued": 1}}, NOW, Look(is_whole=True))[-1].startswith(
        "agent-002"
    )


def test_rendering_measures_each_cell_only_a_few_times(monkeypatch: pytest.MonkeyPatch) -> None:
    measured: list[object] = []
    monkeypatch.setattr(render, "columns", recording(measured, render.columns))
    picture_lines(Look(width=120), *(queued(number, number) for number in range(1, 501)))
    assert len(measured) < 500 * 40


def test_budgets_are_shown_as_bars() -> None:
    session = {
        "id": "session-001",
        "tokens": 4500,
        "cost_usd": 0.3,
        "max_tokens": 9000,
        "max_cost": 1.0,
        "reached": None,
    }
    reached = {**session, "id": "run-001", "max_tokens": None, "cost_usd": 1.1, "reached": "$1.10 of $1.00"}
    lines = picture({**answer(agent(1)), "budgets": [session, reached]}, NOW, Look(is_whole=True))
    assert lines[1:3] == [
        "budget of session-001 [##########··········] 4.5k of 9.0k tokens [######··············] $0.30 of $1.00",
        "budget of run-001 [####################!!] $1.10 of $1.00: no new agents will start",
    ]


def test_tokens_are_shown_per_agent_and_in_total() -> None:
    lines = picture_lines(Look(is_whole=True), agent(1, tokens=1234), agent(2, tokens=2_000_000))
    assert lines[0].endswith(" · 2.0M tokens")
    assert ["1.2k tokens" in lines[1], "2.0M tokens" in lines[2]] == [True, True]


def test_the_token_total_covers_the_sessions_and_not_only_shown_agents() -> None:
    status = {**answer(agent(1, status="running", tokens=10)), "tokens": 42_000}
    assert "42k tokens" in picture(status, NOW, Look())[0]
