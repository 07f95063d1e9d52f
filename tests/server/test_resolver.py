"""The agents that a request means."""

from __future__ import annotations

import pytest

from orchd.core.state.agents import RequestId
from orchd.network.peers import Outside
from orchd.protocol import operations
from orchd.protocol.errors import WireError
from orchd.protocol.schema import parse
from orchd.server import resolver
from orchd.store.codec import pack_agent, pack_spec
from tests.support.bench import Bench

ONE = RequestId("r")


def test_duplicate_ids_in_a_cancel_resolve_to_one_agent(bench: Bench) -> None:
    agent = bench.spawn("sleep", "600")
    ids = parse(operations.Cancel, {"ids": ["1", "agent-1", "agent-001"]})
    assert bench.run(Outside.OWNER, ids).ids == (agent.id,)


def test_an_agents_children_belong_to_its_current_attempt(bench: Bench) -> None:
    parent, child, older = bench.spawn("sleep", "600"), bench.spawn("sleep", "600"), bench.spawn("sleep", "600")
    for agent, attempt in ((child, 1), (older, 0)):
        agent.ancestors, agent.parent_attempt = (parent.id,), attempt
    bench.store._db.execute("DELETE FROM agents WHERE number > 1")
    for agent in (child, older):
        bench.store._db.execute(
            "INSERT INTO agents SELECT ?, 1, 1, NULL, NULL, NULL, 0, ?, ?", (agent.number, *_packed(agent))
        )
    children = parse(operations.Wait, {"scope": "children"})
    assert bench.context.resolver.targets(parent.id, children) == (child.id,)
    assert bench.context.resolver.targets(parent.id, parse(operations.Wait, {"scope": "all"})) == (child.id, older.id)


def _packed(agent: object) -> tuple[bytes, bytes]:
    return pack_spec(agent), pack_agent(agent)  # type: ignore[arg-type]


def test_an_agent_sees_its_own_tree_and_no_other(bench: Bench) -> None:
    first, other = bench.spawn("sleep", "600"), bench.spawn("sleep", "600")
    assert [agent.id for agent in bench.context.resolver.seen(first.id, (first.id,))] == [first.id]
    with pytest.raises(WireError, match="forbidden|not in"):
        bench.context.resolver.seen(first.id, (other.id,))
    assert [agent.id for agent in bench.context.resolver.seen(Outside.OWNER, ("1", "2"))] == [first.id, other.id]


def test_a_cancel_of_too_many_agents_is_refused(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(resolver, "MOST", 2)
    bench.ask("pause")
    bench.ask("spawn", {"agents": [{"command": ["true"]}] * 3, "cwd": "/"})
    with pytest.raises(WireError, match="these ids mean 3 agents, but a request may have at most 2") as caught:
        bench.ask("cancel", {"ids": ["1", "2", "3"]})
    assert caught.value.code == "too-large"
    assert bench.ask("status", {"ids": ["1", "2", "3"], "most": 0})["counts"] == {"queued": 3}
