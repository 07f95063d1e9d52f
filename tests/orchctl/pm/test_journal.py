"""What a pm remembers."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.errors import RefusedError
from orchctl.pm.items import Item
from orchctl.pm.journal import Journal, alone, begun, entry_of, item_of, unfinished

ITEM = Item("bd-1", "Größe", labels=("a", "b"), after=("bd-0",), skill="s")


def test_it_says_the_same_to_the_next_one(tmp_path: Path) -> None:
    journal = begun(tmp_path, "beads:x")
    journal.add(**entry_of(ITEM, "bd-1"))
    journal.add(id="bd-1", state="taken")
    journal.add(id="bd-1", state="started", agent="agent-001")
    found = unfinished(tmp_path, "beads:x")
    assert found is not None
    (entry,) = found.of("started")
    assert found.entries == journal.entries
    assert item_of(entry) == ITEM
    assert entry["agent"] == "agent-001"
    assert found.prompt(entry) == tmp_path / ".agent/runs/pm-1/bd-1.prompt.md"
    assert found.result(entry) == tmp_path / ".agent/runs/pm-1/bd-1.md"


@pytest.mark.parametrize("cut", range(1, 40))
def test_a_line_that_a_death_cut_off_is_as_if_never_written(tmp_path: Path, cut: int) -> None:
    journal = begun(tmp_path, "beads:x")
    journal.add(**entry_of(ITEM, "bd-1"))
    path = journal.directory / "journal.jsonl"
    whole = path.read_bytes()
    journal.add(id="bd-1", state="started", agent="agent-001")
    path.write_bytes(path.read_bytes()[: len(whole) + cut])
    again = Journal(journal.directory)
    assert [entry["state"] for entry in again.entries.values()] == ["taking"]
    again.add(id="bd-1", state="taken")
    assert [entry["state"] for entry in Journal(journal.directory).entries.values()] == ["taken"]


def test_what_was_dropped_is_forgotten(tmp_path: Path) -> None:
    journal = begun(tmp_path, "beads:x")
    journal.add(**entry_of(ITEM, "bd-1"))
    journal.add(id="bd-1", state="dropped")
    assert journal.entries == Journal(journal.directory).entries == {}


def test_only_the_last_of_the_same_list_is_gone_on_with(tmp_path: Path) -> None:
    assert unfinished(tmp_path, "beads:x") is None
    first = begun(tmp_path, "beads:x")
    other = begun(tmp_path, "tasks:y")
    assert [one.directory.name for one in (first, other)] == ["pm-1", "pm-2"]
    found = unfinished(tmp_path, "beads:x")
    assert found is not None
    assert found.directory == first.directory
    found.add(finished=True)
    assert unfinished(tmp_path, "beads:x") is None
    (tmp_path / ".agent/runs/pm-old").mkdir()
    assert begun(tmp_path, "beads:x").directory.name == "pm-3"


def test_one_at_a_time_works_in_a_place(tmp_path: Path) -> None:
    with alone(tmp_path / "new/runs", tmp_path), pytest.raises(RefusedError) as caught, alone(tmp_path):
        raise AssertionError("both at once")
    assert caught.value.code == "pm-running"
    with alone(tmp_path, tmp_path):
        pass
