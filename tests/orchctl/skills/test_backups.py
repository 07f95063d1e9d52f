"""Backups of files."""

from __future__ import annotations

from pathlib import Path

from orchctl.skills.backups import back_up


def test_nothing_is_lost_however_often(tmp_path: Path) -> None:
    for text in ("one", "two", "three"):
        (tmp_path / "a.md").write_text(text)
        back_up(tmp_path / "a.md")
    assert {path.name: path.read_text() for path in tmp_path.iterdir()} == {
        "a.md.bak": "one",
        "a.md.bak2": "two",
        "a.md.bak3": "three",
    }


def test_a_broken_link_takes_a_name_too(tmp_path: Path) -> None:
    (tmp_path / "a.bak").symlink_to("nowhere")
    (tmp_path / "a").write_text("x")
    assert back_up(tmp_path / "a").name == "a.bak2"
