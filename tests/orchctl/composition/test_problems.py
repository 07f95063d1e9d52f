"""Problems, and the exception that carries them."""

from __future__ import annotations

from dataclasses import replace

from orchctl.composition import CompositionError, Problem

BAD = Problem("too-small", "$.maxParallel", 0, "maxParallel is 0", "make it 1 or more")


def test_a_problem_prints_its_path_message_and_way_out() -> None:
    assert str(BAD) == "$.maxParallel: maxParallel is 0; make it 1 or more"
    assert str(replace(BAD, file="a.json")) == "a.json: $.maxParallel: maxParallel is 0; make it 1 or more"


def test_the_exception_prints_and_keeps_every_problem() -> None:
    error = CompositionError([BAD, BAD])
    assert error.problems == (BAD, BAD)
    assert str(error) == f"{BAD}\n{BAD}"
