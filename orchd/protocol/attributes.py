"""Process attributes that children inherit beside variables: agents get the attributes of their caller."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

from orchd.protocol.schema import Constraint

UNLIMITED = -1  # as setrlimit(2) has it
POLICIES = ("other", "batch", "idle")  # policies that need no privilege; agents inherit no others
LIMITS = (
    *("as", "core", "cpu", "data", "fsize", "memlock", "msgqueue", "nice", "nofile", "nproc", "rss", "rtprio"),
    *("rttime", "sigpending", "stack"),
)
"""The names of resource limits, as getrlimit(2) has them without `RLIMIT_`."""
_LARGEST_CPU = 8192
_MASK = range(0o1000)
_NICE = range(-20, 20)
_OOM = range(1, 1001)  # what a caller has that is lower protects it, and protects no agent


def parse_cpus(text: str) -> frozenset[int]:
    """Return the CPUs in a list like `0-3,8`. Raises ValueError."""
    cpus: set[int] = set()
    for part in text.split(","):
        bounds = re.fullmatch(r"([0-9]{1,5})(?:-([0-9]{1,5}))?", part)
        if bounds is None:
            raise ValueError(text)
        first, last = int(bounds[1]), int(bounds[2] or bounds[1])
        if not first <= last < _LARGEST_CPU:
            raise ValueError(text)
        cpus.update(range(first, last + 1))
    return frozenset(cpus)


def _are_cpus(text: str) -> bool:
    try:
        return bool(parse_cpus(text))
    except ValueError:
        return False


def _are_limits(limits: dict[str, tuple[int, ...]]) -> bool:
    return limits.keys() <= set(LIMITS) and all(
        min(soft, hard) >= UNLIMITED and (hard == UNLIMITED or UNLIMITED < soft <= hard)
        for soft, hard in limits.values()
    )


_Pair = Annotated[tuple[int, ...], Constraint(lambda pair: len(pair) == 2, "a list of the soft and the hard limit")]  # noqa: PLR2004


@dataclass(frozen=True, slots=True)
class SentAttributes:
    """Attributes in a request; the daemon's own apply where a value is missing."""

    umask: Annotated[int, Constraint(_MASK.__contains__, "between 0 and 511 (octal 777)")] | None = None
    nice: Annotated[int, Constraint(_NICE.__contains__, "between -20 and 19")] | None = None
    policy: Annotated[str, Constraint(POLICIES.__contains__, ", ".join(POLICIES))] | None = None
    cpus: Annotated[str, Constraint(_are_cpus, "a list of CPUs like 0-3,8")] | None = None
    oom_score_adj: Annotated[int, Constraint(_OOM.__contains__, "between 1 and 1000")] | None = None
    limits: Annotated[
        dict[str, _Pair],
        Constraint(_are_limits, f"limits of {', '.join(LIMITS)}, each a soft and a hard one, -1 for none"),
    ] = field(default_factory=dict)
