"""Compositions: what they say, in which order they run, what is wrong with them. Pure: values in, values out."""

from orchd.core.composition.errors import CompositionError, Problem
from orchd.core.composition.graphs import Graph, critical_path, levels, remaining_paths, topological
from orchd.core.composition.times import durations, makespan

__all__ = [
    "CompositionError",
    "Graph",
    "Problem",
    "critical_path",
    "durations",
    "levels",
    "makespan",
    "remaining_paths",
    "topological",
]
