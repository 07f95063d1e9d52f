"""The screen of `orchctl top`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from orchctl.render import text
from orchctl.render.status_tree import Look
from orchctl.terminal import top_view
from orchctl.terminal.top_view import Loads, Size
from tests.orchctl.agents import NOW, agent, answer, ended, queued

COLUMNS = [
    "agent",
    "name",
    "status",
    "age",
    "cpu",
    "memory",
    "tokens",
    "last",
    "output,",
    "or",
    "why",
    "it",
    "is",
    "waiting",
]


def plain(lines: list[str]) -> list[str]:
    """Return the text without escape sequences."""
    return [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in lines]


def screen_text(
    *agents: dict[str, Any], selected: str | None = None, width: int = 100, height: int = 12, **limit: Any
) -> list[str]:
    """Return the screen without colours."""
    size = Size(width, height, Look(width, is_whole=True))
    rows = [{"log": None, **agent} for agent in agents]
    return top_view.page(answer(*rows, **limit), {"agent-001": 42.4}, selected, "hello", NOW, size)


def test_top_shows_a_tree_of_agents_with_usage_and_last_output(tmp_path: Path) -> None:
    (tmp_path / "log").write_text("first\nlast \x1b[31mwords\n")
    lead = agent(1, name="lead", rss_bytes=47185920, tokens=1234, log=str(tmp_path / "log"))
    lines = plain(screen_text(lead, ended(2, parent="agent-001"), queued(3, 1, reason="7 of 7 places")))
    assert lines[0].startswith("slots [###····] 3/7 in use")
    assert lines[1].split() == COLUMNS
    assert lines[2].split()[:8] == ["agent-001", "lead", "running", "1m", "42%", "45", "MB", "1.2k"]
    assert lines[2].rstrip().endswith("last ?[31mwords")
    assert lines[3].startswith("└─ agent-002")
    assert lines[4].rstrip().endswith("#1: 7 of 7 places")
    assert (len(lines), lines[-2]) == (12, "hello")


def test_selected_agent_is_highlighted_and_always_visible() -> None:
    many = [agent(number) for number in range(1, 40)]
    for number in (1, 20, 39):
        lines = screen_text(*many, selected=f"agent-{number:03d}")
        (chosen,) = (line for line in lines if "\x1b[7m" in line)
        assert f"agent-{number:03d}" in chosen
        assert len(lines) == 12


@given(st.integers(40, 150), st.integers(6, 40), st.integers(0, 50))
def test_top_page_never_exceeds_the_screen_size(width: int, height: int, count: int) -> None:
    long = [agent(number, name="n" * 50, reason="日本 " * 50) for number in range(1, count + 1)]
    lines = screen_text(*long, width=width, height=height, paused=True)
    assert len(lines) <= height
    assert all(text.columns(line) <= width for line in plain(lines))


def test_cpu_load_is_the_cpu_time_used_between_two_samples() -> None:
    loads = Loads()
    loads.take([agent(1, cpu_seconds=1.0), ended(2, cpu_seconds=9.0)], 10.0)
    assert loads.percent == {}
    loads.take([agent(1, cpu_seconds=2.0)], 14.0)
    assert loads.percent == {"agent-001": 25.0}
    loads.take([agent(1, cpu_seconds=0.1, attempt=2)], 15.0)  # another process: its time begins anew
    assert loads.percent == {}


def test_text_page_shows_the_last_lines_of_the_text() -> None:
    size = Size(20, 5, Look(20))
    assert top_view.text_page("title", [str(number) for number in range(9)], size) == [
        "title",
        "6",
        "7",
        "8",
        "q goes back",
    ]
    assert top_view.text_page("title", ["one\x1b"], size) == ["title", "one?", "", "", "q goes back"]
    assert top_view.text_page("title", ["a\tb"], size)[1] == "a       b"


def test_trees_with_unfinished_agents_sort_first_then_newest_first() -> None:
    agents = [ended(1), ended(2), ended(3, parent="agent-002"), agent(4, parent="agent-002"), ended(5), agent(6)]
    order = [agent["id"][-1] for _, agent in top_view.ordered(answer(*agents), Look())]
    assert order == ["2", "4", "3", "6", "5", "1"]
