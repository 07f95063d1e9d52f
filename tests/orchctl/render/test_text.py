"""Text for people."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchctl.render import text as render
from tests.orchctl.agents import NOW, agent, answer, ended, queued


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (-1, "0.0s"),
        (0.04, "0.0s"),
        (0.44, "0.4s"),
        (9.94, "9.9s"),
        (12.9, "12s"),
        (60, "1m"),
        (184, "3m 4s"),
        (3600, "1h"),
        (3605, "1h"),
        (7500, "2h 5m"),
        (273600, "3d 4h"),
    ],
)
def test_a_span_has_two_units_at_most(seconds: float, text: str) -> None:
    assert render.span(seconds) == text


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 B"), (1023, "1023 B"), (1536, "1.5 kB"), (47185920, "45 MB"), (3 << 30, "3.0 GB"), (5000 << 30, "5000 GB")],
)
def test_a_size_has_one_unit(amount: int, text: str) -> None:
    assert render.size(amount) == text


@given(st.text())
def test_cleaned_text_has_no_control_characters(text: str) -> None:
    cleaned = render.clean(text)
    assert cleaned.isprintable()
    assert "\n" not in cleaned


def test_a_name_is_never_empty() -> None:
    assert render.named(agent(1, name=" \n")) == "?"
    assert render.named(agent(1, name="a\x1b[31mb\udcff")) == "a?[31mb?"


def test_wide_and_combining_characters_are_counted_as_a_terminal_does() -> None:
    assert render.columns("abc") == 3
    assert render.columns("日本") == 4
    assert render.columns("e\u0301") == 1
    assert render.padded("日", 4) == "日  "
    assert render.columns("\u0e17\u0e35\u0e48") == 1  # Thai: a consonant, a vowel and a tone above it
    assert render.columns("\u0915\u0941\u091b") == 2  # Hindi: the vowel stands below the first
    assert render.columns("\u2764\ufe0f") == 2  # a red heart
    assert render.columns("\u231a\ufe0f") == render.columns("1\ufe0f\u20e3") == 2
    assert render.columns("\U0001f469\u200d\U0001f4bb") == 2  # a person and a computer, joined to one picture
    assert render.columns("\u1100\u1161") == 2  # two jamo, which a terminal draws as one syllable


def test_lines_of_files_keep_their_tabs() -> None:
    assert render.file_line("\tcc  \t-o x\x1b \n") == "\tcc  \t-o x?"


@given(st.text(), st.integers(1, 20))
def test_fitted_text_is_no_wider_than_the_given_width(text: str, width: int) -> None:
    text = render.clean(text)
    assert render.columns(render.fitted(text, width, "…")) <= max(width, 0)


def test_only_text_that_is_too_long_is_shortened() -> None:
    assert render.fitted("abcdef", 6, "…") == "abcdef"
    assert render.fitted("abcdefg", 6, "…") == "abcde…"
    assert render.fitted("abcdefg", 6, "...") == "abc..."
    assert render.fitted("abcdefg", 2, "...") == ".."
    assert render.fitted("日本語", 5, "…") == "日本…"
    assert render.fitted("日本語", 4, "…") == "日…"
    assert render.fitted("e\u0301e\u0301e\u0301", 2, "…") == "e\u0301…"


def test_lifetime_is_the_running_time_or_the_time_in_the_queue() -> None:
    assert render.lifetime(agent(1), NOW) == 60.0
    assert render.lifetime(queued(1, 1), NOW) == 120.0
    assert render.lifetime(ended(1), NOW) == 61.5
    assert render.lifetime(ended(1, started_at=None), NOW) is None
    assert render.lifetime(agent(1, started_at=None, status="starting"), NOW) is None


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (agent(1), ""),
        (agent(1, status="waiting", reason="waits for agent-002"), "waits for agent-002"),
        (queued(1, 2, reason="7 of 7 places are working"), "#2: 7 of 7 places are working"),
        (queued(1, 2), "#2"),
        (queued(1, None, reason="after agent-002"), "after agent-002"),
        (ended(1), "exit 0"),
        (ended(1, status="failed", exit_code=3, reason="exit code 3"), "exit 3"),
        (ended(1, status="failed", exit_code=3, reason="disk full"), "exit 3: disk full"),
        (ended(1, status="cancelled", exit_code=143, signal=15, reason="cancelled"), "signal 15: cancelled"),
        (ended(1, status="lost", exit_code=None, reason="no record"), "no record"),
        (ended(1, status="skipped", exit_code=None), ""),
    ],
)
def test_the_outcome_shows_exit_code_signal_position_and_reason(agent: dict[str, object], message: str) -> None:
    assert render.outcome(agent) == message


def test_finished_agents_are_printed_in_aligned_columns() -> None:
    failed = ended(12, name="schema", status="failed", exit_code=3, started_at=None)
    assert render.ended_lines([ended(1), failed]) == [
        "agent-001  api     completed  1m 1s  exit 0",
        "agent-012  schema  failed            exit 3",
    ]
    assert render.ended_lines([]) == []


def test_changed_agents_are_printed_with_their_queue_position() -> None:
    stopping = agent(1, status="stopping", reason="cancelled")
    assert render.changed_lines([stopping, queued(2, 3, reason="paused"), queued(3, 4), agent(4)]) == [
        "agent-001  api  stopping  cancelled",
        "agent-002  api  queued    position 3: paused",
        "agent-003  api  queued    position 4",
        "agent-004  api  running",
    ]


def test_queued_lines_report_only_queued_agents() -> None:
    lines = render.queued_lines([agent(1), queued(8, 1, reason="7 of 7 places are working"), queued(9, 2)])
    assert lines == [
        "agent-008 is queued, position 1: 7 of 7 places are working",
        "agent-009 is queued, position 2",
    ]


def test_unfinished_agents_are_named_if_few_and_counted_if_many() -> None:
    assert render.going([agent(1), queued(2, 1)]) == "agent-001 is running, agent-002 is queued"
    assert render.going([agent(number) for number in range(1, 7)]) == "6 agents have not ended"


def test_a_wait_shows_its_progress() -> None:
    counts = {"ended": 1, "running": 2, "queued": 1}
    assert render.waiting(counts, is_whole=True) == "waiting: 1 of 4 ended, 2 running, 1 queued"
    assert render.waiting(counts, is_whole=False) == "waiting: 2 running, 1 queued"


@given(st.text(st.sampled_from("ab界é\u0301\ufe0f☁")), st.integers(0, 9), st.sampled_from(["…", "..."]))
def test_text_is_cut_to_its_longest_prefix_that_fits(text: str, width: int, ellipsis: str) -> None:
    room = max(0, width - len(ellipsis))
    cuts = [end for end in range(len(text) + 1) if text[end : end + 1] not in ("\u0301", "\ufe0f")]
    longest = max((text[:end] for end in cuts if render.columns(text[:end]) <= room), key=len)
    expected = text if render.columns(text) <= width else longest + ellipsis[:width]
    assert render.fitted(text, width, ellipsis) == expected


def test_the_slots_line_shows_overuse_pause_and_rate_limits() -> None:
    assert render.slots(answer()["limit"], "·") == "slots 3/7 in use · 4/28 alive"
    unusual = answer(working=8, overdrawn=1, paused=True)["limit"]
    assert render.slots(unusual, "-") == "slots 8/7 in use, 1 over the limit - 4/28 alive - paused"
    limited = answer(held={"claude": "2026-01-31T12:00:00.000Z"})["limit"]
    assert render.slots(limited, "-").endswith(" - claude rate-limited until 2026-01-31T12:00:00.000Z")


def test_a_daemon_is_described_in_one_line() -> None:
    daemon = {"version": "1.2.3", "pid": 7, "uptime_seconds": 7500.0, "home": "/h", "socket": "/h/s"}
    assert render.daemon(daemon) == "orchd 1.2.3, pid 7, up 2h 5m, home /h, socket /h/s"


def test_empty_columns_are_left_out() -> None:
    assert render.filled([["a", "", ""], ["b", "", "c"]]) == [["a", ""], ["b", "c"]]
    assert render.filled([]) == []
