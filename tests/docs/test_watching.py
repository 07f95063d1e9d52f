"""docs/guides/watching.md explains what `status` prints, and lists the metrics of the daemon."""

from __future__ import annotations

import json
import re
from pathlib import Path

from orchctl.render.status_tree import Look, picture
from tests.conftest import Instance
from tests.orchctl.exporters.test_metrics import parsed

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs/guides/watching.md").read_text()
README = (ROOT / "README.md").read_text()
LEVELS = {"pm", "composite", "sub-skill"}


def test_the_page_lists_exactly_the_metrics_of_the_daemon(instance: Instance) -> None:
    instance.ctl("limit", "1")
    instance.spawn("true")
    page = instance.ctl("metrics")
    assert parsed(page)
    names = set(re.findall(r"^# TYPE (\w+)", page, re.MULTILINE))
    assert names == set(re.findall(r"`(orchd_\w+)`", PAGE))


def test_the_page_explains_each_part_of_the_first_line_of_status() -> None:
    fleet = json.loads((ROOT / "docs/images/fleet.json").read_text())
    head = picture(fleet["answer"], fleet["now"], Look(100))[0]
    words = {part.split()[-1] for part in head.split(" · ")}
    assert words >= {"use", "alive", "pm"}
    section = PAGE.partition("\n## Status\n")[2].partition("\n## ")[0]
    explained = {part.split()[-1] for part in re.findall(r"`([^`]+)`", section)}
    assert words | LEVELS <= explained
    assert {"pm", "sub-skill"} <= set(re.findall(r"`([\w-]+)`", README)), "status shows them in the picture"


def test_agents_that_wait_for_another_agent_can_show_the_same_position(instance: Instance) -> None:
    instance.ctl("limit", "1")
    first = instance.spawn("sleep", "600")
    ready, *others = (
        instance.spawn("true", options=options) for options in ([], ["--after", first], ["--after", first])
    )
    agents = {agent["id"]: agent["position"] for agent in instance.status()["agents"]}
    assert [agents[agent] for agent in (first, ready, *others)] == [None, 1, 2, 2]
