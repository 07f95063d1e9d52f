"""The types are made from the schema, which tests/docs checks; here is what makes them safe to share."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from orchctl.composition import Composition, CoordinationStrategy, SubSkill


@pytest.mark.parametrize("kind", [Composition, CoordinationStrategy, SubSkill])
def test_the_types_are_frozen_and_slotted(kind: type) -> None:
    assert hasattr(kind, "__slots__")
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]


def test_sub_skills_share_no_env_and_refuse_assignment() -> None:
    assert SubSkill("a").env is not SubSkill("b").env
    with pytest.raises(FrozenInstanceError):
        SubSkill("a").role = "x"  # type: ignore[misc]
