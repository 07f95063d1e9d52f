"""Problems of task files, and the exception that holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TaskProblem:
    """A problem of a task file. `line` counts from 1; 0 is the file as a whole."""

    code: str  # kebab-case, for scripts
    file: str
    line: int
    message: str  # what is wrong
    way_out: str  # what to do

    def __str__(self) -> str:
        place = f"{self.file} line {self.line}" if self.line else self.file
        return f"{place}: {self.message}; {self.way_out}"


class TasksError(ValueError):
    """Task files that cannot be used. `problems` holds every reason, at least one."""

    def __init__(self, problems: Iterable[TaskProblem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
