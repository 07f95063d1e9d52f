"""Compositions as a library, all in one place: read them, check them, plan them, and say them to an LLM. A public API.

    from orchctl.composition import load, plan_execution_order, validate_skill_composition

    valid, errors, warnings = validate_skill_composition("team/composition.json")
    groups = plan_execution_order(load("team/composition.json").sub_skills)

The file format is that of docs/compositions.md.
"""

from orchctl.composition.loading import (
    LIMIT,
    Validation,
    at_risk,
    load,
    load_tree,
    plan_execution_order,
    validate_skill_composition,
)
from orchctl.composition.structure import schema
from orchd.core.composition import (
    Composition,
    CompositionError,
    CoordinationStrategy,
    Flat,
    Group,
    Member,
    ParallelTaskSpec,
    Problem,
    SubSkill,
    Task,
    TokenEstimate,
    Tree,
    composition_from,
    dependencies_of,
    estimate_composition_tokens,
    estimate_tokens,
    flatten,
    generate_composition_prompt,
    generate_parallel_spawn_prompt,
    generate_parallel_task_specs,
    guess_tokens,
    makespan,
    name_of,
    order_of,
    plan,
    task_prompt,
    task_spec,
    token_breakdown,
)
from orchd.dag import around, critical_path, durations, levels, remaining_paths

__all__ = [
    "LIMIT",
    "Composition",
    "CompositionError",
    "CoordinationStrategy",
    "Flat",
    "Group",
    "Member",
    "ParallelTaskSpec",
    "Problem",
    "SubSkill",
    "Task",
    "TokenEstimate",
    "Tree",
    "Validation",
    "around",
    "at_risk",
    "composition_from",
    "critical_path",
    "dependencies_of",
    "durations",
    "estimate_composition_tokens",
    "estimate_tokens",
    "flatten",
    "generate_composition_prompt",
    "generate_parallel_spawn_prompt",
    "generate_parallel_task_specs",
    "guess_tokens",
    "levels",
    "load",
    "load_tree",
    "makespan",
    "name_of",
    "order_of",
    "plan",
    "plan_execution_order",
    "remaining_paths",
    "schema",
    "task_prompt",
    "task_spec",
    "token_breakdown",
    "validate_skill_composition",
]
