"""From a composition to the request of a run."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from orchctl.composition import (
    Composition,
    CompositionError,
    CoordinationStrategy,
    SubSkill,
    Task,
    Tree,
    composition_from,
)
from orchctl.errors import NoDaemonError, RefusedError, UsageError
from orchctl.runs.request import RunLaunch, prepared, reserved, results_of, sendable, write_prompts
from orchd.protocol import operations, schema
from tests.orchctl.composition.files import after, composition

INNER = Composition(
    "web",
    "sequential",
    (SubSkill("html"), SubSkill("css")),
    description="the pages",
    coordination_strategy=CoordinationStrategy("continue-on-error"),
    max_parallel=2,
)
OUTER = Composition(
    "team",
    "hybrid",
    (
        SubSkill("api", role="Builds the API", token_estimate=500, timeout="15m", env={"A": "1"}, model="opus"),
        SubSkill("web", role="Builds the UI", dependencies=("api",), required=False, prompt="In Elm."),
        SubSkill("qa", dependencies=("web", "api"), command=("make", "test"), required=False),
    ),
    description="ships it",
    coordination_strategy=CoordinationStrategy("retry", 3),
)
TREE = Tree(OUTER, {"web": Tree(INNER)}, {"api": "# API\n\n" + "x" * 393})
TASK = Task("bd-123", "Log in", {"apiVersion": "v2"})
RESULTS = Path("/r")


def prepared_run(tree: Tree = TREE, task: Task = TASK, results: Path = RESULTS) -> RunLaunch:
    """Return the prepared run with mock agents."""
    return prepared(tree, task, runner="claude", directory=Path("/work"), results=results)


def test_the_daemon_accepts_the_request() -> None:
    built = schema.parse(operations.Run, sendable(prepared_run()))
    assert (built.name, built.cwd, built.task_id, built.results) == ("team", "/work", "bd-123", "/r")
    assert built.env["PATH"] == os.environ["PATH"]
    assert "env" not in prepared_run().request


def test_groups_have_their_limit_and_failure_policy() -> None:
    assert prepared_run().request["groups"] == [
        {"path": "", "max_parallel": None, "on_failure": "fail-fast", "after": [], "required": True},
        {"path": "web", "max_parallel": 2, "on_failure": "continue", "after": ["api"], "required": False},
    ]


def test_members_have_an_agent_a_path_and_dependencies() -> None:
    api, html, css, qa = prepared_run().request["members"]
    assert api == {
        "path": "api",
        "after": [],
        "required": True,
        "variables": {"A": "1", "ORCHD_RESULTS": "[]"},
        "agent": {
            "name": "api",
            "runner": "claude",
            "model": "opus",
            "skill": "api",
            "goal": "Builds the API",
            "task_id": "bd-123",
            "stdin": "/r/api.prompt.md",
            "timeout": 900.0,
            "retries": 3,
            "result": "/r/api.md",
            "tokens": 500,
        },
    }
    assert [member["path"] for member in (html, css, qa)] == ["web/html", "web/css", "qa"]
    assert [member["after"] for member in (html, css, qa)] == [[], ["web/html"], ["web", "api"]]
    assert [member["required"] for member in (html, css, qa)] == [True, True, False]
    assert "retries" not in html["agent"]
    assert html["agent"]["tokens"] == 10_000
    assert (qa["agent"]["command"], qa["agent"]["retries"]) == (["make", "test"], 3)


def test_the_tokens_of_a_skill_without_an_estimate_come_from_its_text() -> None:
    tree = Tree(Composition("t", "parallel", (SubSkill("api"),)), texts={"api": "x" * 400})
    assert prepared_run(tree).request["members"][0]["agent"]["tokens"] == 10_100


def test_each_member_gets_the_result_paths_of_its_dependencies() -> None:
    _, html, css, qa = (member["variables"] for member in prepared_run().request["members"])
    assert html["ORCHD_RESULTS"] == '["/r/api.md"]'  # what its composition comes after
    assert css["ORCHD_RESULTS"] == '["/r/web/html.md"]'
    assert qa["ORCHD_RESULTS"] == '["/r/web", "/r/api.md"]'


def test_too_many_result_paths_are_replaced_by_their_directory() -> None:
    names = [f"{index:04d}-{'x' * 50}" for index in range(2000)]
    large = composition_from(composition(*names, after("last", *names)))
    assert prepared_run(Tree(large)).request["members"][-1]["variables"]["ORCHD_RESULTS"] == '["/r"]'


@pytest.mark.parametrize(("mode", "expected"), [("parallel", [[], []]), ("sequential", [[], ["a"]])])
def test_the_mode_sets_the_dependencies_of_members(mode: str, expected: list[list[str]]) -> None:
    members = prepared_run(Tree(composition_from(composition("a", "b", mode=mode)))).request["members"]
    assert [member["after"] for member in members] == expected


def test_a_prompt_contains_skill_role_task_context_and_result_paths() -> None:
    prompts = prepared_run().prompts
    assert set(prompts) == {RESULTS / f"{path}.prompt.md" for path in ("api", "web/html", "web/css", "qa")}
    api, html = prompts[RESULTS / "api.prompt.md"], prompts[RESULTS / "web/html.prompt.md"]
    assert api.startswith("# API")
    for text in ("Builds the API", "bd-123", "Log in", "apiVersion: v2", "/r/api.md", "- team: ships it"):
        assert text in api
    assert "- team: ships it\n- web: the pages Builds the UI In Elm." in html
    assert "- /r/api.md" in html


def test_prompts_are_written_to_the_stdin_paths_of_members(tmp_path: Path) -> None:
    launched = prepared_run(results=tmp_path / "r")
    write_prompts(launched)
    for member in launched.request["members"]:
        assert Path(member["agent"]["stdin"]).read_text() == launched.prompts[Path(member["agent"]["stdin"])]
        assert Path(member["agent"]["result"]).parent.is_dir()


def test_a_prompt_keeps_bytes_that_are_not_utf_8(tmp_path: Path) -> None:
    launched = prepared_run(results=tmp_path / "caf\udce9", task=Task("bd-1", "caf\udce9 \u00e9"))
    write_prompts(launched)
    content = (tmp_path / "caf\udce9/api.prompt.md").read_bytes()
    assert os.fsencode(tmp_path) + b"/caf\xe9/api.md" in content
    assert b"caf\xe9 \xc3\xa9" in content


def test_a_request_that_the_daemon_would_refuse_is_not_sent() -> None:
    with pytest.raises(UsageError, match="task_id"):
        sendable(prepared_run(task=Task("x" * 201)))


def test_a_request_that_is_too_large_is_refused() -> None:
    long = {f"V{index}": "x" * 1000 for index in range(9000)}
    tree = Tree(Composition("t", "parallel", (SubSkill("api", env=long),)))
    with pytest.raises(UsageError, match="split it into several runs") as caught:
        sendable(prepared_run(tree))
    assert caught.value.code == "too-large"


def test_variables_of_another_run_are_not_handed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORCHD_RESULT", "/elsewhere")
    monkeypatch.setenv("ORCHD_MODEL", "other")
    assert not {"ORCHD_RESULT", "ORCHD_MODEL"} & set(sendable(prepared_run())["env"])


def test_a_composition_with_a_cycle_is_refused() -> None:
    bad = Composition("t", "hybrid", (SubSkill("a", dependencies=("a",)),))
    with pytest.raises(CompositionError, match="cycle"):
        prepared_run(Tree(bad))


def test_each_run_gets_a_directory_of_its_own(tmp_path: Path) -> None:
    assert results_of(tmp_path, "team") == tmp_path / ".agent/runs/team-1"
    with reserved(tmp_path, "team") as first, reserved(tmp_path, "team") as second:
        assert (first.name, second.name) == ("team-1", "team-2")
        assert first.is_dir()
    (tmp_path / ".agent/runs/team-9").mkdir()
    (tmp_path / ".agent/runs/team-x").mkdir()
    (tmp_path / ".agent/runs/team-mates-77").mkdir()
    assert results_of(tmp_path, "team").name == "team-10"
    assert results_of(tmp_path, "t*").name == "t*-1"


def test_a_concurrent_run_takes_the_next_free_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".agent/runs/team-1").mkdir(parents=True)
    monkeypatch.setattr(Path, "glob", lambda *_: iter(()))  # as it was before the first came
    with reserved(tmp_path, "team") as results:
        assert results == tmp_path / ".agent/runs/team-2"


@pytest.mark.timeout(10)
def test_a_directory_that_cannot_be_created_raises_an_error(tmp_path: Path) -> None:
    (tmp_path / ".agent").mkdir()
    (tmp_path / ".agent/runs").symlink_to("/gone/scratch")
    with pytest.raises(FileExistsError, match="runs"), reserved(tmp_path, "team"):
        pass


@pytest.mark.parametrize(
    ("error", "is_kept"),
    [
        (UsageError("no"), False),
        (RefusedError("no"), False),
        (UnicodeError("no"), False),
        (NoDaemonError("perhaps"), True),
        (KeyboardInterrupt(), True),
    ],
)
def test_the_directory_is_deleted_only_if_the_run_was_refused(
    tmp_path: Path, error: BaseException, is_kept: bool
) -> None:
    with pytest.raises(type(error)), reserved(tmp_path, "team") as results:
        raise error
    assert results.exists() is is_kept
