"""The files of a session: whole at any moment, true, and only where they may be."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
import yaml
from hypothesis import given

from orchd.core.state.agents import Agent, Level, Outcome, Spec, Status, agent_id
from orchd.core.state.sessions import Session, session_id
from orchd.core.state.spending import Spent
from orchd.core.state.state import State
from orchd.instance import yaml_text
from orchd.session_files.directory import Directory, RenderedAgents, SessionFilePaths
from tests.orchctl import repos
from tests.session_files.test_texts import TEXTS

ONE = session_id(1)


def agent(number: int = 1, status: Status = Status.RUNNING, **fields: object) -> Agent:
    """An agent to be shown."""
    spec = Spec(("x",), **{"name": f"task-{number}", "cwd": "/", "environment": "e", **fields})  # type: ignore[arg-type]
    return Agent(agent_id(number), spec, Level.PM, (), 0, 0.0, status=status, queued_at=1_700_000_000.0)


def shown(*agents: Agent) -> RenderedAgents:
    """The agents as the files show them."""
    rendered = RenderedAgents()
    rendered.enter(agents)
    return rendered


def show(path: Path, *agents: Agent, session: Session | None = None, is_newest: bool = True) -> None:
    """Write the files of a session with these agents."""
    shown_session = session or Session(ONE, str(path), 1_700_000_000.0)
    Directory(str(path), SessionFilePaths()).show(
        shown_session, shown(*agents), State(), 1_700_000_001.0, is_newest=is_newest
    )


def array(path: Path) -> list[dict[str, object]]:
    """The content of agents.json."""
    rows: list[dict[str, object]] = json.loads((path / ".claude/state/agents.json").read_text())
    return rows


def test_agents_are_an_array_in_the_order_of_their_ids(tmp_path: Path) -> None:
    completed = agent(2, Status.COMPLETED, skill="backend", task_id="bd-1", result="/r/2.md")
    completed.outcome, completed.spent = Outcome(0), Spent(5, 6, 700, 0, 0.25)
    show(tmp_path, completed, agent(1))
    first, second = array(tmp_path)
    assert (first["id"], first["status"], first["spawnedAt"]) == ("agent-001", "running", "2023-11-14T22:13:20.000Z")
    expected = {"skillName": "backend", "taskId": "bd-1", "status": "completed", "exitCode": 0, "result": "/r/2.md"}
    assert {key: second[key] for key in expected} == expected
    assert (second["tokens"], second["costUsd"]) == (11, 0.25)


def test_the_session_file_lists_task_names_and_statuses(tmp_path: Path) -> None:
    show(tmp_path, agent(1, Status.COMPLETED), agent(2, Status.TIMED_OUT))
    text = (tmp_path / ".agent/sessions/latest.yaml").read_text()
    assert text.startswith("session: session-001\n")
    assert "  - name: task-1\n    status: Completed\n" in text
    assert "  - name: task-2\n    status: Timed-out\n" in text


def test_a_session_without_agents_is_an_empty_list(tmp_path: Path) -> None:
    show(tmp_path)
    assert array(tmp_path) == []
    assert (tmp_path / ".agent/sessions/latest.yaml").read_text().endswith("tasks: []\n")


@given(TEXTS, TEXTS)
def test_any_text_leaves_all_files_valid(tmp_path_factory: pytest.TempPathFactory, name: str, goal: str) -> None:
    path = tmp_path_factory.mktemp("project")
    failed = agent(1, Status.FAILED, name=name, goal=goal, skill=goal, task_id=name)
    failed.reason = goal or "x"
    show(path, failed, session=Session(ONE, goal, 1_700_000_000.0, name=name))
    text = (path / ".agent/sessions/latest.yaml").read_text(encoding="utf-8")
    document = yaml.safe_load(text)
    (task,) = document["tasks"]
    lax = {key: value.translate(yaml_text.NOT_IN_YAML) for key, value in (("name", name), ("goal", goal))}
    assert {key: task[key] for key in lax} == lax
    assert (document["name"], document["directory"]) == (lax["name"], lax["goal"])
    assert all(line.isprintable() for line in text.split("\n"))
    raw = (path / ".claude/state/agents.json").read_bytes()
    assert raw.isascii()
    (row,) = json.loads(raw)
    for value in row.values():
        json.dumps(value, ensure_ascii=False).encode()  # no halves of characters
    assert row["reason"] == (goal or "x").translate(yaml_text.HALVES)


def test_an_older_session_updates_only_its_own_file(tmp_path: Path) -> None:
    show(tmp_path, agent(1))
    show(tmp_path, agent(2), session=Session(session_id(2), str(tmp_path), 0.0))
    show(tmp_path, agent(1, Status.COMPLETED), is_newest=False)
    folder = tmp_path / ".agent/sessions"
    assert (folder / "latest.yaml").readlink() == Path("session-002.yaml")
    assert "status: Completed" in (folder / "session-001.yaml").read_text()
    assert [row["id"] for row in array(tmp_path)] == ["agent-002"]


def test_a_reader_of_an_open_file_reads_the_whole_old_version(tmp_path: Path) -> None:
    show(tmp_path, *(agent(number) for number in range(1, 200)))
    with (tmp_path / ".claude/state/agents.json").open() as before:
        head = before.read(10)
        show(tmp_path)
        assert len(json.loads(head + before.read())) == 199
    assert sorted(path.name for path in (tmp_path / ".claude/state").iterdir()) == [".gitignore", "agents.json"]


def test_an_arbitrary_directory_gets_no_files(tmp_path: Path) -> None:
    assert not Directory(str(tmp_path), SessionFilePaths()).is_ours()
    repos.repository(tmp_path / "checkout")
    assert Directory(str(tmp_path / "checkout"), SessionFilePaths()).is_ours()


def untracked(path: Path) -> list[str]:
    """The untracked files of a checkout, ignored files included."""
    return repos.git(path, "status", "--porcelain", "--untracked-files=all", "--ignored").splitlines()


@pytest.mark.parametrize("kind", ["checkout", "worktree"])
def test_git_ignores_session_files_without_a_file_in_the_project(tmp_path: Path, kind: str) -> None:
    main = repos.repository(tmp_path / "main")
    project = main
    if kind == "worktree":
        project = tmp_path / "tree"
        repos.git(main, "worktree", "add", "-q", str(project))
    show(project, agent())
    Directory(str(project), SessionFilePaths()).append(['{"seq": 1}'])
    assert {line.split()[0] for line in untracked(project)} == {"!!"}
    assert list(project.rglob(".gitignore")) == []
    assert "/.agent/sessions/\n" in (main / ".git/info/exclude").read_text()


def test_session_directories_ignore_themselves_when_exclude_is_a_link(tmp_path: Path) -> None:
    project = repos.repository(tmp_path / "main")
    precious = tmp_path / "precious"
    precious.write_text("kept\n")
    (project / ".git/info/exclude").unlink(missing_ok=True)
    (project / ".git/info/exclude").symlink_to(precious)
    show(project, agent())
    assert precious.read_text() == "kept\n"
    assert {line.split()[0] for line in untracked(project)} == {"!!"}


def test_a_directory_outside_git_hides_session_files_from_a_later_git(tmp_path: Path) -> None:
    show(tmp_path, agent())
    repos.git(tmp_path, "init", "-q")
    assert {line.split()[0] for line in untracked(tmp_path)} == {"!!"}


def event(seq: object, session: str = "session-001") -> str:
    """A line as the scribe writes it."""
    return json.dumps({"session": session, "seq": seq})


ONE, TWO, THREE = (session_id(number) for number in (1, 2, 3))


def test_events_are_appended_and_the_last_is_read_back(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), SessionFilePaths())
    assert directory.last_seq(ONE) is None
    directory.append([])
    assert not (tmp_path / ".claude").exists()
    directory.append([event(1), event(2)])
    directory.append([event(7)])
    assert (tmp_path / ".claude/state/events.jsonl").read_text() == f"{event(1)}\n{event(2)}\n{event(7)}\n"
    assert directory.last_seq(ONE) == 7


def test_each_session_of_a_directory_has_its_own_last_event(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), SessionFilePaths())
    directory.append([event(14), event(15)])
    directory.append([event(11, TWO), event(13, TWO)])
    assert [directory.last_seq(session) for session in (ONE, TWO, THREE)] == [15, 13, 15]


@pytest.mark.parametrize("tail", [event(3)[:-1], "\n\n", '{"x": 1}\n', "nonsense\n", "[" * 5000 + "\n"])
def test_a_partial_or_foreign_last_line_of_events_is_ignored(tmp_path: Path, tail: str) -> None:
    directory = Directory(str(tmp_path), SessionFilePaths())
    directory.append([event(1), event(2)])
    path = tmp_path / ".claude/state/events.jsonl"
    with path.open("a") as file:
        file.write(tail)
    assert directory.last_seq(ONE) == 2
    assert path.read_text().endswith("\n")


@pytest.mark.parametrize("seq", ["1e999", "99999999999999999999", "-1", "true", '"7"', "null", "2.5"])
def test_an_invalid_sequence_number_of_an_event_is_ignored(tmp_path: Path, seq: str) -> None:
    """Agents may write the file, and checkouts bring one along."""
    directory = Directory(str(tmp_path), SessionFilePaths())
    directory.append([f'{{"session": "session-001", "seq": {seq}}}'])
    assert directory.last_seq(ONE) is None


def test_a_pipe_instead_of_the_events_file_blocks_no_process(tmp_path: Path) -> None:
    (tmp_path / ".claude/state").mkdir(parents=True)
    os.mkfifo(tmp_path / ".claude/state/events.jsonl")
    directory = Directory(str(tmp_path), SessionFilePaths())
    assert directory.last_seq(ONE) is None
    with pytest.raises(OSError, match="a FIFO is in the place of the file"):
        directory.append([event(1)])


def test_a_directory_writable_by_other_users_gets_no_files(tmp_path: Path) -> None:
    (tmp_path / ".agent").mkdir()
    assert Directory(str(tmp_path), SessionFilePaths()).is_ours()
    tmp_path.chmod(0o777)
    assert not Directory(str(tmp_path), SessionFilePaths()).is_ours()
    assert not Directory("/", SessionFilePaths()).is_ours()
    assert not Directory(str(tmp_path / "nothing"), SessionFilePaths()).is_ours()


def test_a_link_instead_of_the_events_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / ".claude/state").mkdir(parents=True)
    (tmp_path / ".claude/state/events.jsonl").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError, match="symbolic link"):
        Directory(str(tmp_path), SessionFilePaths()).append(["{}"])
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("name", [".claude", ".claude/state", ".agent", ".agent/sessions"])
def test_a_link_instead_of_a_session_directory_is_not_followed(tmp_path: Path, name: str) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    (project / name).parent.mkdir(parents=True)
    elsewhere.mkdir()
    (project / name).symlink_to(elsewhere)
    with pytest.raises(OSError, match="Not a directory"):
        show(project, agent(1))
    assert list(elsewhere.iterdir()) == []


def test_links_in_a_checkout_do_not_redirect_session_files(tmp_path: Path) -> None:
    """A clone brings links that its user did not choose: their targets are neither written nor cut."""
    precious = tmp_path / "precious"
    precious.write_text("no newline at its end")
    drafts = [".claude/state/.agents.json.new", ".agent/sessions/.session-001.yaml.new"]
    for name in (*drafts, ".claude/state/events.jsonl"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).symlink_to(precious)
    show(tmp_path, agent(1))
    assert Directory(str(tmp_path), SessionFilePaths()).last_seq(ONE) is None
    assert precious.read_text() == "no newline at its end"
    assert [row["id"] for row in array(tmp_path)] == ["agent-001"]
    for name in (".claude/state/agents.json", ".agent/sessions/session-001.yaml"):
        assert not (tmp_path / name).is_symlink()


def test_a_failed_write_keeps_the_previous_file(tmp_path: Path) -> None:
    show(tmp_path, agent(1))
    (tmp_path / ".claude/state/.agents.json.new").mkdir()
    with pytest.raises(IsADirectoryError):
        show(tmp_path, agent(2))
    assert [row["id"] for row in array(tmp_path)] == ["agent-001"]


def test_only_the_newest_agents_of_many_are_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchd.session_files.directory.MOST", 3)
    assert list(shown(*(agent(number) for number in range(1, 6))).json) == [3, 4, 5]


def test_session_files_are_written_to_the_configured_paths(tmp_path: Path) -> None:
    directory = Directory(str(tmp_path), SessionFilePaths("a/b", "c"))
    directory.show(Session(ONE, "/x", 0.0), shown(), State(), 0.0, is_newest=True)
    assert os.path.lexists(tmp_path / "a/b/latest.yaml")
    assert (tmp_path / "c/agents.json").exists()
