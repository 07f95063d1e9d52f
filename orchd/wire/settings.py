"""What of `config.toml` only clients go by. The daemon checks it with the rest of the file and leaves it alone."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class ProjectManagement:
    """The table `[pm]`."""

    labels: dict[str, str] = field(default_factory=dict)  # the skill that a task with this label is done with
