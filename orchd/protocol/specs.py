"""Shapes of agents and of the parts of runs, inside of the shapes of operations.

Durations are seconds. Ids are `agent-001`; `1` and `agent-1` name the same agent.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Annotated

from orchd.protocol import bounds
from orchd.protocol.frames import MOST
from orchd.protocol.schema import Constraint

LONGEST_INPUT = 4 << 20  # bytes of a standard input in a request

Goal = Annotated[str, bounds.GOAL]
Input = Annotated[bytes, Constraint(lambda content: len(content) <= LONGEST_INPUT, "at most 4,194,304 bytes")]
Text = Annotated[str, Constraint(lambda text: len(text) <= 4096, "at most 4,096 characters")]
Name = Annotated[str, bounds.NAME]
Path = Annotated[str, Constraint(lambda path: path.startswith("/"), "an absolute path")]
Positive = Annotated[float, bounds.POSITIVE]
Seconds = Annotated[float, bounds.NOT_NEGATIVE]
Node = Annotated[
    str, Constraint(lambda path: len(path) <= 1000 and not path.startswith("/"), "a path of at most 1,000")
]
Nodes = Annotated[
    tuple[Node, ...], Constraint(lambda paths: len(paths) <= MOST, "a list of at most 10,000 paths", is_early=True)
]
Tokens = Annotated[int, bounds.BUDGET]
Dollars = Annotated[float, bounds.POSITIVE]
Ids = Annotated[
    tuple[Name, ...], Constraint(lambda ids: len(ids) <= MOST, "a list of at most 10,000 ids", is_early=True)
]
Dependency = Annotated[str, bounds.DEPENDENCY]
Dependencies = Annotated[
    tuple[Dependency, ...], Constraint(lambda items: len(items) <= MOST, "a list of at most 10,000 ids", is_early=True)
]
Commit = Annotated[str, Constraint(re.compile("[0-9a-f]{40}([0-9a-f]{24})?").fullmatch, "the full hash of a commit")]
Memory = Annotated[int, bounds.MEMORY]
Processors = Annotated[float, bounds.PROCESSORS]
Pids = Annotated[int, bounds.PIDS]


@dataclass(frozen=True, slots=True)
class AgentSpec:
    """One agent to spawn: a command or a runner, and how to supervise it.

    Without a command its runner, or the default one, is given the prompt: what is on `stdin`, or else `goal` and the
    text of `skill`. With a runner, `command` holds more arguments for the runner's own CLI.
    """

    command: Annotated[
        tuple[str, ...], Constraint(lambda argv: not argv or argv[0], "a list whose first item is not empty")
    ] = ()
    runner: Name | None = None
    model: Name | None = None  # for the runner; it has a default of its own
    name: Name | None = None  # defaults to the program's file name
    goal: Goal | None = None
    skill: Name | None = None
    task_id: Name | None = None
    cwd: Path | None = None  # defaults to the request's
    env: dict[str, str] = field(default_factory=dict)  # over the request's
    stdin: Path | None = None  # /dev/null otherwise
    input: Input | None = None  # the content of its standard input, instead of `stdin`; kept privately by the daemon
    output_dir: Path | None = None  # created before the start; the agent gets it as ORCHD_OUTPUT_DIR
    result: Path | None = None  # the file for its result; the agent gets it as ORCHD_RESULT
    worktree: bool = False  # work in a git worktree of its own of the repository that holds `cwd`
    base: Commit | None = None  # that the worktree begins at; the HEAD of the checkout when it is made, otherwise
    tokens: Annotated[int, bounds.TOKENS] | None = None  # expected
    after: Dependencies = ()  # ids or names, each with a condition if any: `agent-001`, `api:any`, `api:failed`
    priority: Annotated[int, bounds.PRIORITY] = 0
    nesting: Annotated[int, bounds.NOT_NEGATIVE] = 0  # levels it may wait for
    timeout: Positive | None = None  # from its start to its end
    silence: Positive | None = None  # without a byte of output
    grace: Seconds | None = None  # between TERM and KILL
    retries: Annotated[int, bounds.RETRIES] = 0
    memory_max: Memory | None = None  # of its whole tree
    cpu_max: Processors | None = None  # 1.5 are one and a half
    pids_max: Pids | None = None  # processes and threads, its shim among them

    @property
    def has_work(self) -> bool:
        """Return whether it has a command or a prompt."""
        return bool(self.command or self.goal or self.skill or self.stdin or self.input)


def name_of(spec: AgentSpec) -> str:
    """Return the name of the agent, by default its skill, runner or program."""
    program = spec.command[0].rstrip("/").rpartition("/")[2][:200] if spec.command else ""
    return spec.name or (not spec.command and spec.skill) or spec.runner or program or "agent"


Agents = Annotated[
    tuple[AgentSpec, ...],
    Constraint(lambda agents: 0 < len(agents) <= MOST, "a list of 1 to 10,000 agents", is_early=True),
]


@dataclass(frozen=True, slots=True)
class RunGroup:
    """A composition in a run: the run itself (path ""), or a composition nested in it."""

    path: Node = ""  # "" is the whole; "web" a nested one, "web/forms" one inside that
    max_parallel: Annotated[int, bounds.AT_LEAST_ONE] | None = None  # of its own that work
    on_failure: Annotated[str, Constraint(lambda how: how in ("fail-fast", "continue"), "fail-fast or continue")] = (
        "fail-fast"
    )
    after: Nodes = ()  # paths of members or groups in the same group; all must complete first
    required: bool = True  # whether its failure is that of the group around it


@dataclass(frozen=True, slots=True)
class RunMember:
    """One sub-skill of a run: an agent of level `composite`. `after` of its `agent` must be empty."""

    path: Node  # "api", or "web/api" in the group "web"
    agent: AgentSpec
    after: Nodes = ()  # paths of members or groups in the same group; all must complete first
    required: bool = True
    variables: dict[str, str] = field(default_factory=dict)  # over its environment, and kept for retries: no secrets


Groups = Annotated[
    tuple[RunGroup, ...],
    Constraint(lambda groups: 0 < len(groups) <= MOST, "a list of 1 to 10,000 groups", is_early=True),
]
Members = Annotated[
    tuple[RunMember, ...],
    Constraint(lambda items: 0 < len(items) <= MOST, "a list of 1 to 10,000 members", is_early=True),
]
