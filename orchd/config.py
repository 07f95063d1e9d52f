"""The configuration: numbers a person sets once in `config.toml`. What is changed live is state, not configuration."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated

from orchd.core.model import Guards
from orchd.errors import ConfigError
from orchd.wire.runners import Runners, Settings, checked
from orchd.wire.settings import ProjectManagement
from orchd.wire.shapes import Check, ShapeError, build

_Count = Annotated[int, Check(lambda number: 1 <= number <= 10_000, "between 1 and 10,000")]
_Relative = Annotated[
    str, Check(lambda path: path and path[0] != "/" and ".." not in path.split("/"), "a path inside the project")
]
_Seconds = Annotated[float, Check(lambda number: number >= 0, "0 or more")]
_Positive = Annotated[float, Check(lambda number: number > 0, "above 0")]


@dataclass(frozen=True, slots=True)
class Config:
    """Every key of `config.toml`. Durations are seconds."""

    limit: _Count = 7  # agents that work at once; the value of a new home, then `orchctl limit` has the word
    resident: _Count | None = None  # agents that live at once; 4 x limit when not given
    depth: _Count = 3  # levels of agents
    children: _Count = 20  # unfinished children of one agent
    agents: _Count = 500  # agents ever spawned inside one tree
    grace: _Seconds = 10.0  # between TERM and KILL
    timeout: _Positive | None = None  # wall time of an attempt
    silence: _Positive | None = None  # time without output of an attempt
    session_files: bool = True  # whether files in the project directory show its session
    sessions_path: _Relative = ".agent/sessions"  # of these files, in the project directory
    state_path: _Relative = ".claude/state"
    cgroups: Annotated[str, Check(lambda how: how in ("auto", "off"), "auto or off")] = "auto"
    runner: str | None = None  # what runs an agent that names neither a runner nor a command; mock when not given
    runners: dict[str, Settings] = field(default_factory=dict)  # docs/runners.md
    pm: ProjectManagement = field(default_factory=ProjectManagement)

    @property
    def known_runners(self) -> Runners:
        """The runners there are. Raises ShapeError when there cannot be such."""
        return checked(self.runner, self.runners)

    @property
    def guards(self) -> Guards:
        """What stops a runaway."""
        return Guards(self.depth, self.children, self.agents)


def read(path: Path) -> Config:
    """The configuration in `path`, or the defaults when there is none. Raises ConfigError: key, value and form."""
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        return Config()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path} cannot be read: {error}") from None
    try:
        config = build(Config, tomllib.loads(text))
        checked(config.runner, config.runners)
    except (tomllib.TOMLDecodeError, ShapeError) as error:
        raise ConfigError(f"{path}: {error}") from None
    if config.resident is not None and config.resident < config.limit:
        raise ConfigError(f"{path}: resident must be at least limit ({config.limit}), not {config.resident}")
    return config
