"""Types of a composition.json. Generated from its JSON Schema: change the schema, then `make docs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal


@dataclass(frozen=True, slots=True)
class SubSkill:
    """One member of a composition."""

    skill_name: str
    id: str | None = None
    role: str = ""
    dependencies: tuple[str, ...] = ()
    required: bool = True
    token_estimate: int | None = None
    runner: str | None = None
    command: tuple[str, ...] = ()
    model: str | None = None
    timeout: float | str | None = None
    prompt: str = ""
    env: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class CoordinationStrategy:
    """What happens when a member fails."""

    error_handling: Literal["fail-fast", "continue-on-error", "retry"] = "fail-fast"
    max_retries: int | None = None


@dataclass(frozen=True, slots=True)
class Composition:
    """Sub-skills that do one task together, and their dependencies."""

    name: str
    execution_mode: Literal["parallel", "sequential", "hybrid"]
    sub_skills: tuple[SubSkill, ...]
    description: str = ""
    version: str | None = None
    max_parallel: int | None = None
    coordination_strategy: CoordinationStrategy = field(default_factory=CoordinationStrategy)
