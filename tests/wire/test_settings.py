"""What of `config.toml` only clients go by."""

from __future__ import annotations

import pytest

from orchd.wire.settings import ProjectManagement
from orchd.wire.shapes import ShapeError, build


def test_labels_stand_for_skills() -> None:
    assert build(ProjectManagement, {}).labels == {}
    assert build(ProjectManagement, {"labels": {"backend": "mine"}}).labels == {"backend": "mine"}


def test_a_label_stands_for_one_skill() -> None:
    with pytest.raises(ShapeError, match=r"pm\.labels must map strings to strings"):
        build(ProjectManagement, {"labels": {"backend": ["one", "two"]}}, "pm")
