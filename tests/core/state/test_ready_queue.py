"""The ready queue: who is before whom, and what only time makes ready."""

from __future__ import annotations

from random import Random

from hypothesis import given
from hypothesis import strategies as st

from orchd.core.state.ready_queue import AGING_SECONDS, Queue, QueueKey, SortKey, ticket

TICKETS = st.builds(
    ticket,
    priority=st.integers(-2, 2),
    age=st.floats(0, 5 * AGING_SECONDS),
    depth=st.integers(0, 3),
    number=st.integers(1, 50),
)


def made(number: int = 1, *, priority: int = 0, age: float = 0.0, depth: int = 0) -> SortKey:
    """A ticket of which only some things matter."""
    return ticket(priority=priority, age=age, depth=depth, number=number)


def test_tickets_sort_by_priority_then_depth_then_arrival() -> None:
    plain, older, deep, urgent = made(2), made(1), made(3, depth=1), made(4, priority=1)
    assert sorted([plain, older, deep, urgent]) == [urgent, deep, older, plain]


def test_a_minute_of_waiting_does_not_change_the_order() -> None:
    assert made(1, age=0.0) < made(2, age=60.0)
    assert made(1, age=60.0) < made(2, age=0.0)


def test_long_waiting_outranks_a_step_of_priority() -> None:
    waited, urgent = made(1, age=0.0), made(2, age=2 * AGING_SECONDS, priority=1)
    assert waited < urgent
    assert made(2, age=0.0, priority=1) < made(1, age=0.0)


def test_heads_returns_the_first_ticket_of_each_line_in_order() -> None:
    queue = Queue()
    for number, claim in ((3, 0), (1, 2), (2, 0), (4, 2)):
        queue.add(made(number), QueueKey(claim))
    assert queue.heads() == [(made(1), QueueKey(2)), (made(2), QueueKey(0))]
    assert list(queue.tickets(QueueKey(2))) == [made(1), made(4)]
    assert list(queue.tickets(QueueKey(7))) == []


def test_a_delayed_ticket_joins_its_line_only_when_due() -> None:
    queue = Queue()
    queue.delay(made(2), QueueKey(1), 20.0)
    queue.delay(made(1), QueueKey(0), 10.0)
    assert (queue.heads(), queue.next_due(), len(queue)) == ([], 10.0, 2)
    assert not queue.due(9.9)
    queue.ripen(10.0)
    assert (queue.heads(), queue.next_due(), len(queue)) == ([(made(1), QueueKey(0))], 20.0, 2)
    queue.ripen(30.0)
    assert queue.next_due() is None
    assert len(queue.heads()) == 2


def test_discard_removes_ready_and_delayed_tickets() -> None:
    queue = Queue()
    queue.add(made(1), QueueKey(0))
    queue.delay(made(2), QueueKey(0), 10.0)
    queue.delay(made(3), QueueKey(0), 10.0)
    queue.ripen(10.0)
    queue.delay(made(4), QueueKey(0), 20.0)
    queue.discard(made(1), QueueKey(0), None)
    queue.discard(made(2), QueueKey(0), 10.0)
    queue.discard(made(4), QueueKey(0), 20.0)
    assert list(queue.entries()) == [(made(3), QueueKey(0))]
    queue.discard(made(3), QueueKey(0), 10.0)
    assert (list(queue.entries()), len(queue), queue.heads()) == ([], 0, [])


def test_discarding_an_absent_ticket_changes_nothing() -> None:
    queue = Queue()
    queue.add(made(1), QueueKey(0))
    queue.discard(made(2), QueueKey(0), 10.0)
    queue.discard(made(1), QueueKey(5), None)
    assert list(queue.entries()) == [(made(1), QueueKey(0))]


def test_a_position_counts_the_tickets_of_all_lines() -> None:
    queue = Queue()
    for number, claim in ((1, 0), (2, 1), (3, 0)):
        queue.add(made(number), QueueKey(claim))
    assert [queue.position(made(number)) for number in (1, 2, 3, 4)] == [1, 2, 3, 4]


def test_first_of_returns_the_best_wanted_ticket_of_a_line() -> None:
    queue = Queue()
    for number, claim in ((1, 1), (2, 0), (3, 0), (4, 0)):
        queue.add(made(number), QueueKey(claim))
    queue.delay(made(5), QueueKey(0), 10.0)
    assert (queue.length(QueueKey(0)), queue.length(QueueKey(7))) == (3, 0)
    assert queue.first_of(QueueKey(0), [made(6), made(5), made(4), made(3), made(1)]) == made(3)
    assert queue.first_of(QueueKey(0), [made(1)]) is None
    assert queue.first_of(QueueKey(7), [made(1)]) is None


@given(st.lists(st.tuples(TICKETS, st.integers(0, 2), st.none() | st.floats(0, 100)), unique_by=lambda row: row[0]))
def test_no_ticket_is_lost_or_duplicated(entries: list[tuple[SortKey, int, float | None]]) -> None:
    queue = Queue()
    for entry, claim, until in entries:
        if until is None:
            queue.add(entry, QueueKey(claim))
        else:
            queue.delay(entry, QueueKey(claim), until)
    assert sorted(queue.entries()) == sorted((entry, QueueKey(claim)) for entry, claim, _ in entries)
    queue.ripen(50.0)
    waiting = {entry for entry, _, until in entries if until is not None and until > 50.0}
    standing = [entry for claim in range(3) for entry in queue.tickets(QueueKey(claim))]
    assert sorted(standing) == sorted(entry for entry, _, _ in entries if entry not in waiting)
    for entry, claim, until in entries:
        queue.discard(entry, QueueKey(claim), until)
    assert len(queue) == 0


def test_heads_stay_correct_after_random_adds_and_discards() -> None:
    dice, queue, there = Random(1), Queue(), list[tuple[SortKey, QueueKey]]()
    for number in range(1, 400):
        if there and dice.random() < 0.45:
            entry, line = there.pop(dice.randrange(len(there)))
            queue.discard(entry, line, None)
        else:
            there.append((made(number, priority=dice.randint(-2, 2)), QueueKey(dice.randint(0, 4))))
            queue.add(*there[-1])
        firsts = [min((pair for pair in there if pair[1] == line), default=None) for line in map(QueueKey, range(5))]
        assert list(queue.heads()) == sorted(ticket for ticket in firsts if ticket is not None)


def test_in_order_yields_the_ready_tickets_of_all_lines_best_first() -> None:
    queue = Queue()
    for number, claim in ((3, 0), (1, 2), (2, 0), (4, 2)):
        queue.add(made(number), QueueKey(claim))
    queue.delay(made(5, priority=9), QueueKey(0), 10.0)
    assert list(queue.in_order()) == [made(number) for number in (1, 2, 3, 4)]
