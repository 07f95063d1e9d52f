"""The journal of a pm."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.errors import RefusedError
from orchctl.pm.journal import Journal, alone, begun, completed, entry_of, item_of, unfinished
from orchctl.pm.work_item import WorkItem

ITEM = WorkItem("bd-1", "Größe", labels=("a", "b"), after=("bd-0",), skill="s")


def test_a_reopened_journal_has_the_same_entries(tmp_path: Path) -> None:
    journal = begun(tmp_path, "beads:x")
    journal.add(**entry_of(ITEM, "bd-1"))
    journal.add(id="bd-1", state="taken")
    journal.add(id="bd-1", state="started", agent="agent-001")
    reopened = unfinished(tmp_path, "beads:x")
    assert reopened is not None
    (entry,) = reopened.of("started")
    assert reopened.entries == journal.entries
    assert item_of(entry) == ITEM
    assert entry["agent"] == "agent-001"
    assert reopened.prompt(entry) == tmp_path / ".agent/runs/pm-1/bd-1.prompt.md"
    assert reopened.result(entry) == tmp_path / ".agent/runs/pm-1/bd-1.md"


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_truncated_last_line_is_ignored(tmp_path: Path, cut: int) -> None:
    journal = begun(tmp_path, "beads:x")
    journal.add(**entry_of(ITEM, "bd-1"))
    path = journal.directory / "journal.jsonl"
    content = path.read_bytes()
    journal.add(id="bd-1", state="started", agent="agent-001")
    path.write_bytes(path.read_bytes()[: len(content) + cut])
    reopened = Journal(journal.directory)
    assert [entry["state"] for entry in reopened.entries.values()] == ["taking"]
    reopened.add(id="bd-1", state="taken")
    assert [entry["state"] for entry in Journal(journal.directory).entries.values()] == ["taken"]


def test_a_dropped_item_is_removed_from_the_entries(tmp_path: Path) -> None:
    journal = begun(tmp_path, "beads:x")
    journal.add(**entry_of(ITEM, "bd-1"))
    journal.add(id="bd-1", state="dropped")
    assert journal.entries == Journal(journal.directory).entries == {}


def test_only_an_unfinished_journal_of_the_same_list_is_resumed(tmp_path: Path) -> None:
    assert unfinished(tmp_path, "beads:x") is None
    first = begun(tmp_path, "beads:x")
    second = begun(tmp_path, "tasks:y")
    assert [journal.directory.name for journal in (first, second)] == ["pm-1", "pm-2"]
    journal = unfinished(tmp_path, "beads:x")
    assert journal is not None
    assert journal.directory == first.directory
    journal.add(finished=True)
    assert unfinished(tmp_path, "beads:x") is None
    (tmp_path / ".agent/runs/pm-old").mkdir()
    assert begun(tmp_path, "beads:x").directory.name == "pm-3"


def test_only_one_pm_runs_in_a_directory_at_a_time(tmp_path: Path) -> None:
    with alone(tmp_path / "new/runs", tmp_path), pytest.raises(RefusedError) as caught, alone(tmp_path):
        raise AssertionError("both at once")
    assert caught.value.code == "pm-running"
    with alone(tmp_path, tmp_path):
        pass


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b'{"id": "bd-1", "state": "ta\xffen"}', "the byte 0xff is not valid in a journal"),
        (b'{"id": "bd-1" "state": "taken"}', "column 15 is not JSON"),
        (b'"id": "bd-1", "state": "taken"}', "column 5 is not JSON"),
        (b"[1]", "it is not a JSON object"),
        (b'{"id": 7, "state": "taken"}', "`id` is missing or not a string"),
        (b'{"id": "bd-1", "state": "token"}', "unknown state of an item: 'token'"),
        (b'{"id": "bd-1", "state": "started"}', "the item 'bd-1' is started, but its `agent` is missing or not valid"),
        (b'{"id": "bd-9", "state": "taken"}', "the item 'bd-9' is taken, but its `item` is missing or not valid"),
        (
            b'{"id": "bd-1", "state": "over", "row": 7}',
            "the item 'bd-1' is over, but its `row` is missing or not valid",
        ),
    ],
)
def test_a_broken_line_is_reported_with_its_number_and_a_remedy(tmp_path: Path, line: bytes, message: str) -> None:
    journal = begun(tmp_path, "beads:x")
    journal.add(**entry_of(ITEM, "bd-1"))
    path = journal.directory / "journal.jsonl"
    path.write_bytes(path.read_bytes() + line + b"\n")
    journal.add(id="bd-1", state="taken")
    with pytest.raises(RefusedError) as caught:
        unfinished(tmp_path, "beads:x")
    assert caught.value.code == "broken-journal"
    assert caught.value.message.startswith(f"{path} line 3: {message}")
    assert f"move {journal.directory} elsewhere" in caught.value.message
    assert caught.value.details == {"path": str(path), "line": 3}
    path.write_bytes(path.read_bytes().replace(b"\n" + line + b"\n", b"\n"))
    reopened = unfinished(tmp_path, "beads:x")
    assert reopened is not None
    assert [entry["state"] for entry in reopened.entries.values()] == ["taken"]


def test_a_broken_journal_blocks_only_its_own_list_until_finished(tmp_path: Path) -> None:
    journal = begun(tmp_path, "beads:x")
    path = journal.directory / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b"\xff\n")
    assert unfinished(tmp_path, "beads:y") is None
    with pytest.raises(RefusedError):
        unfinished(tmp_path, "beads:x")
    journal.add(finished=True)
    assert unfinished(tmp_path, "beads:x") is None


def test_a_journal_with_an_unknown_list_blocks_every_list(tmp_path: Path) -> None:
    journal = begun(tmp_path, "beads:x")
    (journal.directory / "journal.jsonl").write_bytes(b"\xff\n")
    with pytest.raises(RefusedError) as caught:
        unfinished(tmp_path, "beads:y")
    assert " line 1: " in caught.value.message


def test_trailing_null_bytes_after_a_power_cut_are_ignored(tmp_path: Path) -> None:
    journal = begun(tmp_path, "beads:x")
    journal.add(**entry_of(ITEM, "bd-1"))
    path = journal.directory / "journal.jsonl"
    path.write_bytes(path.read_bytes() + b'{"id": "bd-1", "st' + bytes(100))
    reopened = unfinished(tmp_path, "beads:x")
    assert reopened is not None
    reopened.add(id="bd-1", state="taken")
    assert [entry["state"] for entry in Journal(journal.directory).entries.values()] == ["taken"]


def test_a_list_is_identified_through_symlinks(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real/plan.md").touch()
    (tmp_path / "link").symlink_to("real")
    journal = begun(tmp_path, f"tasks:{tmp_path}/link/plan.md")
    reopened = unfinished(tmp_path, f"tasks:{tmp_path}/real/plan.md")
    assert reopened is not None
    assert reopened.directory == journal.directory
    assert unfinished(tmp_path, f"beads:{tmp_path}/real/plan.md") is None


def test_a_file_is_locked_through_hard_links_and_symlinks(tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    plan, hard, soft = tmp_path / "one/plan.md", tmp_path / "hard.md", tmp_path / "soft.md"
    plan.touch()
    hard.hardlink_to(plan)
    soft.symlink_to(plan)
    for name in (hard, soft):
        with alone(plan), pytest.raises(RefusedError) as caught, alone(name):
            raise AssertionError("both at once")
        assert caught.value.message.startswith(f"another orchctl pm runs on {name}: ")


def test_agents_of_completed_items_are_read_from_all_journals_of_a_list(tmp_path: Path) -> None:
    for source, task_id, agent, status in (
        ("tasks:/x", "a", "agent-001", "completed"),
        ("tasks:/x", "b", "agent-002", "failed"),
        ("tasks:/y", "c", "agent-003", "completed"),
        ("tasks:/x", "a", "agent-004", "completed"),
    ):
        journal = begun(tmp_path, source)
        journal.add(**entry_of(WorkItem(task_id, task_id), task_id))
        journal.add(id=task_id, state="over", row={"id": task_id, "agent": agent, "status": status})
        journal.add(finished=True)
    assert completed(journal) == {"a": "agent-004"}
