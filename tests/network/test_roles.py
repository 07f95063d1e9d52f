"""Each role against each op, from the one table that the daemon goes by."""

from __future__ import annotations

import pytest

from orchd.network.permissions import check_op
from orchd.network.roles import ADMIN, LEAST, USER, VIEWER, Visitor
from orchd.protocol.errors import WireError
from orchd.protocol.operations import OPS
from orchd.protocol.remote_operations import ROLES
from orchd.server.dispatcher import CHANGES
from orchd.server.queries import QUERIES

READS = {op for op, shape in OPS.items() if shape in QUERIES} | {"wait", "listen"}


def test_every_op_has_a_decision_and_no_other_has() -> None:
    assert set(LEAST) == set(OPS)
    assert set(LEAST.values()) == set(ROLES)
    assert {*QUERIES, *CHANGES} == set(OPS.values())


def test_a_viewer_may_read_and_nothing_else() -> None:
    assert {op for op, least in LEAST.items() if least == VIEWER} == READS


def test_what_concerns_everybody_is_an_admins() -> None:
    admins = {op for op, least in LEAST.items() if least == ADMIN}
    assert admins == {"pause", "resume", "reload", "stop", "prune", "keys", "key-authorize", "key-revoke"}


@pytest.mark.parametrize("op", OPS)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_may_what_the_table_says(role: str, op: str) -> None:
    visitor = Visitor("laptop", role)
    may = ROLES.index(role) >= ROLES.index(LEAST[op])
    assert allowed(visitor, op, is_change=False) is may
    assert allowed(visitor, op, is_change=True) is (role == ADMIN)


def test_an_op_that_nobody_decided_on_is_nobodys() -> None:
    for role in ROLES:
        assert not allowed(Visitor("laptop", role), "brand-new", is_change=False)


def test_what_is_forbidden_is_said_with_the_way_out() -> None:
    with pytest.raises(WireError) as refused:
        check_op(Visitor("laptop", USER), "pause", changes_limit=False)
    said = "the key laptop has the role user: `pause` is for a key with the role admin"
    assert (refused.value.code, refused.value.message) == ("forbidden", said)


def allowed(visitor: Visitor, op: str, *, is_change: bool) -> bool:
    """Whether it gets past the door."""
    try:
        check_op(visitor, op, changes_limit=is_change)
    except WireError as error:
        return error.code != "forbidden"
    return True


def test_agents_are_paused_and_resumed_by_who_may_cancel_them() -> None:
    for op in ("pause ID", "resume ID"):
        assert allowed(Visitor("laptop", USER), op, is_change=False)
        assert not allowed(Visitor("laptop", VIEWER), op, is_change=False)
