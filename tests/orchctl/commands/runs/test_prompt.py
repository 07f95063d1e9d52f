"""`orchctl prompt`."""

from __future__ import annotations

import json
from pathlib import Path

from tests.conftest import Instance
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl


def test_each_group_is_one_message_with_all_its_tasks(orchctl: Orchctl, stopped: Instance) -> None:
    words = ("--task-id", "bd-1", "--requirements", "Log in", "--context", "apiVersion=v2")
    result = orchctl("prompt", "skyfom-fullstack-developer", *words)
    assert (result.code, result.err) == (0, "")
    assert result.out.startswith("There are 2 groups of agents.")
    assert result.out.count("Spawn ALL 2 agents below in ONE message") == 1
    for text in ("# Backend developer", "bd-1", "Log in", "apiVersion: v2"):
        assert text in result.out
    assert not stopped.home.socket.exists()


def test_json_has_the_values_of_each_call(orchctl: Orchctl) -> None:
    groups = json.loads(orchctl("prompt", "skyfom-feature-complete", "--json").out)["groups"]
    assert [len(group) for group in groups] == [3, 2]
    assert set(groups[0][0]) == {"subagent_type", "description", "prompt", "model", "run_in_background"}


def test_no_message_has_more_tasks_than_may_run_at_once(orchctl: Orchctl, tmp_path: Path) -> None:
    for bound, expected in ((2, [2, 2, 1]), (None, [5])):
        written(tmp_path / "team.json", composition(*"abcde", maxParallel=bound))
        assert [len(group) for group in json.loads(orchctl("prompt", "team.json", "--json").out)["groups"]] == expected
    written(tmp_path / "team.json", composition(*"abcdefghi", after("j", "a")))
    assert [len(group) for group in json.loads(orchctl("prompt", "team.json", "--json").out)["groups"]] == [7, 2, 1]
