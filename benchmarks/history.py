"""A home with a long history, written by the product's own core and store, without the processes."""

from __future__ import annotations

from orchd.core import inputs
from orchd.core.decide import decide
from orchd.core.state.agents import Instant, Outcome, RequestId, Spec
from orchd.core.state.indexes import forget
from orchd.core.state.state import State
from orchd.core.turn import Turn
from orchd.instance.home import Home
from orchd.store.database import Store

BATCH = 100  # what lives is looked through at each step: more at once takes longer


NOW = Instant(0.0, 1_700_000_000.0)


def write(home: Home, count: int) -> None:
    """Write `count` agents that completed; afterwards the limit is as in a new home."""
    home.create()
    store = Store(home.database)
    state = State()
    store.restore(state, NOW)
    usual = state.limit, state.resident
    state.limit = state.resident = BATCH
    for first in range(0, count, BATCH):
        _batch(state, store, min(BATCH, count - first))
    turn = Turn(state, NOW)
    decide(turn, inputs.SetLimit(RequestId("r"), *usual))
    store.commit(state, NOW.wall, turn.events)
    store.close()


def _batch(state: State, store: Store, count: int) -> None:
    turn = Turn(state, NOW)
    specs = tuple(
        Spec(("/bin/true",), "true", "/", "0" * 32, goal="a goal of some forty characters or so") for _ in range(count)
    )
    decide(turn, inputs.SpawnAgents(RequestId("r"), None, specs))
    while turn.questions:
        question = turn.questions.pop(0)
        decide(turn, inputs.Spawned(question.agent, question.attempt, 2**22 + 1, None))
    for agent in list(state.living.values()):
        decide(turn, inputs.Exited(agent.id, 1, Outcome(0, 0.1, 1 << 20), is_tree_gone=True))
    store.commit(state, turn.at.wall, turn.events)
    forget(state, list(state.agents))
