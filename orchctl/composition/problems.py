"""Problems of compositions, and the exception that holds them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Problem:
    """A problem in a composition. `path` is a JSON path as in `$.subSkills[2].dependencies[0]`; `$` is the whole."""

    code: str  # kebab-case, for scripts
    path: str
    value: object  # the value there; None when something is missing
    message: str  # what is wrong with it
    way_out: str  # what to do
    file: str = ""  # set when more than one file was read

    def __str__(self) -> str:
        place = f"{self.file}: {self.path}" if self.file else self.path
        return f"{place}: {self.message}; {self.way_out}"


class CompositionError(ValueError):
    """A composition that cannot be run. `problems` holds every reason, at least one."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(map(str, self.problems)))
