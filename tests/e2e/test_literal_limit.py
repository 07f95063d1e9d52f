"""Never can more agents run than the limit says, however they leave their waits: counted from outside, by the kernel's
states of processes."""

from __future__ import annotations

from contextlib import closing

import pytest

from tests.e2e.fleet import Fleet
from tests.e2e.parents import KINDS, Parents, pinging
from tests.e2e.ways import BY_CGROUP
from tests.runnable import Runnable

WAYS = (BY_CGROUP, "off")
MIXED = ("timeouts", "killed", "background", "timeouts", "killed")


def tell(
    fleet: Fleet,
    way: str,
    limit: int,
    kinds: tuple[str, ...],
    *,
    enforcement: str = "strict",
    deaths: tuple[int, ...] = (),
    family: bool = False,
) -> tuple[Runnable, Parents]:
    """The witness and the parents, when all of them have ended."""
    fleet.instance.configure(f'cgroups = "{way}"\nlimit = {limit}\nresident = 64\nenforcement = "{enforcement}"\n')
    fleet.instance.start()
    with closing(Runnable(fleet.instance.directory, pinging(fleet), limit=limit)) as witness:
        parents = Parents(fleet, witness, kinds, family=family)
        spins = 8 if enforcement == "strict" else 80
        parents.go_on(kills="killed" in kinds, deaths=deaths, spins=spins)
    parents.check()
    return witness, parents


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limit", [1, 2, 7])
def test_no_more_than_the_limit_can_run_however_they_wait_and_whoever_dies(
    resting: Fleet, way: str, limit: int
) -> None:
    witness, parents = tell(resting, way, limit, MIXED * (2 if limit == 7 else 1), family=True, deaths=(10, 25))
    assert witness.violations == []
    assert witness.peak >= limit
    assert parents.kills > 0


@pytest.mark.slow
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", KINDS)
def test_five_parents_at_limit_one(resting: Fleet, kind: str, way: str) -> None:
    witness, parents = tell(resting, way, 1, (kind,) * 5)
    assert witness.violations == []
    assert parents.noted() <= {"timeouts": {75}, "killed": {137}, "background": {0}}[kind]
    if kind == "timeouts":
        assert parents.noted() == {75}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_witness_sees_the_excess_that_a_lenient_daemon_allows(resting: Fleet, kind: str) -> None:
    witness, _ = tell(resting, "auto", 1, (kind,) * 5, enforcement="lenient")
    assert witness.peak >= 4
    if kind != "background":  # that is known only after a while
        assert witness.violations


@pytest.mark.stress
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limit", [1, 2, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_no_more_than_the_limit_can_run_at_any_limit(resting: Fleet, kind: str, limit: int, way: str) -> None:
    witness, _ = tell(resting, way, limit, (kind,) * (5 if limit < 7 else 14), family=True, deaths=(5, 17, 29))
    assert witness.violations == []
