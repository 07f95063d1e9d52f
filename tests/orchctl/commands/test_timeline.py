"""`orchctl timeline`, of what a real daemon did."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ET
from pathlib import Path

from tests.conftest import Instance
from tests.orchctl.conftest import Orchctl


def titles(path: Path) -> list[str]:
    """What the parts of a picture say."""
    return [element.text or "" for element in ET.parse(path).iter() if element.tag.endswith("}title")]


def test_all_that_happened_is_in_it_with_its_retry_and_its_wait(
    instance: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    instance.ctl("limit", "1")
    instance.spawn("sh", "-c", "orchctl wait $(orchctl spawn --name child -- true)", options=["--nesting", "1"])
    flaky = instance.spawn("sh", "-c", "exit $((2 - ORCHD_ATTEMPT))", options=["--retries", "1", "--name", "flaky"])
    instance.ctl("wait", "1", flaky)
    done = orchctl("timeline", "-o", "all.svg")
    assert done == (0, "all.svg: 3 agents, 4 attempts\n", "")
    said = titles(tmp_path / "all.svg")
    assert said[0] == "orchd: all agents"
    assert [one for one in said if "flaky, pm, try 1: retried (exit code 1)" in one]
    assert [one for one in said if one.startswith("agent-001 sh waits for others")]
    assert not [one for one in said if "place 2" in one]
    assert orchctl("timeline").out == (tmp_path / "all.svg").read_text()


def test_a_run_and_a_session_have_only_their_own(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    instance.ctl("wait", instance.spawn("true", options=["--name", "alone"]))
    members = [{"path": "api", "agent": {"name": "member", "command": ["true"]}}]
    run = {"name": "r", "cwd": str(tmp_path), "env": instance.env, "groups": [{}], "members": members}
    with instance.client() as client:
        client.call("run", run)
    instance.ctl("wait", "run-001")
    assert json.loads(orchctl("timeline", "run-001", "--json", "-o", "run.html").out)["agents"] == 1
    assert "member" in (tmp_path / "run.html").read_text()
    assert "alone" not in (tmp_path / "run.html").read_text()
    known = json.loads(orchctl("timeline", "session-001", "--json").out)
    assert (known["agents"], known["attempts"], known["file"]) == (1, 1, None)


def test_what_is_under_way_is_drawn_as_far_as_it_is(instance: Instance, orchctl: Orchctl, tmp_path: Path) -> None:
    instance.spawn("sleep", "60")
    assert orchctl("timeline", "-o", "now.svg").code == 0
    assert [one for one in titles(tmp_path / "now.svg") if "still at work" in one]


def test_what_can_be_no_timeline_is_refused(instance: Instance, orchctl: Orchctl) -> None:
    assert orchctl("timeline").err.startswith("no-history: this home has no agents yet")
    done = orchctl("timeline", "-o", "x.png")
    assert (done.code, done.err) == (
        2,
        "usage: x.png: a timeline is .svg or .html, and the ending of its name says which\n",
    )
    assert orchctl("timeline", "agent-001").code == 2
    assert orchctl("demo", "--timeline", "x.png").code == 2
    assert orchctl("timeline", "run-9").err.startswith("unknown-run: ")
