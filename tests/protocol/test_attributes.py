"""The attributes of a caller's process in a request."""

from __future__ import annotations

from typing import Any

import pytest

from orchctl.spawn.attributes import own
from orchd.protocol.attributes import LIMITS, SentAttributes, parse_cpus
from orchd.protocol.schema import ShapeError, parse


def test_lists_of_cpus_are_read_as_the_kernel_writes_them() -> None:
    assert parse_cpus("0-3,8") == {0, 1, 2, 3, 8}
    assert parse_cpus("5") == {5}


@pytest.mark.parametrize("text", ["", "x", "3-1", "1,", "-1", "99999", "0-99999", "1-2-3", " 1"])
def test_an_invalid_cpu_list_is_refused(text: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - whatever it says
        parse_cpus(text)


@pytest.mark.parametrize(
    "wrong",
    [
        {"umask": -1},
        {"umask": 0o1000},
        {"nice": 20},
        {"policy": "fifo"},
        {"cpus": "all"},
        {"limits": {"files": [1, 1]}},
        {"limits": {"nofile": [1]}},
        {"limits": {"nofile": [2, 1]}},
        {"limits": {"nofile": [-1, 1]}},
        {"limits": {"nofile": [-2, -2]}},
        {"other": 1},
    ],
)
def test_attributes_that_no_process_can_have_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ShapeError):
        parse(SentAttributes, wrong)


def test_every_attribute_is_optional() -> None:
    assert parse(SentAttributes, {}) == SentAttributes()


def test_attributes_of_the_current_process_are_accepted_with_every_limit() -> None:
    attributes = parse(SentAttributes, own())
    assert set(attributes.limits) == set(LIMITS)
    assert None not in (attributes.umask, attributes.nice, attributes.policy, attributes.cpus)
