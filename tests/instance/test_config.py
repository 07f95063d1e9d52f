"""The keys of `config.toml` that only clients use."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchd.instance.config import Config, ProjectManagement, SettingsError, changed, default, read
from orchd.protocol.schema import ShapeError, parse


def test_labels_map_to_skills() -> None:
    assert parse(ProjectManagement, {}).labels == {}
    assert parse(ProjectManagement, {"labels": {"backend": "mine"}}).labels == {"backend": "mine"}


def test_a_label_that_maps_to_a_list_is_refused() -> None:
    with pytest.raises(ShapeError, match=r"pm\.labels must map strings to strings"):
        parse(ProjectManagement, {"labels": {"backend": ["one", "two"]}}, "pm")


def test_configuration_problems_are_listed_by_key(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("limt = 1\ngrace = -1\n")
    with pytest.raises(SettingsError) as caught:
        read(tmp_path / "config.toml")
    assert [problem.key for problem in caught.value.problems] == ["limt", "grace"]
    assert read(tmp_path / "none.toml") == Config()


def test_changed_lists_the_keys_that_differ() -> None:
    assert changed(Config(), Config(depth=1, limit=2)) == ["limit", "depth"]
    assert (default("limit"), default("runners"), default("pm")) == (7, {}, ProjectManagement())
