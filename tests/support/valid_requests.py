"""Valid requests of every op, generated from the shapes themselves, and the same with one field replaced."""

from __future__ import annotations

import dataclasses
import types
import typing
from typing import Annotated, Any, Union, get_args, get_origin

from hypothesis import strategies as st

from orchd.protocol.operations import OPS

# Values that fit each kind of field, by its path in the shape; whatever is not named follows from its type.
FITTING: dict[str, st.SearchStrategy[Any]] = {
    "command": st.lists(st.sampled_from(["true", "-x", "a b", "\udcff"]), max_size=2).map(lambda rest: ["true", *rest]),
    "path": st.sampled_from(["a", "b", "g", "g/a"]),
    "on_failure": st.sampled_from(["fail-fast", "continue"]),
    "results": st.just("/tmp/results"),
    "variables": st.dictionaries(st.sampled_from(["A", "B"]), st.sampled_from(["", "x"])),
    "agents": st.nothing(),  # a list of AgentSpec in `spawn`, a word in `stop`
    "cwd": st.sampled_from(["/", "/tmp", "/nowhere"]),
    "stdin": st.sampled_from(["/dev/null", "/nowhere"]),
    "input": st.none(),  # instead of `stdin`
    "output_dir": st.just("/dev/null/nowhere"),
    "runner": st.none(),
    "project": st.sampled_from(["/", "/tmp"]),
    "max_cost": st.sampled_from([0.5, 7]),
    "result": st.just("/tmp/result.md"),
    "worktree": st.just(value=False),
    "base": st.sampled_from(["0" * 40, "0123456789abcdef" * 4]),
    "env": st.dictionaries(st.sampled_from(["A", "B", "PATH"]), st.sampled_from(["", "x", "/bin:/usr/bin", "\udcff"])),
    "scope": st.sampled_from(["ids", "all", "children"]),
    "priority": st.integers(-100, 100),
    "retries": st.just(0),
    "limit": st.integers(1, 9),
    "resident": st.integers(9, 40),
    "count": st.integers(1, 1000),
    "attempt": st.integers(1, 3),
    "before": st.integers(-1, 2**63 - 1),
    "since": st.integers(0, 2**63 - 1),
    "nesting": st.integers(0, 5),
    "timeout": st.sampled_from([0.05, 1, 1e9, 1e308]),
    "silence": st.sampled_from([1, 1e9, 1e308]),
    "grace": st.sampled_from([0, 0.1]),
    "key": st.sampled_from(["laptop", "phone"]),
    "public": st.sampled_from(["0" * 64, "a1" * 32]),
    "role": st.sampled_from(["viewer", "user", "admin"]),
    "offset": st.integers(-5, 5),
    "skip": st.integers(0, 5),
    "memory_max": st.sampled_from([1 << 20, 2**63 - 1]),
    "cpu_max": st.sampled_from([0.01, 1, 10_000]),
    "pids_max": st.sampled_from([4, 2**63 - 1]),
    "umask": st.sampled_from([0, 0o777]),
    "nice": st.sampled_from([-20, 19]),
    "policy": st.sampled_from(["other", "batch", "idle"]),
    "cpus": st.sampled_from(["0", "0-3,8", "8191"]),
    "limits": st.dictionaries(
        st.sampled_from(["nofile", "core"]), st.sampled_from([[9, 99], [-1, -1], [5, 2**63 - 1]])
    ),
}
NAMES = st.sampled_from(["agent-001", "1", "agent-1", "agent-999", "x", "\udcff", "000000000000001"])
ANYTHING = st.recursive(
    st.none()
    | st.booleans()
    | st.sampled_from([0, -1, 1, 7, 2**31, 2**63 - 1, 2**63, 2**64 - 1, -(2**63)])
    | st.floats()
    | st.sampled_from(["", "\0", "x", "agent-001", "x" * 70, "y" * 5000, "\udcff", "/", "../..", "all", "stop", "="])
    | st.binary(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


def _fitting(hint: Any, name: str) -> st.SearchStrategy[Any]:
    origin, inside = get_origin(hint), get_args(hint)
    if origin in (Union, types.UnionType):
        return st.none() | _fitting(next(arm for arm in inside if arm is not type(None)), name)
    if origin is Annotated:
        return _fitting(inside[0], name)
    if origin is tuple and get_origin(inside[0]) is None and dataclasses.is_dataclass(inside[0]):
        return st.lists(valid(typing.cast("type", inside[0])), min_size=1, max_size=3)
    if dataclasses.is_dataclass(hint):
        return valid(typing.cast("type", hint))
    if name in FITTING and name != "agents":
        return FITTING[name]
    if origin is tuple:
        return st.lists(NAMES, min_size=1, max_size=3)
    if hint is bool:
        return st.booleans()
    return NAMES if hint is str else st.integers(1, 5)


def valid(shape: type) -> st.SearchStrategy[dict[str, Any]]:
    """Maps that fit `shape`, with any of its optional fields left out."""
    hints = typing.get_type_hints(shape, include_extras=True)
    required: dict[str, st.SearchStrategy[Any]] = {}
    optional: dict[str, st.SearchStrategy[Any]] = {}
    for field in dataclasses.fields(shape):
        needed = field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        (required if needed else optional)[field.name] = _fitting(hints[field.name], field.name)
    if shape.__name__ == "Stop":
        required["agents"] = st.sampled_from(["keep", "stop", "drain"])
    return st.fixed_dictionaries(required, optional=optional)


def args_of(op: str) -> st.SearchStrategy[dict[str, Any]]:
    """Valid arguments of an op."""
    return valid(OPS[op])


@st.composite
def broken(draw: st.DrawFn, op: str) -> dict[str, Any]:
    """Valid arguments of `op` with one field, at the top or in an agent, replaced, added or taken away."""
    args = draw(args_of(op))
    inner = [agent for agent in args.get("agents", ()) if isinstance(agent, dict)]
    target = draw(st.sampled_from([args, *inner]))
    shape = OPS[op] if target is args else typing.get_type_hints(OPS["spawn"])["agents"].__args__[0]
    names = [field.name for field in dataclasses.fields(shape)]
    name = draw(st.sampled_from([*names, "extra"]))
    if draw(st.booleans()) and name in target:
        del target[name]
    else:
        target[name] = draw(ANYTHING)
    return args
