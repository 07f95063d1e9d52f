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
    deaths: tuple[int, ...] = (),
    family: bool = False,
) -> tuple[Runnable, Parents]:
    """The witness and the parents, when all of them have ended."""
    fleet.instance.configure(f'cgroups = "{way}"\nlimit = {limit}\nresident = 64\n')
    fleet.instance.start()
    with closing(Runnable(fleet.instance.directory, pinging(fleet), limit=limit)) as witness:
        parents = Parents(fleet, witness, kinds, family=family)
        parents.go_on(kills="killed" in kinds, deaths=deaths)
    parents.check()
    return witness, parents


@pytest.mark.slow
@pytest.mark.parametrize(
    ("limit", "way", "family"),
    [(1, "off", True), pytest.param(2, *BY_CGROUP.values, False, marks=BY_CGROUP.marks), (7, "off", False)],
)
def test_no_more_than_the_limit_can_run_however_they_wait_and_whoever_dies(
    resting: Fleet, limit: int, way: str, *, family: bool
) -> None:
    kinds = MIXED + ("timeouts", "killed") * 2 * (limit == 7)
    witness, parents = tell(resting, way, limit, kinds, family=family, deaths=(10, 25))
    assert witness.violations == []
    assert witness.peak >= limit
    assert parents.kills > 0


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "code"), [("timeouts", 75), ("killed", 137), ("background", 0)])
def test_five_parents_at_limit_one(resting: Fleet, kind: str, code: int) -> None:
    witness, parents = tell(resting, "auto", 1, (kind,) * 5)
    assert witness.violations == []
    assert parents.noted() == {code}


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS)
def test_the_witness_sees_the_excess_that_a_lenient_daemon_allows(resting: Fleet, kind: str) -> None:
    resting.instance.configure('limit = 1\nresident = 64\nenforcement = "lenient"\n')
    resting.instance.start()
    with closing(Runnable(resting.instance.directory, pinging(resting), limit=1)) as witness:
        parents = Parents(resting, witness, (kind,) * 5, family=False)
        parents.go_on(kills=kind == "killed", is_enough=lambda: witness.peak >= 3 and bool(witness.violations))


@pytest.mark.stress
@pytest.mark.timeout(300)
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("limit", [1, 2, 7])
@pytest.mark.parametrize("kind", KINDS)
def test_no_more_than_the_limit_can_run_at_any_limit(resting: Fleet, kind: str, limit: int, way: str) -> None:
    witness, _ = tell(resting, way, limit, (kind,) * (5 if limit < 7 else 14), family=True, deaths=(5, 17, 29))
    assert witness.violations == []
