"""maxParallel of every group and the limit hold at every instant, and nothing that may start is held back.

Members write into one file when they begin and before they end, so a count over it never exceeds what was true. A
naive model, which shares no code with the daemon, says what may start; the daemon must come to the point where nothing
more may, and only then is one let go.
"""

from __future__ import annotations

import random
from contextlib import closing
from dataclasses import dataclass, field

import pytest

from tests.conftest import until
from tests.e2e.fleet import Fleet, Gate
from tests.e2e.run_fleet import Map, RunFleet, group, lines_of
from tests.witness import Witness

SEEDS, ROUNDS, AT_ONCE = range(5), 3, 2


@dataclass
class Model:
    """A random run, and what of it has begun and ended."""

    name: str
    after: dict[str, list[str]] = field(default_factory=dict)  # of members and groups
    most: dict[str, int | None] = field(default_factory=dict)  # of groups
    begun: set[str] = field(default_factory=set)
    ended: set[str] = field(default_factory=set)

    def members(self, node: str) -> list[str]:
        """A member itself, or all that is in a group."""
        inside = [path for path in self.after if path not in self.most]
        return [path for path in inside if not node or path == node or path.startswith(f"{node}/")]

    def is_ready(self, path: str) -> bool:
        """Whether all that it and the groups around it come after is over."""
        nodes = [path[:end] for end in range(1, len(path) + 1) if end == len(path) or path[end] == "/"]
        return all(set(self.members(predecessor)) <= self.ended for node in nodes for predecessor in self.after[node])

    def busy(self, group_path: str, extra: str = "") -> int:
        """The number of nodes of a group that are at work; a nested group is one."""
        at_work = (self.begun - self.ended) | ({extra} if extra else set())
        prefix = f"{group_path}/" if group_path else ""
        return len({path[len(prefix) :].split("/")[0] for path in at_work if path.startswith(prefix)})

    def is_within(self, extra: str = "") -> bool:
        """Whether every group holds its bound, also with one member more."""
        return all(most is None or self.busy(path, extra) <= most for path, most in self.most.items())

    def may_start(self) -> list[str]:
        """The members that could begin now."""
        waits = [path for path in self.members("") if path not in self.begun]
        return [path for path in waits if self.is_ready(path) and self.is_within(path)]


def drawn(chance: random.Random, name: str) -> Model:
    """A whole with members, groups and groups in them, each after some of the earlier nodes."""
    model = Model(name, most={"": chance.choice([None, 1, 2, 3])})
    for outer in range(chance.randint(3, 5)):
        fill(chance, model, "", f"n{outer}", 2)
    return model


def fill(chance: random.Random, model: Model, around: str, name: str, levels: int) -> None:
    """One more node in `around`: a member, or a group of some."""
    path = f"{around}/{name}" if around else name
    before = [predecessor for predecessor in model.after if predecessor.rpartition("/")[0] == around]
    model.after[path] = [predecessor for predecessor in before if chance.random() < 0.3]
    if levels and chance.random() < 0.4:
        model.most[path] = chance.choice([None, 1, 1, 2])
        for inner in range(chance.randint(1, 3)):
            fill(chance, model, path, f"m{inner}", levels - 1)


class Stage:
    """Random runs at once on one fleet, every member of which stands at one gate."""

    def __init__(self, run_fleet: RunFleet, models: list[Model], limit: int) -> None:
        self.run_fleet, self.models, self.limit = run_fleet, models, limit
        self.gate: Gate = run_fleet.fleet.gate()
        self.told = run_fleet.fleet.directory / f"told-{models[0].name}"
        self.told.touch()
        self.runs = [self._begin(model) for model in models]
        self.read = 0

    def _begin(self, model: Model) -> str:
        tells = f">> {self.told}"
        members: list[Map] = [
            self.run_fleet.member(
                path,
                f"echo + {model.name} {path} {tells}; {self.gate.script}; echo - {model.name} {path} {tells}",
                after=model.after[path],
            )
            for path in model.members("")
        ]
        groups = [group(path, max_parallel=most, after=model.after.get(path, [])) for path, most in model.most.items()]
        return self.run_fleet.begin(members, groups)

    def learn(self) -> bool:
        """Read what members wrote, and count at each line. Return whether there was anything new."""
        lines = lines_of(self.told)
        for sign, name, path in lines[self.read :]:
            (model,) = (candidate for candidate in self.models if candidate.name == name)
            assert sign == "-" or (model.is_ready(path) and path not in model.begun), (path, "began too early")
            (model.begun if sign == "+" else model.ended).add(path)
            assert model.is_within(), (model, path)
            assert self.at_work() <= self.limit, self.models
        read, self.read = self.read, len(lines)
        return self.read > read

    def at_work(self) -> int:
        """The number of members that have begun and not ended."""
        return sum(len(model.begun - model.ended) for model in self.models)

    def is_full(self) -> bool:
        """Whether nothing more may start."""
        self.learn()
        return self.at_work() == self.limit or not any(model.may_start() for model in self.models)

    def plays(self) -> None:
        """Let one go whenever nothing more may start, until none is left."""
        while True:
            until(self.is_full, what=f"the start of {[model.may_start() for model in self.models]}")
            if not self.at_work():
                break
            self.gate.let()
            until(self.learn, what="somebody's end")
        for run in self.runs:
            assert self.run_fleet.ends(run)["status"] == "completed"
        self.learn()
        assert all(model.ended == set(model.members("")) for model in self.models)


@pytest.mark.slow
@pytest.mark.parametrize("seed", SEEDS)
def test_bounds_always_hold_and_no_startable_member_is_held_back(fleet: Fleet, seed: int) -> None:
    run_fleet, chance = RunFleet(fleet), random.Random(seed)
    for number in range(ROUNDS):
        limit = chance.randint(1, 5)
        fleet.client.call("limit", {"limit": limit})
        with closing(Witness(fleet.instance.directory, limit=limit, resident=28)) as witness:
            Stage(run_fleet, [drawn(chance, f"{number}.{index}") for index in range(AT_ONCE)], limit).plays()
        assert witness.violations == []


@pytest.mark.parametrize(("whole", "nested", "most"), [(2, None, 4), (None, 1, 4), (2, 1, 2), (1, 2, 2), (4, 2, 5)])
def test_a_nested_group_counts_as_one_member_and_bounds_its_own_members(
    fleet: Fleet, whole: int | None, nested: int | None, most: int
) -> None:
    paths = ["web", "web/x", "web/y", "web/z", "a", "b", "c"]
    model = Model("x", {path: [] for path in paths}, {"": whole, "web": nested})
    with closing(Witness(fleet.instance.directory, limit=7, resident=28)) as witness:
        stage = Stage(RunFleet(fleet), [model], 7)
        until(stage.is_full, what="all that may start")
        stage.plays()
        assert witness.peak_working <= most
    assert witness.violations == []
