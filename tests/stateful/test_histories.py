"""Random histories of people, agents, processes and crashes; after every step all promises hold, and all can end."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, rule, run_state_machine_as_test

from orchd.core import inputs
from orchd.core.decide import next_deadline
from orchd.core.state.agents import AgentId, Oom, Spec, Status
from orchd.core.state.runs import GroupPlan
from tests.stateful.news import stale
from tests.stateful.outside import Client, Proc
from tests.stateful.stress import stress
from tests.stateful.world import DEPTH, World, new_world

PICKS = st.integers(0, 30)
RARELY = st.sampled_from([False] * 7 + [True])
CODES = st.sampled_from([0, 0, 0, 1, 1, None])
SPEC = st.fixed_dictionaries(
    {
        "nesting": st.sampled_from([0, 0, 0, 1, 2]),
        "after": st.sampled_from([(), (), ()]) | st.lists(PICKS, max_size=2),
        "priority": st.sampled_from([0, 0, -1, 1]),
        "timeout": st.sampled_from([None, None, None, 20.0]),
        "silence": st.sampled_from([None, None, None, 5.0]),
        "retries": st.sampled_from([0, 0, 1]),
        "grace": st.sampled_from([0.0, 10.0]),
        "runner": st.sampled_from([None, None, "a", "b"]),
    }
)
SPECS = st.lists(SPEC, min_size=1, max_size=3)
Fields = dict[str, Any]
GROUPS = st.lists(
    st.fixed_dictionaries(
        {
            "max_parallel": st.sampled_from([None, None, 1, 2]),
            "is_fail_fast": st.booleans(),
            "is_required": st.sampled_from([True, True, False]),
        }
    ),
    min_size=1,
    max_size=3,
)
PART = st.fixed_dictionaries(
    {
        "group": PICKS,
        "after": st.lists(PICKS, max_size=2),
        "is_required": st.sampled_from([True, True, False]),
        "nesting": st.sampled_from([0, 0, 0, 1]),
        "retries": st.sampled_from([0, 0, 1]),
    }
)
PARTS = st.lists(PART, min_size=1, max_size=5)
PATHS = ("", "g", "g/h")


def shaped(groups: list[Fields], parts: list[Fields]) -> tuple[Any, ...]:
    """The groups `g` and `g/h` inside the whole, as far as they have members, and members that come after earlier
    nodes of their group: other members, or the group in it."""
    paths = [PATHS[part["group"] % len(groups)] for part in parts]
    members = []
    for number, (part, group) in enumerate(zip(parts, paths, strict=True)):
        known = [f"{group}/m{other}".strip("/") for other in range(number) if paths[other] == group]
        inner = f"{group}/{'gh'[len(group)]}".strip("/") if len(group) < 2 else ""
        if inner and inner in paths:  # nothing in the inner group comes after anything outside it, so there is no cycle
            known.append(inner)
        spec = Spec(("true",), f"m{number}", "/", "e", nesting=part["nesting"], retries=part["retries"])
        after = tuple(dict.fromkeys(known[pick % len(known)] for pick in part["after"] if known))
        members.append(inputs.Part(f"{group}/m{number}".strip("/"), spec, after, part["is_required"]))
    used = {"", *(path for path in paths), *("g" for path in paths if path == "g/h")}
    plans = tuple(GroupPlan(path, **fields) for path, fields in zip(PATHS, groups, strict=False) if path in used)
    return (plans, *members)


class Histories(RuleBasedStateMachine):
    """Whatever people, agents, processes and the machine may do, in any order."""

    limits: tuple[int, ...] = (1, 2, 3)  # one of these to begin with
    is_strict = True
    is_roomy = False  # a chain of agents always has room, and agents wait for their own children alone
    world: World

    @initialize(limit=PICKS, resident=PICKS, rows=SPECS)
    def begin(self, limit: int, resident: int, rows: list[Fields]) -> None:
        limit = self.limits[limit % len(self.limits)]
        room = limit + DEPTH - 1  # for a chain of agents beside a full limit
        residents = (room, 4 * limit + DEPTH) if self.is_roomy else (limit, limit + 1, limit + 2, room, 4 * limit)
        self.world = new_world(limit, residents[resident % len(residents)])
        self.world.is_roomy, self.world.state.is_strict = self.is_roomy, self.is_strict
        self.world.spawn(None, *self._specs(rows))

    def teardown(self) -> None:
        if hasattr(self, "world"):
            self.world.crash = None
            self.world.finish()

    # Whom a rule is about.

    def _ids(self) -> list[AgentId]:
        return sorted(self.world.store)

    def _procs(self) -> list[Proc]:
        return [self.world.procs[key] for key in sorted(self.world.procs)]

    def _callers(self) -> list[AgentId]:
        return sorted(agent.id for agent in self.world.state.living.values() if self.world.may_act(agent))

    def _clients(self) -> list[Client]:
        return [self.world.clients[request] for request in sorted(self.world.clients)]

    def _specs(self, rows: list[dict[str, Any]]) -> list[Spec]:
        """`after` picks one of all agents, or an earlier one of the same request."""
        specs: list[Spec] = []
        for number, fields in enumerate(rows):
            named = [AgentId(spec.name) for spec in specs]
            known = named if self.is_roomy else [*self._ids(), *named]
            after = tuple(known[pick % len(known)] for pick in fields["after"] if known)
            rest = {**fields, "after": after, **({"nesting": 0} if self.is_roomy else {})}
            specs.append(Spec(command=("true",), name=f"new-{number}", cwd="/", environment="e", **rest))
        return specs

    # Agents.

    @rule(rows=SPECS, pick=PICKS, how=st.sampled_from(["wait", "wait", "timed", "poll", "go on"]), is_any=RARELY)
    def an_agent_spawns(self, rows: list[Fields], pick: int, how: str, is_any: bool) -> None:
        if callers := self._callers():
            caller = callers[pick % len(callers)]
            self.world.spawn(caller, *self._specs(rows))
            if how in {"wait", "timed"}:
                self._wait_for_children(caller, is_any=is_any, timeout=5.0 if how == "timed" else None)
            elif how == "poll":
                self.world.pollers.add(caller)

    @rule(pick=PICKS, is_any=st.booleans(), timeout=st.sampled_from([None, None, 5.0]))
    def a_parent_waits_for_its_children(self, pick: int, is_any: bool, timeout: float | None) -> None:
        if parents := [agent_id for agent_id in self._callers() if self.world.state.children.get(agent_id)]:
            self._wait_for_children(parents[pick % len(parents)], is_any=is_any, timeout=timeout)

    def _wait_for_children(self, parent: AgentId, *, is_any: bool, timeout: float | None) -> None:
        if parent in self._callers():
            children = tuple(sorted(self.world.state.children.get(parent, ())))
            self.world.wait(parent, children, is_any=is_any, timeout=timeout)

    @rule(pick=PICKS, picks=st.lists(PICKS, max_size=3), is_any=RARELY, timeout=st.sampled_from([None, None, 0.0, 7.0]))
    def an_agent_waits_for_anybody(
        self,
        pick: int,
        picks: list[int],
        is_any: bool,
        timeout: float | None,
    ) -> None:
        if (callers := self._callers()) and not self.is_roomy:
            caller = callers[pick % len(callers)]
            ids = [agent_id for agent_id in [*self.world.state.agents, *self._ids()] if agent_id != caller] or [caller]
            targets = tuple(dict.fromkeys(ids[pick % len(ids)] for pick in picks))
            self.world.wait(caller, targets, is_any=is_any, timeout=timeout)

    @rule(pick=PICKS, is_dead=st.booleans())
    def a_client_asks_again_or_dies(self, pick: int, is_dead: bool) -> None:
        if clients := self._clients():
            client = clients[pick % len(clients)]
            proc = self.world.procs.get(client.key)
            if is_dead:
                self.world.hang_up(client)
            elif proc is None or not proc.is_frozen:
                self.world.ask_again(client)

    @rule(pick=PICKS)
    def an_agent_works_beside_its_wait(self, pick: int) -> None:
        waiting = [agent for agent in self.world.state.living.values() if agent.status is Status.WAITING]
        if blocked := [agent for agent in waiting if self.world.may_act(agent)]:
            agent = blocked[pick % len(blocked)]
            self.world.tell(inputs.WorkedWhileWaiting(agent.id, agent.attempt))

    @rule(pick=PICKS, timeout=st.sampled_from([None, 0.0, 7.0]))
    def a_request_of_a_frozen_agent_was_on_its_way(self, pick: int, timeout: float | None) -> None:
        if frozen := sorted(agent.id for agent in self.world.state.living.values() if agent.frozen is not None):
            agent = frozen[pick % len(frozen)]
            children = tuple(sorted(self.world.state.children.get(agent, ())))
            self.world.wait(agent, children, is_any=False, timeout=timeout)

    # The machine.

    @rule(free=st.sampled_from([50, 99, 100, 105, 106, 200]))
    def the_disk_is_looked_at(self, free: int) -> None:
        self.world.tell(inputs.DiskSpaceChanged(free, 100))

    # People.

    @rule(rows=SPECS, must_start=st.booleans())
    def somebody_spawns(self, rows: list[Fields], must_start: bool) -> None:
        self.world.spawn(None, *self._specs(rows), must_start=must_start)

    @rule(groups=GROUPS, parts=PARTS, pick=PICKS, is_inside=RARELY)
    def a_composition_is_run(self, groups: list[Fields], parts: list[Fields], pick: int, is_inside: bool) -> None:
        callers = self._callers()
        caller = callers[pick % len(callers)] if callers and is_inside else None
        plain = [{**part, "nesting": 0} for part in parts] if self.is_roomy else parts
        self.world.run(caller, *shaped(groups, plain))

    @rule(picks=st.lists(PICKS, min_size=1, max_size=2))
    def somebody_cancels(self, picks: list[int]) -> None:
        if ids := self._ids():
            targets = tuple(ids[pick % len(ids)] for pick in picks)
            self.world.tell(inputs.Cancel(self.world.request(), targets))

    @rule(picks=st.lists(PICKS, min_size=1, max_size=3))
    def somebody_retries(self, picks: list[int]) -> None:
        if ids := [agent_id for agent_id in self._ids() if agent_id not in self.world.completed] or self._ids():
            self.world.retry(tuple(ids[pick % len(ids)] for pick in picks))

    @rule(is_backwards=st.booleans())
    def somebody_retries_all_that_ended_badly(self, is_backwards: bool) -> None:
        store, completed = self.world.store, self.world.completed
        bad = [agent_id for agent_id in self._ids() if store[agent_id].is_over and agent_id not in completed]
        self.world.retry(tuple(bad[::-1] if is_backwards else bad))

    @rule(limit=st.integers(1, 4), resident=st.none() | st.integers(1, 7))
    def somebody_changes_the_limit(self, limit: int, resident: int | None) -> None:
        if not self.is_roomy:
            self.world.tell(inputs.SetLimit(self.world.request(), limit, resident))

    @rule(what=st.sampled_from([inputs.Pause, inputs.Resume, inputs.Resume]))
    def somebody_pauses_or_resumes(self, what: type[inputs.Pause | inputs.Resume]) -> None:
        self.world.tell(what(self.world.request()))

    # Processes.

    @rule(pick=PICKS, code=CODES, has_rest=RARELY)
    def a_process_ends(self, pick: int, code: int | None, has_rest: bool) -> None:
        if busy := [proc for proc in self._procs() if self.world.may_end(proc)]:
            self.world.exit(busy[pick % len(busy)], code, has_rest=has_rest)

    @rule(pick=PICKS, seconds=st.sampled_from([-5.0, 30.0, 900.0]), has_rest=RARELY)
    def a_service_turns_an_attempt_away(self, pick: int, seconds: float, has_rest: bool) -> None:
        if busy := [proc for proc in self._procs() if proc.is_running and self.world.can_run(proc)]:
            limited = self.world.now + seconds
            self.world.exit(busy[pick % len(busy)], 75, has_rest=has_rest, limited=limited)

    @rule(pick=PICKS, code=st.sampled_from([None, 0, 137]), whose=st.sampled_from(Oom), has_rest=RARELY)
    def the_kernel_ends_a_process_for_memory(self, pick: int, code: int | None, whose: Oom, has_rest: bool) -> None:
        if busy := [proc for proc in self._procs() if proc.is_running]:
            proc = busy[pick % len(busy)]
            proc.oom = whose
            self.world.exit(proc, code, has_rest=has_rest)

    @rule(pick=PICKS)
    def a_tree_takes_more_than_it_may(self, pick: int) -> None:
        if procs := self._procs():
            self.world.tell(inputs.OverMemory(*procs[pick % len(procs)].key))

    @rule(pick=PICKS)
    def what_was_asked_to_end_does(self, pick: int) -> None:
        if ending := [proc for proc in self._procs() if proc.asked]:
            proc = ending[pick % len(ending)]
            if proc.is_running:
                self.world.exit(proc, 143, has_rest=False)
            else:
                self.world.rest_gone(proc)

    # Time, bad news and worse.

    @rule(seconds=st.sampled_from([0.0, 0.0, 0.0, 3.0, 700.0]))
    def time_passes(self, seconds: float) -> None:
        due = next_deadline(self.world.state)
        self.world.sleep(max(0.0, (due or 0.0) - self.world.now) + seconds)

    @rule(
        what=st.sampled_from(["passing", "permanent", "silent", "loud", "before", "after", "now", "drain", "dies"]),
        pick=PICKS,
        flag=st.booleans(),
    )
    def there_is_trouble(self, what: str, pick: int, flag: bool) -> None:
        world, procs = self.world, self._procs()
        if what in {"passing", "permanent"}:
            world.failures.append(what == "passing")
        elif what in {"silent", "loud"}:
            world.quiet = 100.0 if what == "silent" else 1.0
        elif what in {"before", "after"}:
            world.crash = what
        elif what == "now":
            world.restart()
        elif what == "drain" and pick < 5:
            world.tell(inputs.Drain(world.request(), flag))
        elif what == "dies" and procs and (proc := procs[pick % len(procs)]).is_running:
            world.exit(proc, 137, has_rest=flag)

    @rule(pick=PICKS, back=st.integers(0, 2), kind=st.integers(0, 8))
    def news_comes_late_or_twice(self, pick: int, back: int, kind: int) -> None:
        ids = [*self._ids(), AgentId("agent-999")]
        agent_id = ids[pick % len(ids)]
        attempt = self.world.store[agent_id].attempt - back if agent_id in self.world.store else back
        proc = self.world.procs.get((agent_id, attempt))
        if proc is not None:
            if not proc.is_running:
                self.world.tell(inputs.Exited(*proc.key, proc.outcome, is_tree_gone=False))
            return
        self.world.tell(stale(agent_id, attempt)[kind])


class OnePlace(Histories):
    """The smallest box is where everything is in everything's way."""

    limits: tuple[int, ...] = (1,)


class Seven(Histories):
    """The limit that a new home has."""

    limits: tuple[int, ...] = (7,)


class Lenient(Histories):
    """Agents whose wait was cut short work at once, also over the limit."""

    limits: tuple[int, ...] = (1, 2)
    is_strict = False

    @rule(is_strict=st.booleans())
    def the_configuration_is_read_again(self, is_strict: bool) -> None:
        self.world.state.is_strict = is_strict
        self.world.sleep(0.0)


class Roomy(Histories):
    """No wait is refused because it could deadlock, and nothing is stuck, however agents wait for their children."""

    limits: tuple[int, ...] = (1, 2, 7)
    is_roomy = True


MACHINES = [OnePlace, Histories, Seven, Lenient, Roomy]


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("histories", MACHINES)
def test_every_promise_holds_in_every_history(histories: type[Histories]) -> None:
    run_state_machine_as_test(histories, settings=settings(max_examples=120, stateful_step_count=40))


@stress
@pytest.mark.parametrize("histories", MACHINES)
def test_every_promise_holds_in_thousands_of_histories(histories: type[Histories]) -> None:
    run_state_machine_as_test(histories, settings=settings(max_examples=10_000, stateful_step_count=60))
