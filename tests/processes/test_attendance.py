"""When an attempt is looked at: once soon after it began, and while it is to end."""

from __future__ import annotations

from itertools import chain

import pytest

from orchd.processes.attendance import FIRST, Attendance

A, B = "a", "b"


def times(attendance: Attendance[str], count: int) -> list[float]:
    """When the next looks are, if each is taken when it is due."""
    moments = []
    for _ in range(count):
        due = attendance.next_deadline()
        assert due is not None
        assert attendance.due(due)
        moments.append(round(due, 3))
    return moments


def test_nothing_is_looked_at_while_there_is_nothing_to_look_at() -> None:
    attendance: Attendance[str] = Attendance()
    assert attendance.next_deadline() is None
    assert attendance.due(1e9) == []


def test_an_attempt_is_looked_at_once_after_it_began() -> None:
    attendance: Attendance[str] = Attendance()
    attendance.begin(A, 10.0)
    attendance.begin(B, 10.5)
    assert attendance.next_deadline() == 10.0 + FIRST
    assert attendance.due(10.0) == []
    assert attendance.due(10.0 + FIRST) == [A]
    assert attendance.next_deadline() == 10.5 + FIRST
    assert attendance.due(20.0) == [B]
    assert attendance.next_deadline() is None


def test_an_attempt_that_ended_before_its_look_wakes_nothing() -> None:
    attendance: Attendance[str] = Attendance()
    attendance.begin(A, 10.0)
    attendance.leave(A)
    assert attendance.next_deadline() is None


def test_while_an_attempt_is_to_end_the_pauses_between_looks_grow_to_a_second() -> None:
    attendance: Attendance[str] = Attendance()
    attendance.end(A, 10.0)
    attendance.end(A, 10.05)
    assert times(attendance, 6) == [10.1, 10.3, 10.7, 11.5, 12.5, 13.5]
    assert attendance.ends_for(A, 13.5) == pytest.approx(3.5)
    attendance.leave(A)
    assert attendance.next_deadline() is None
    assert attendance.ends_for(A, 13.5) == 0.0


def test_of_many_attempts_a_few_are_looked_at_in_one_turn() -> None:
    attendance: Attendance[int] = Attendance()
    for number in range(30):
        attendance.begin(number, 0.0)
        attendance.end(number + 100, 0.0)
    turns = [attendance.due(5.0) for _ in range(4)]
    assert [len(turn) for turn in turns] == [20, 20, 20, 0]
    assert sorted(chain.from_iterable(turns)) == [*range(30), *range(100, 130)]
