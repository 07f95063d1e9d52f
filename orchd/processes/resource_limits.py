"""Resource limits of agents: from the request, or else from the configuration, where they can be enforced."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

from orchd.core.state.agents import Spec
from orchd.instance.config import Config
from orchd.protocol import specs
from orchd.protocol.errors import WireError
from orchd.protocol.sizes import share, size

Enforcement = Mapping[str, str | None]  # by resource limit: what enforces it, None where nothing can
BOUNDS = ("memory_max", "cpu_max", "pids_max")
_FROM_CONFIG: dict[str, Callable[[Any], float]] = {"memory_max": size, "cpu_max": share, "pids_max": int}
_OTHERWISE = {"memory_max": "samples"}  # what enforces a limit that the kernel does not enforce


def enforced_by(kernels: Collection[str]) -> Enforcement:
    """Return what enforces each resource limit where the kernel enforces `kernels`."""
    return {name: "kernel" if name in kernels else _OTHERWISE.get(name) for name in BOUNDS}


def requested(spec: specs.AgentSpec | Spec) -> list[str]:
    """Return the names of the resource limits that a spec sets."""
    return [name for name in BOUNDS if getattr(spec, name) is not None]


def unheld(spec: specs.AgentSpec | Spec, held: Enforcement) -> str | None:
    """Return the refusal of the first resource limit that cannot be enforced; None without any."""
    return next((_refusal(name) for name in requested(spec) if held[name] is None), None)


def _refusal(name: str) -> str:
    controller = name.partition("_")[0]
    return f"cannot enforce {name}: the daemon has no {controller} controller of cgroup v2 for its agents"


def limits_of(spec: specs.AgentSpec, config: Config, held: Enforcement) -> dict[str, Any]:
    """Return the resource limits of an agent. Raises WireError for a requested limit that cannot be enforced."""
    if (wrong := unheld(spec, held)) is not None:
        raise WireError(
            "cannot-bound", f"{wrong}; omit it, or run `orchctl doctor` and read its section on resource limits"
        )
    defaults = {
        name: read(value) for name, read in _FROM_CONFIG.items() if (value := getattr(config, name)) is not None
    }
    for name in defaults.keys() - set(requested(spec)):
        if held[name] is None:
            way_out = f"remove {name} from config.toml, or run `orchctl doctor` and read its section on resource limits"
            raise WireError("cannot-bound", f"{_refusal(name)}; {way_out}")
    return defaults | {name: getattr(spec, name) for name in requested(spec)}
