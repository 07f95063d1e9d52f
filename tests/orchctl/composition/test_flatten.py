"""Nested compositions as flat groups and members."""

from __future__ import annotations

import pytest

from orchctl.composition import (
    Composition,
    CompositionError,
    CoordinationStrategy,
    Problem,
    SubSkill,
    Tree,
    flatten,
    makespan,
)
from orchctl.composition.flatten import MOST, expanded
from orchd.dag import around, critical_path, levels, topological

INNER = Composition(
    "web",
    "hybrid",
    (
        SubSkill("html"),
        SubSkill("css", dependencies=("html",), runner="mock", model="haiku", timeout="9m", env={"A": "2"}),
    ),
    max_parallel=1,
)
OUTER = Composition(
    "team",
    "hybrid",
    (
        SubSkill("design"),
        SubSkill(
            "web",
            dependencies=("design",),
            required=False,
            runner="codex",
            model="opus",
            timeout="5m",
            env={"A": "1", "B": "1"},
        ),
        SubSkill("qa", dependencies=("web",)),
    ),
    max_parallel=3,
)
TREE = Tree(OUTER, {"web": Tree(INNER, texts={"html": "# HTML"})}, {"qa": "# QA"})


def test_members_and_groups_have_paths_and_dependencies() -> None:
    flat = flatten(TREE)
    assert [(group.path, group.after, group.required) for group in flat.groups] == [
        ("", (), True),
        ("web", ("design",), False),
    ]
    assert [(member.path, member.after, member.text, member.group.path) for member in flat.members] == [
        ("design", (), "", ""),
        ("web/html", (), "# HTML", "web"),
        ("web/css", ("web/html",), "", "web"),
        ("qa", ("web",), "# QA", ""),
    ]
    assert flat.bounds() == {"": 3, "web": 1}


def test_settings_of_a_nested_composition_are_member_defaults() -> None:
    _, html, css, _ = (member.sub_skill for member in flatten(TREE).members)
    assert (html.runner, html.model, html.timeout, html.env) == ("codex", "opus", "5m", {"A": "1", "B": "1"})
    assert (css.runner, css.model, css.timeout, css.env) == ("mock", "haiku", "9m", {"A": "2", "B": "1"})


def test_a_group_runs_between_its_dependencies_and_its_dependents() -> None:
    graph = flatten(TREE).graph()
    assert [name for name in topological(graph) if not name.endswith("/") and name != "web"] == [
        "design",
        "web/html",
        "web/css",
        "qa",
    ]
    assert len(levels(graph)) == 6
    assert levels(graph, flatten(TREE).joints()) == [["design"], ["web/html"], ["web/css"], ["qa"]]
    times = {node: 0.0 if node in ("web", "web/") else 1.0 for node in graph}
    assert makespan(graph, times, 7, flatten(TREE).bounds()) == 4.0
    assert critical_path(graph, times)[-1] == "qa"


def test_edges_between_large_groups_do_not_multiply() -> None:
    members = [(f"{group}/{index}", ()) for group in ("a", "b") for index in range(1000)]
    graph = expanded([("", ()), ("a", ()), ("b", ("a",))], members)
    assert sum(map(len, graph.values())) < 5000
    assert all("a" not in graph[f"b/{index}"] for index in range(1000))
    assert topological(graph).index("b/7") > topological(graph).index("a/999")


def test_members_that_may_start_together_share_a_level_at_any_depth() -> None:
    free = Composition("free", "parallel", (SubSkill("a"), SubSkill("web")))
    flat = flatten(Tree(free, {"web": Tree(INNER)}))
    assert levels(flat.graph(), flat.joints()) == [["a", "web/html"], ["web/css"]]


def test_an_inner_group_starts_after_dependencies_of_its_outer_group() -> None:
    deep = Composition("deep", "parallel", (SubSkill("x"),))
    middle = Composition("middle", "parallel", (SubSkill("deep"),))
    outer = Composition("outer", "sequential", (SubSkill("first"), SubSkill("middle"), SubSkill("last")))
    flat = flatten(Tree(outer, {"middle": Tree(middle, {"deep": Tree(deep)})}))
    assert [member.path for member in flat.members] == ["first", "middle/deep/x", "last"]
    order = topological(flat.graph())
    assert order.index("first") < order.index("middle/deep/x") < order.index("last")


@pytest.mark.parametrize(
    ("strategy", "retries"),
    [
        (CoordinationStrategy("retry", 5), 5),
        (CoordinationStrategy("retry"), 2),
        (CoordinationStrategy("retry", 0), 0),
        (CoordinationStrategy("fail-fast", 5), 0),
        (CoordinationStrategy("continue-on-error"), 0),
    ],
)
def test_only_the_retry_strategy_gives_members_retries(strategy: CoordinationStrategy, retries: int) -> None:
    composition = Composition("team", "parallel", (SubSkill("a"),), coordination_strategy=strategy)
    assert [member.retries for member in flatten(Tree(composition)).members] == [retries]


def test_a_tree_with_too_many_members_is_refused() -> None:
    tree = Tree(Composition("leaf", "parallel", tuple(SubSkill(f"s{index}") for index in range(30))))
    for level in range(5):
        names = [f"s{index}" for index in range(30)]
        tree = Tree(Composition(f"l{level}", "parallel", tuple(map(SubSkill, names))), dict.fromkeys(names, tree))
    with pytest.raises(CompositionError) as refused:
        flatten(tree)
    message = "'l4' has more than 10,000 members, including members of nested compositions"
    assert refused.value.problems == (
        Problem("too-many-members", "$.subSkills", None, message, "split it into several runs"),
    )


def test_the_maximum_number_of_members_is_accepted() -> None:
    leaf = Composition("leaf", "parallel", (SubSkill("one"),))
    names = [f"s{index}" for index in range(MOST)]
    largest = Composition("many", "parallel", tuple(map(SubSkill, names)))
    assert len(flatten(Tree(largest)).members) == MOST
    inner = dict.fromkeys(names[1:], Tree(leaf))
    assert len(flatten(Tree(largest, inner)).groups) == MOST
    with pytest.raises(CompositionError):
        flatten(Tree(largest, {name: Tree(Composition("empty", "parallel", ())) for name in names}))


def test_flatten_detects_a_cycle_in_a_nested_composition() -> None:
    bad = Composition("bad", "hybrid", (SubSkill("a", dependencies=("b",)), SubSkill("b", dependencies=("a",))))
    with pytest.raises(CompositionError, match="cycle"):
        flatten(Tree(OUTER, {"web": Tree(bad)}))


def test_around_returns_the_enclosing_group_of_a_path() -> None:
    assert [around(path) for path in ("api", "web/api", "web/forms/api")] == ["", "web", "web/forms"]
