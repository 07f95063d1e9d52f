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


def test_the_same_agents_have_one_share_of_the_places_whatever_they_are_shown_as(
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
    known = [json.loads(orchctl("timeline", *one, "--json").out) for one in ((), ("session-001",), ("run-001",))]
    shares = {one["utilisation"] for one in known}
    assert {one["agents"] for one in known} == {3}
    assert len(shares) == 1
    assert 0.5 < shares.pop() <= 1


def test_before_its_first_change_the_limit_is_that_of_a_new_home(instance: Instance, orchctl: Orchctl) -> None:
    instance.ctl("wait", instance.spawn("sleep", "0.2"))
    before = json.loads(orchctl("timeline", "--json").out)["utilisation"]
    instance.ctl("limit", "1")
    assert json.loads(orchctl("timeline", "--json").out)["utilisation"] == before < 0.15
