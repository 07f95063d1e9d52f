"""Public API to read, check and plan compositions, and to render them as prompts for an LLM.

    from orchctl.composition import load, plan_execution_order, validate_skill_composition

    valid, errors, warnings = validate_skill_composition("team/composition.json")
    groups = plan_execution_order(load("team/composition.json").sub_skills)

The file format is that of docs/guides/compositions.md.
"""

from orchctl.composition.estimates import makespan
from orchctl.composition.flatten import Flat, Group, Member, Tree, flatten
from orchctl.composition.loader import (
    LIMIT,
    Validation,
    at_risk,
    load,
    load_tree,
    plan_execution_order,
    validate_skill_composition,
)
from orchctl.composition.order import dependencies_of, name_of, order_of, plan
from orchctl.composition.parse import composition_from
from orchctl.composition.problems import CompositionError, Problem
from orchctl.composition.prompts import (
    ParallelTaskSpec,
    Task,
    generate_composition_prompt,
    generate_parallel_spawn_prompt,
    generate_parallel_task_specs,
    task_prompt,
    task_spec,
)
from orchctl.composition.schema import schema
from orchctl.composition.tokens import (
    TokenEstimate,
    estimate_composition_tokens,
    estimate_tokens,
    guess_tokens,
    token_breakdown,
)
from orchctl.composition.types import Composition, CoordinationStrategy, SubSkill
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
