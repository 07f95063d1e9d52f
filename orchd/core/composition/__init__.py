"""Compositions: what they say, in which order they run, what is wrong with them. Pure: values in, values out."""

from orchd.core.composition.checks import behind_optional, problems, warnings
from orchd.core.composition.errors import CompositionError, Problem
from orchd.core.composition.parse import composition_from, key_of
from orchd.core.composition.plan import dependencies_of, name_of, order_of, plan, plan_execution_order
from orchd.core.composition.prompts import (
    ParallelTaskSpec,
    Task,
    generate_composition_prompt,
    generate_parallel_spawn_prompt,
    generate_parallel_task_specs,
    task_prompt,
    task_spec,
)
from orchd.core.composition.times import makespan
from orchd.core.composition.tokens import (
    TokenEstimate,
    estimate_composition_tokens,
    estimate_tokens,
    guess_tokens,
    token_breakdown,
)
from orchd.core.composition.trees import Flat, Group, Member, Tree, flatten
from orchd.core.composition.types import Composition, CoordinationStrategy, SubSkill

__all__ = [
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
    "behind_optional",
    "composition_from",
    "dependencies_of",
    "estimate_composition_tokens",
    "estimate_tokens",
    "flatten",
    "generate_composition_prompt",
    "generate_parallel_spawn_prompt",
    "generate_parallel_task_specs",
    "guess_tokens",
    "key_of",
    "makespan",
    "name_of",
    "order_of",
    "plan",
    "plan_execution_order",
    "problems",
    "task_prompt",
    "task_spec",
    "token_breakdown",
    "warnings",
]
