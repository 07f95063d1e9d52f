"""`orchctl timeline` of the history of a real daemon."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.conftest import Background, Orchctl, Terminal


def titles(path: Path) -> list[str]:
    """Return the titles of the elements of a picture."""
    return [element.text or "" for element in ET.parse(path).iter() if element.tag.endswith("}title")]


def test_timeline_shows_all_agents_with_retries_and_waits(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    instance.ctl("limit", "1")
    instance.spawn("sh", "-c", "orchctl wait $(orchctl spawn --name child -- true)", options=["--nesting", "1"])
    flaky = instance.spawn("sh", "-c", "exit $((2 - ORCHD_ATTEMPT))", options=["--retries", "1", "--name", "flaky"])
    instance.ctl("wait", "1", flaky)
    result = orchctl("timeline", "-o", "all.svg")
    assert result == (0, "all.svg: 3 agents, 4 attempts\n", "")
    titles_shown = titles(tmp_path / "all.svg")
    assert titles_shown[0] == "orchd: all agents"
    assert [title for title in titles_shown if "flaky, pm, attempt 1: retried (exit code 1)" in title]
    assert [title for title in titles_shown if title.startswith("agent-001 sh waiting for other agents")]
    assert not [title for title in titles_shown if "slot 2" in title]
    assert orchctl("timeline").out == (tmp_path / "all.svg").read_text()


def test_timeline_of_a_run_or_session_has_only_its_agents(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    instance.ctl("wait", instance.spawn("true", options=["--name", "alone"]))
    members = [{"path": "api", "agent": {"name": "member", "command": ["true"]}}]
    run = {"name": "r", "cwd": str(tmp_path), "env": instance.env, "groups": [{}], "members": members}
    with instance.client() as client:
        client.call("run", run)
    instance.ctl("wait", "run-001")
    assert json.loads(orchctl("timeline", "run-001", "--json", "-o", "run.html").out)["agents"] == 1
    assert "member" in (tmp_path / "run.html").read_text()
    assert "alone" not in (tmp_path / "run.html").read_text()
    summary = json.loads(orchctl("timeline", "session-001", "--json").out)
    assert (summary["agents"], summary["attempts"], summary["file"]) == (1, 1, None)


def test_timeline_draws_running_agents_up_to_now(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    instance.spawn("sleep", "60")
    assert orchctl("timeline", "-o", "now.svg").code == 0
    assert [title for title in titles(tmp_path / "now.svg") if ": running; " in title]


def test_timeline_refuses_an_empty_history_and_invalid_arguments(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("timeline").err.startswith("no-history: this home has no agents yet")
    result = orchctl("timeline", "-o", "x.png")
    assert (result.code, result.err) == (
        2,
        "usage: -o: x.png: unknown suffix; use .svg, .html, .txt, or add --format\n",
    )
    assert orchctl("timeline", "agent-001").code == 2
    suffix = "usage: --timeline: x.png: unknown suffix; use .svg, .html, .txt\n"
    assert orchctl("demo", "--timeline", "x.png") == (2, "", suffix)
    stdout = "usage: --timeline -: give a file name; `orchctl timeline` writes to stdout\n"
    assert orchctl("demo", "--timeline", "-") == (2, "", stdout)
    assert orchctl("timeline", "run-9").err.startswith("unknown-run: ")


def test_utilisation_of_the_same_agents_is_equal_in_every_scope(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    instance.ctl("limit", "2")
    instance.ctl("session", "new", cwd=tmp_path)
    composition = {"name": "r", "executionMode": "hybrid", "subSkills": []}
    for number in range(3):
        member = {"skillName": f"m{number}", "role": "r", "command": ["sh", "-c", "sleep 0.1; orchctl --version"]}
        composition["subSkills"].append(member)  # type: ignore[attr-defined]
    (tmp_path / "r.json").write_text(json.dumps(composition))
    assert orchctl("run", "r.json").code == 0
    instance.ctl("limit", "7")  # later than all of it: the share is of the two places that there were
    summary = [json.loads(orchctl("timeline", *scope, "--json").out) for scope in ((), ("session-001",), ("run-001",))]
    shares = {summary["utilisation"] for summary in summary}
    assert {summary["agents"] for summary in summary} == {3}
    assert len(shares) == 1
    assert 0.5 < shares.pop() <= 1


def test_utilisation_uses_the_default_limit_before_the_first_change(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("wait", instance.spawn("sleep", "0.2"))
    before = json.loads(orchctl("timeline", "--json").out)["utilisation"]
    instance.ctl("limit", "1")
    assert json.loads(orchctl("timeline", "--json").out)["utilisation"] == before < 0.15


def test_the_format_is_chosen_by_option_suffix_and_terminal(
    instance: Instance, orchctl: Orchctl, background: Background, terminal: Terminal, tmp_path: Path
) -> None:
    instance.ctl("wait", instance.spawn("true", options=["--name", "quick"]))
    assert orchctl("timeline").out.startswith("<svg ")
    assert orchctl("timeline", "--format", "html").out.startswith("<!doctype html>")
    text = orchctl("timeline", "--format", "text").out
    assert "agent-001 quick" in text
    assert "\x1b" not in text
    assert orchctl("timeline", "-o", "chart.txt").code == 0
    assert (tmp_path / "chart.txt").read_text() == text
    assert orchctl("timeline", "-o", "chart", "--format", "svg").code == 0
    assert (tmp_path / "chart").read_text().startswith("<svg ")
    assert (
        orchctl("timeline", "--format", "png").err
        == "usage: --format: 'png' is not a valid format; use svg, html, text\n"
    )
    result = orchctl("timeline", "--format", "svg", "-o", "x.html")
    assert (result.code, result.err[:45]) == (2, "usage: --format svg and -o x.html contradict ")
    background("timeline", stdout=terminal.theirs)
    output = terminal.until("completed\r\n")
    assert "\x1b[32m" in output
    assert "<svg" not in output


def test_timeline_obeys_no_color_on_a_terminal(
    instance: Instance, background: Background, terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    instance.ctl("wait", instance.spawn("true"))
    monkeypatch.setitem(instance.env, "NO_COLOR", "1")
    background("timeline", stdout=terminal.theirs)
    assert "\x1b[" not in terminal.until("completed\r\n")


def test_timeline_since_excludes_agents_that_ended_earlier(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("limit", "1")
    first = instance.spawn("true", options=["--name", "earlier"])
    instance.ctl("wait", first)
    second = instance.spawn("sleep", "60", options=["--name", "later"])
    (began,) = (agent["started_at"] for agent in instance.status(second)["agents"])
    summary = json.loads(orchctl("timeline", "--since", began, "--json").out)
    assert (summary["agents"], summary["attempts"]) == (1, 1)
    assert json.loads(orchctl("timeline", "--since", "1h", "--json").out)["agents"] == 2
    assert json.loads(orchctl("timeline", "session-001", "--since", began, "--json").out)["agents"] == 1
    assert orchctl("timeline", "--since", "yesterday").code == 2
    assert "write an age, as in 90s, 15m, 2h, 1d, or an ISO time" in orchctl("timeline", "--since", "yesterday").err
    instance.ctl("cancel", second)
    result = orchctl("timeline", "--since", "2999-01-01")
    assert (result.code, result.err[:12]) == (1, "no-history: ")


def test_json_has_the_idle_gaps(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("wait", instance.spawn("true"))
    assert json.loads(orchctl("timeline", "--json").out)["gaps"] == []
    instance.ctl("wait", instance.spawn("sleep", "0.3"))
    summary = json.loads(orchctl("timeline", "--json", "--no-fold").out)
    (gap,) = summary["gaps"]  # as long as the client took to start
    assert gap["begin"] < gap["end"]
    assert 0 < gap["seconds"] < summary["seconds"]


def test_a_dash_is_stdout(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    instance.ctl("wait", instance.spawn("true"))
    result = orchctl("timeline", "-o", "-")
    assert (result.code, result.out[:4]) == (0, "<svg"), result
    assert orchctl("timeline", "-o", "-", "--format", "text").out == orchctl("timeline", "--format", "text").out
    assert orchctl("timeline", "-o", "-", "--json").code == 2
    assert not (tmp_path / "-").exists()
