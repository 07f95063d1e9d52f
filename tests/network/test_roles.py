"""Roles of keys: each includes what the lower roles may request."""

from __future__ import annotations

import pytest

from orchd.network.permissions import check_op
from orchd.network.roles import USER, RemoteClient
from orchd.protocol.errors import WireError
from orchd.protocol.remote_operations import ROLES


@pytest.mark.parametrize("least", ROLES)
@pytest.mark.parametrize("role", ROLES)
def test_a_role_includes_all_lower_roles(role: str, least: str) -> None:
    if ROLES.index(role) >= ROLES.index(least):
        check_op(RemoteClient("laptop", role), "something", least, for_agents=False)
        return
    with pytest.raises(WireError, match="forbidden"):
        check_op(RemoteClient("laptop", role), "something", least, for_agents=False)


def test_a_refusal_names_the_required_role() -> None:
    with pytest.raises(WireError) as refused:
        check_op(RemoteClient("laptop", USER), "pause", "admin", for_agents=False)
    message = "permission denied: `pause` needs the role admin, and the key laptop has the role user"
    assert (refused.value.code, refused.value.message) == ("forbidden", message)
