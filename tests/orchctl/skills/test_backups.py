"""Backups of files."""

from __future__ import annotations

from pathlib import Path

from orchctl.skills.backups import back_up


def test_repeated_backups_keep_every_version(tmp_path: Path) -> None:
    for text in ("one", "two", "three"):
        (tmp_path / "a.md").write_text(text)
        back_up(tmp_path / "a.md")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.md.bak": "one",
        "a.md.bak2": "two",
        "a.md.bak3": "three",
    }


def test_a_backup_does_not_replace_a_broken_link(tmp_path: Path) -> None:
    (tmp_path / "a.bak").symlink_to("nowhere")
    (tmp_path / "a").write_text("x")
    assert back_up(tmp_path / "a").name == "a.bak2"
