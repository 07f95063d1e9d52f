"""The table of operations: every shape has a row, and a row is all that an operation needs."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from orchd.network.roles import ADMIN, USER, VIEWER
from orchd.protocol.errors import WireError
from orchd.protocol.operations import OPS
from orchd.server.calls import Call, Operation, Reply
from orchd.server.context import Context
from orchd.server.operations.table import OPERATIONS, row_of
from tests.support.bench import Bench

FOR_A_VIEWER = {name for name, row in OPERATIONS.items() if row.is_question and name != "keys"} | {"wait", "listen"}


def test_every_operation_has_a_row_and_no_row_lacks_its_shape() -> None:
    assert {name for name in OPERATIONS if " " not in name} == set(OPS)
    assert all(row.shape is OPS[name.split()[0]] for name, row in OPERATIONS.items())


def test_a_row_with_conditions_comes_before_the_row_of_the_same_shape_without() -> None:
    for number, (name, row) in enumerate(OPERATIONS.items()):
        later = [other for other, other_row in list(OPERATIONS.items())[number + 1 :] if other_row.shape is row.shape]
        assert later == ([name.split()[0]] if row.applies else [])


def test_a_viewer_may_read_and_nothing_else() -> None:
    assert {name for name, row in OPERATIONS.items() if row.role == VIEWER} == FOR_A_VIEWER


def test_operations_that_affect_every_agent_or_caller_require_an_admin() -> None:
    admins = {name for name, row in OPERATIONS.items() if row.role == ADMIN}
    changes = {"limit NUMBER", "budget AMOUNT", "pause", "resume", "reload", "stop", "prune"}
    assert admins == changes | {"keys", "key-authorize", "key-revoke"}
    assert not [name for name in admins if OPERATIONS[name].for_agents]


def test_cancel_pause_and_resume_of_an_agent_need_the_same_role() -> None:
    for name in ("cancel", "pause ID", "resume ID"):
        assert (OPERATIONS[name].role, OPERATIONS[name].for_agents) == (USER, True)


def test_the_replies_of_state_changing_operations_are_stored() -> None:
    # a wait may be asked again; these are done once by other means, or may be done twice
    not_stored = {"wait", "listen", "prune", "reload", "stop", "keys", "key-authorize", "key-revoke"}
    assert {name for name, row in OPERATIONS.items() if not row.is_stored and not row.is_question} == not_stored


def test_a_shape_and_a_row_define_a_new_operation(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    @dataclass(frozen=True, slots=True)
    class Double:
        """Return twice a number. Result: `{number}`."""

        number: int

    def double(context: Context, call: Call, request: Double) -> Reply:
        assert context is bench.context
        assert call.args is request
        return Reply({"number": 2 * request.number})

    monkeypatch.setitem(OPS, "double", Double)
    monkeypatch.setitem(OPERATIONS, "double", Operation(Double, USER, double, is_question=True))
    assert bench.ask("double", {"number": 21}) == {"number": 42}
    assert bench.code("double", {"number": "x"}) == "bad-request"
    agent = bench.spawn("sleep", "600")
    assert bench.code("double", {"number": 1}, pid=agent.pid) == "forbidden"


def test_an_operation_without_a_row_is_refused(bench: Bench) -> None:
    with pytest.raises(WireError, match="unknown-op"):
        bench.ask("brand-new")
    with pytest.raises(StopIteration):
        row_of(object())
