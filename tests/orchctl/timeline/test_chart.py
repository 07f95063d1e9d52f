"""A timeline as SVG and as a page. `python -m tests.orchctl.timeline.test_chart` accepts the picture as it is now."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from pathlib import Path

from orchctl.history.lifecycles import AttemptHistory, Lifecycle
from orchctl.timeline.chart import svg
from orchctl.timeline.page import html
from orchctl.timeline.summary import History, numbers

GOLDEN = Path(__file__).parent / "timeline.svg"
BEGAN = 1767323165.0  # 2026-01-02T03:06:05Z


def attempt(
    number: int, queued: float, admitted: float, ended: float | None, ending: str | None, **more: object
) -> AttemptHistory:
    """Return one attempt, in seconds from the begin."""
    waits = [(BEGAN + begin, BEGAN + end) for begin, end in more.pop("waits", ())]  # type: ignore[attr-defined]
    end = None if ended is None else BEGAN + ended
    return AttemptHistory(number, BEGAN + queued, BEGAN + admitted, end, ending, waits=waits, **more)  # type: ignore[arg-type]


life = Lifecycle


def seven_agents() -> History:
    """Return seven agents: one nests, one is tried again, one fails, one is still at work."""
    lives = [
        life("agent-001", "lead", "pm", None, BEGAN, [attempt(1, 0, 0, 40, "completed", waits=[(5, 30)])], "completed"),
        life("agent-002", "api", "sub-skill", "agent-001", BEGAN, [attempt(1, 4, 5, 28, "completed")], "completed"),
        life("agent-003", "flaky", "pm", None, BEGAN, [
            attempt(1, 0, 0, 12, "retried", reason="exit code 3", exit_code=3), attempt(2, 12, 15, 30, "completed"),
        ], "completed"),
        life("agent-004", '<script>"&\x1b', "pm", None, BEGAN, [
            attempt(1, 0, 12, 33, "failed", reason="a<b"),
        ], "failed"),
        life("agent-005", "ui", "composite", None, BEGAN, [attempt(1, 20, 28, 44, "cancelled")], "cancelled"),
        life("agent-006", "late", "pm", None, BEGAN, [attempt(1, 20, 40, None, None)]),
        life("agent-007", "never", "pm", None, BEGAN + 30),
    ]  # fmt: skip
    return History("run-001 made up", lives, [(BEGAN, 2), (BEGAN + 38, 3)], BEGAN, BEGAN + 60)


def crowded(count: int, limit: int = 50) -> History:
    """Return more attempts than a picture can name."""
    lives = [
        Lifecycle(
            f"agent-{n:03d}", f"n{n}", "pm", None, BEGAN, [attempt(1, 0, n // limit, n // limit + 1, "completed")]
        )
        for n in range(count)
    ]
    return History("many", lives, [(BEGAN, limit)], BEGAN, BEGAN + count / limit)


def with_a_night() -> History:
    """Return twelve agents of one minute, one after the other, with five hours in the middle."""
    starts = [60.0 * n + (5 * 3600 if n >= 6 else 0) for n in range(12)]
    lives = [
        Lifecycle(
            f"agent-{n + 1:03d}",
            f"worker-{n + 1}",
            "pm",
            None,
            BEGAN + at,
            [attempt(1, at, at, at + 60, "completed")],
            "completed",
            None,
            BEGAN + at + 60,
        )
        for n, at in enumerate(starts)
    ]
    return History("night", lives, [(BEGAN, 1)], BEGAN, BEGAN + 5 * 3600 + 720)


def texts_of(picture: str) -> list[str]:
    """Return the visible texts of a picture."""
    return [element.text or "" for element in ET.fromstring(picture).iter() if element.tag.endswith("}text")]


def test_a_long_idle_gap_is_folded_so_that_short_agents_show_their_names() -> None:
    texts = texts_of(svg(with_a_night()))
    assert [text for text in texts if text.startswith("worker-")] == [f"worker-{n}" for n in range(1, 13)]
    assert "5h idle" in texts
    # labels are offsets in wall time on both sides of the gap
    assert {"0", "5m", "5h 7m", "5h 12m"} <= set(texts)
    assert not {"7m", "8m"} & set(texts)


def test_without_folding_the_axis_is_linear() -> None:
    texts = texts_of(svg(with_a_night()._replace(folds=False)))
    assert not [text for text in texts if text.startswith("worker-") or text.endswith("idle")]
    assert "2h" in texts


def test_folding_does_not_change_the_summary_numbers() -> None:
    assert numbers(with_a_night()) == numbers(with_a_night()._replace(folds=False))
    assert numbers(with_a_night()).utilisation == 720 / (5 * 3600 + 720)


def test_svg_of_a_history_equals_the_golden_file() -> None:
    assert svg(seven_agents()) == GOLDEN.read_text()


def test_svg_describes_its_content_in_titles_and_texts() -> None:
    root = ET.fromstring(svg(seven_agents()))
    texts = [element.text or "" for element in root.iter() if element.tag.endswith(("}title", "}desc", "}text"))]
    assert texts[0] == "run-001 made up"
    assert texts[1].startswith("7 agents in 7 attempts, 1m from 2026-01-02 03:06:05 UTC, 8")
    assert "agent-003 flaky, pm, attempt 1: retried (exit code 3); queued 0.0s, ran 12s" in texts
    assert "agent-001 lead waiting for other agents, 25s" in texts
    assert {"limit 3", "slot 3", "✕ failed", "↻ retried", "■ cancelled"} <= set(texts)


def test_user_text_is_escaped_and_the_chart_has_no_script_or_external_url() -> None:
    for text in (svg(seven_agents()), html(seven_agents())):
        assert "<script" not in text
        assert "\x1b" not in text
        assert "a&lt;b" in text
        assert "http" not in text.replace("http://www.w3.org/2000/svg", "")


def test_html_page_contains_the_agents_as_a_table() -> None:
    page = html(seven_agents())
    assert page.count("<tr>") == 1 + 7
    assert "<td>agent-003</td><td>flaky</td><td>pm</td><td>2</td><td>3.0s</td><td>15s</td>" in page
    assert "prefers-color-scheme:dark" in page


def test_utilisation_is_running_time_divided_by_slot_time() -> None:
    totals = numbers(seven_agents())
    assert (totals.agents, totals.attempts, totals.seconds, totals.most_queued) == (7, 7, 60.0, 2)
    # at work 5+10, 23, 12+15, 21, 16, 20; places 38 x 2 and 22 x 3
    assert totals.utilisation == (15 + 23 + 27 + 21 + 16 + 20) / (38 * 2 + 22 * 3)
    assert numbers(seven_agents()._replace(limits=[])).utilisation is None


def test_svg_of_thousands_of_attempts_in_many_slots_stays_small() -> None:
    picture = svg(crowded(5000))
    root = ET.fromstring(picture)
    assert int(root.attrib["height"]) < 800
    assert "slot 1" not in picture
    assert len(picture) < 2_000_000


def test_svg_is_drawn_for_a_history_with_only_queued_agents() -> None:
    ET.fromstring(svg(History("queue", [life("agent-001", "a", "pm", None, BEGAN)], [], BEGAN, BEGAN)))


if __name__ == "__main__":
    GOLDEN.write_text(svg(seven_agents()))
