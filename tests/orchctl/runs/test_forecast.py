"""The forecast of a run, and its text."""

from __future__ import annotations

from orchctl.composition import Composition, SubSkill, Tree
from orchctl.runs.forecast import foretold, plan_lines

TEAM = Composition(
    "team",
    "hybrid",
    (
        SubSkill("backend", token_estimate=4000),
        SubSkill("frontend", dependencies=("backend",), token_estimate=3000),
        SubSkill("mobile", dependencies=("backend",), required=False),
        SubSkill("tests", dependencies=("frontend", "mobile"), token_estimate=1000),
    ),
    max_parallel=1,
)


def test_a_forecast_without_history_is_in_tokens() -> None:
    plan = foretold(Tree(TEAM, texts={"mobile": "x" * 4000}), seconds={}, limit=7)
    assert (plan["unit"], plan["limit"], plan["max_parallel"], plan["mode"]) == ("tokens", 7, 1, "hybrid")
    assert plan["groups"] == [["backend"], ["frontend", "mobile"], ["tests"]]
    assert plan["critical_path"] == ["backend", "mobile", "tests"]
    assert (plan["critical_path_time"], plan["time_at_limit"], plan["time_one_by_one"]) == (16_000, 19_000, 19_000)
    assert plan["tokens"] == 19_000
    assert plan["members"][2] == {
        "path": "mobile",
        "skill": "mobile",
        "after": ["backend"],
        "required": False,
        "tokens": 11_000,
        "is_estimated": True,
        "seconds": None,
        "duration": 11_000.0,
    }


def test_a_forecast_with_history_is_in_seconds() -> None:
    plan = foretold(Tree(TEAM), seconds={"backend": 60.0, "frontend": 80.0, "mobile": 10.0}, limit=1)
    assert plan["unit"] == "seconds"
    assert [member["seconds"] for member in plan["members"]] == [60.0, 80.0, 10.0, None]
    assert plan["members"][3]["duration"] == 150 / 17_000 * 1000
    assert plan["critical_path"] == ["backend", "frontend", "tests"]


def test_a_nested_composition_is_forecast_with_its_members_and_limit() -> None:
    outer = Composition("outer", "sequential", (SubSkill("a", token_estimate=1), SubSkill("team")))
    plan = foretold(Tree(outer, {"team": Tree(TEAM)}), seconds={}, limit=7)
    assert plan["groups"] == [["a"], ["team/backend"], ["team/frontend", "team/mobile"], ["team/tests"]]
    assert plan["time_at_limit"] == plan["time_one_by_one"] == 18_001


def test_plan_lines_show_groups_critical_path_and_totals() -> None:
    lines = plan_lines(foretold(Tree(TEAM), seconds={}, limit=7), "->")
    assert lines == [
        "team: hybrid, 4 members, at most 1 at once",
        "",
        "group 1  backend   4,000 tokens",
        "group 2  frontend  3,000 tokens              after backend",
        "         mobile    ~10,000 tokens  optional  after backend",
        "group 3  tests     1,000 tokens              after frontend, mobile",
        "",
        "critical path    backend -> mobile -> tests: 15,000 tokens",
        "time at limit 7  18,000 tokens; sequential 18,000 tokens",
        "tokens           18,000, 10,000 of them estimated (~)",
        "no duration estimate yet: times are given in tokens",
    ]


def test_plan_lines_show_seconds_if_durations_are_known() -> None:
    lines = plan_lines(foretold(Tree(TEAM), seconds={"backend": 60.0, "frontend": 80.0}, limit=7), "->")
    assert lines[2] == "group 1  backend   4,000 tokens    1m"
    assert lines[4].split()[-5:] == ["~3m", "20s", "optional", "after", "backend"]
    assert lines[-3:-1] == [
        "critical path    backend -> mobile -> tests: 4m 40s",
        "time at limit 7  6m; sequential 6m",
    ]
