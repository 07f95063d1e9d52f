"""The content of a disk after a power cut: all that was synced, and an arbitrary part of the rest."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from benchmarks.faults import journal
from benchmarks.faults.journal import Change, Disk


def disk_after(*changes: Change) -> Disk:
    disk = Disk()
    for change in changes:
        disk.play(change)
    return disk


def held(disk: Disk, kind: str, seed: int = 0) -> dict[str, bytes]:
    return dict(disk.state(kind, random.Random(seed)))


CREATED = Change("c", "home/a", 0, b"")
WRITTEN = Change("w", "home/a", 0, b"x" * 2000)
SYNCED = Change("s", "home/a", 0, b"")


def test_an_unsynced_file_is_not_certain_after_a_power_cut() -> None:
    disk = disk_after(CREATED, WRITTEN)
    assert held(disk, "all") == {"home/a": b"x" * 2000}
    assert held(disk, "certain") == {}


@pytest.mark.parametrize("kind", journal.KINDS)
def test_a_synced_file_survives_a_power_cut_with_its_name(kind: str) -> None:
    assert held(disk_after(CREATED, WRITTEN, SYNCED), kind)["home/a"] == b"x" * 2000


def test_a_rename_is_certain_only_after_a_sync_of_its_directory() -> None:
    renamed = Change("r", "home/a", 0, b"home/b")
    disk = disk_after(CREATED, WRITTEN, SYNCED, renamed)
    assert held(disk, "certain") == {"home/a": b"x" * 2000}
    disk.play(Change("s", "home", 0, b""))
    assert held(disk, "certain") == {"home/b": b"x" * 2000}


def test_a_file_with_two_names_has_one_content() -> None:
    disk = disk_after(CREATED, Change("l", "home/a", 0, b"home/b"), WRITTEN)
    assert held(disk, "all") == {"home/a": b"x" * 2000, "home/b": b"x" * 2000}
    disk.play(Change("u", "home/a", 0, b""))
    assert held(disk, "all") == {"home/b": b"x" * 2000}


def test_a_write_past_the_end_of_a_truncated_file_leaves_a_gap_of_zeros() -> None:
    cut = Change("t", "home/a", 3, b"")
    later = Change("w", "home/a", 5, b"yz")
    assert held(disk_after(CREATED, WRITTEN, cut, later), "all") == {"home/a": b"xxx\0\0yz"}


def test_unsynced_writes_are_kept_or_torn_in_a_partial_state() -> None:
    more = Change("w", "home/a", 2000, b"y" * 2000)
    disk = disk_after(CREATED, WRITTEN, SYNCED, more)
    sizes = {len(held(disk, "some", seed)["home/a"]) for seed in range(20)}
    assert sizes == {2000 + 512, 4000}
    assert {len(held(disk, "certain", seed)["home/a"]) for seed in range(20)} == {2000}


def test_an_unsynced_removal_is_not_certain() -> None:
    disk = disk_after(CREATED, WRITTEN, SYNCED, Change("u", "home/a", 0, b""))
    assert held(disk, "all") == {}
    assert held(disk, "certain") == {"home/a": b"x" * 2000}


def test_journal_notes_are_read_back_in_their_order(tmp_path: Path) -> None:
    path = tmp_path / "journal"
    journal.note(path, "spawned agent-001")
    journal.note(path, "ended agent-001 3")
    assert [change.path for change in journal.read(path)] == ["spawned agent-001", "ended agent-001 3"]
    assert {change.kind for change in journal.read(path)} == {"a"}
