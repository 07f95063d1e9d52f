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


def test_attendance_without_attempts_has_no_deadline() -> None:
    attendance: Attendance[str] = Attendance()
    assert attendance.next_deadline() is None
    assert attendance.due(1e9) == []


def test_an_attempt_is_checked_once_after_its_start() -> None:
    attendance: Attendance[str] = Attendance()
    attendance.begin(A, 10.0)
    attendance.begin(B, 10.5)
    assert attendance.next_deadline() == 10.0 + FIRST
    assert attendance.due(10.0) == []
    assert attendance.due(10.0 + FIRST) == [A]
    assert attendance.next_deadline() == 10.5 + FIRST
    assert attendance.due(20.0) == [B]
    assert attendance.next_deadline() is None


def test_an_attempt_that_ended_before_its_check_leaves_no_deadline() -> None:
    attendance: Attendance[str] = Attendance()
    attendance.begin(A, 10.0)
    attendance.leave(A)
    assert attendance.next_deadline() is None


def test_checks_of_a_stopping_attempt_slow_down_to_once_a_second() -> None:
    attendance: Attendance[str] = Attendance()
    attendance.end(A, 10.0)
    attendance.end(A, 10.05)
    assert times(attendance, 6) == [10.1, 10.3, 10.7, 11.5, 12.5, 13.5]
    assert attendance.ends_for(A, 13.5) == pytest.approx(3.5)
    attendance.leave(A)
    assert attendance.next_deadline() is None
    assert attendance.ends_for(A, 13.5) == 0.0


def test_only_a_few_of_many_due_attempts_are_checked_per_turn() -> None:
    attendance: Attendance[int] = Attendance()
    for number in range(30):
        attendance.begin(number, 0.0)
        attendance.end(number + 100, 0.0)
    turns = [attendance.due(5.0) for _ in range(4)]
    assert [len(turn) for turn in turns] == [20, 20, 20, 0]
    assert sorted(chain.from_iterable(turns)) == [*range(30), *range(100, 130)]
