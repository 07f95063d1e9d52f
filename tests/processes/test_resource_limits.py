"""The bounds of an agent on the machine."""

from __future__ import annotations

from typing import Any

import pytest

from orchd.instance.config import Config
from orchd.processes.resource_limits import enforced_by, limits_of, requested, unheld
from orchd.protocol import specs
from orchd.protocol.errors import WireError

EVERYTHING = enforced_by(["memory_max", "cpu_max", "pids_max"])
CONFIG = Config(memory_max="1G", cpu_max="50%", pids_max=100)


def spec(**bounds: Any) -> specs.AgentSpec:
    """The spec of a request."""
    return specs.AgentSpec(command=("x",), **bounds)


def test_the_kernel_enforces_its_controllers_and_the_daemon_only_memory() -> None:
    assert enforced_by([]) == {"memory_max": "samples", "cpu_max": None, "pids_max": None}
    assert enforced_by(["pids_max"]) == {"memory_max": "samples", "cpu_max": None, "pids_max": "kernel"}


def test_a_requested_resource_limit_overrides_the_configured_limit() -> None:
    assert limits_of(spec(), Config(), EVERYTHING) == {}
    assert limits_of(spec(), CONFIG, EVERYTHING) == {"memory_max": 1 << 30, "cpu_max": 0.5, "pids_max": 100}
    assert limits_of(spec(cpu_max=2.0, pids_max=7), Config(memory_max="1M"), EVERYTHING) == {
        "memory_max": 1 << 20,
        "cpu_max": 2.0,
        "pids_max": 7,
    }


@pytest.mark.parametrize("bound", [{"cpu_max": 1.0}, {"pids_max": 9}])
def test_a_resource_limit_that_cannot_be_enforced_is_refused_by_name(bound: dict[str, Any]) -> None:
    (name,) = bound
    with pytest.raises(WireError, match=f"cannot enforce {name}: .* omit it, or run") as caught:
        limits_of(spec(**bound), Config(), enforced_by([]))
    assert caught.value.code == "cannot-bound"
    with pytest.raises(WireError, match=f"cannot enforce {name}: .* remove {name} from config.toml"):
        limits_of(spec(), Config(**{name: getattr(CONFIG, name)}), enforced_by([]))
    assert unheld(spec(**bound), EVERYTHING) is None
    assert requested(spec(**bound)) == [name]


def test_a_memory_limit_is_accepted_without_cgroup_controllers() -> None:
    assert limits_of(spec(memory_max=1 << 20), Config(), enforced_by([])) == {"memory_max": 1 << 20}
