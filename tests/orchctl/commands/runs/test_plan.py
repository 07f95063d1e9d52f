"""`orchctl plan`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.conftest import Instance
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl


@pytest.fixture
def team(tmp_path: Path) -> str:
    """A composition of three skills in two groups."""
    value = composition("api", after("ui", "api", tokenEstimate=500), after("app", "api"), maxParallel=2)
    return str(written(tmp_path / "team.json", value))


def test_plan_without_a_daemon_assumes_a_limit_and_starts_no_daemon(
    team: str, orchctl: Orchctl, stopped: Instance
) -> None:
    result = orchctl("plan", team)
    assert result.code == 0
    assert result.err.startswith("no daemon is running: assuming limit 7")
    assert "time at limit 7  " in result.out
    assert not stopped.home.socket.exists()
    assert orchctl("plan", team, "--limit", "3").err == ""


def test_plan_uses_the_limit_and_history_of_the_daemon(team: str, orchctl: Orchctl, instance: Instance) -> None:
    instance.ctl("limit", "3")
    instance.ctl("wait", instance.spawn("true", options=["--skill", "api"]))
    plan = json.loads(orchctl("plan", team, "--json").out)
    assert (plan["limit"], plan["unit"]) == (3, "seconds")
    assert [member["seconds"] is None for member in plan["members"]] == [False, True, True]
    assert json.loads(orchctl("plan", team, "--json", "--limit", "1").out)["limit"] == 1


def test_plan_json_has_groups_critical_path_and_tokens(team: str, orchctl: Orchctl) -> None:
    plan = json.loads(orchctl("plan", team, "--json").out)
    assert plan["groups"] == [["api"], ["ui", "app"]]
    assert plan["critical_path"] == ["api", "app"]
    assert plan["tokens"] == 20_500


def test_the_graph_is_text_or_json(team: str, orchctl: Orchctl) -> None:
    lines = orchctl("plan", team, "--graph").out.splitlines()
    assert [line.lstrip("├└─ ") for line in lines] == ["api  *", "ui", "app  *"]
    graph = json.loads(orchctl("plan", team, "--graph", "--json").out)["graph"]
    assert graph == {"api": [], "ui": ["api"], "app": ["api"]}


@pytest.mark.parametrize(("name", "begins"), [("out.svg", "<svg "), ("out.dot", "digraph ")])
def test_the_graph_is_written_to_a_file(team: str, orchctl: Orchctl, tmp_path: Path, name: str, begins: str) -> None:
    result = orchctl("plan", team, "--graph", name)
    assert (result.code, result.out) == (0, "")
    assert result.err.endswith(f"wrote {name}\n")
    assert (tmp_path / name).read_text().startswith(begins)
    assert json.loads(orchctl("plan", team, "--graph", name, "--json").out)["name"] == "team"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--limit", "0"), "--limit must be 1 or more, not 0"),
        (("out.svg",), "--graph out.svg"),
        (("--graph", "out.png"), "not a .svg or .dot file"),
    ],
)
def test_plan_refuses_invalid_options_as_usage_errors(
    team: str, orchctl: Orchctl, words: tuple[str, ...], message: str
) -> None:
    result = orchctl("plan", team, *words)
    assert result.code == 2
    assert message in result.err


def test_a_bad_composition_is_refused(orchctl: Orchctl, tmp_path: Path) -> None:
    written(tmp_path / "bad.json", composition(after("a", "zz")))
    result = orchctl("plan", "bad.json")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("bad-composition: $.subSkills[0].dependencies[0]: 'zz'")
