"""What the agent is told: the file on the runner's standard input if there is one, or else a prompt made here."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from orchctl.composition.sections import joined, to_read, to_write
from orchctl.runners.harness.log import Log
from orchd.instance import environment

_COMMANDING = ("/", "-")  # first characters by which a CLI takes a prompt for a command or an option
_MOST = 1 << 20  # characters: several times what an argument can hold


def standing(env: Mapping[str, str], log: Log, stdin: int = 0) -> int:
    """A descriptor that the prompt can be read from."""
    return stdin if _is_given(stdin) else in_memory(made(env, log))


def text(env: Mapping[str, str], log: Log, stdin: int = 0) -> str:
    """The prompt itself, for a CLI that takes it as an argument; of a file, no more than can be of use."""
    if not _is_given(stdin):
        return made(env, log)
    with os.fdopen(os.dup(stdin), encoding="utf-8", errors="replace") as file:
        return file.read(_MOST).replace("\0", "")


def made(env: Mapping[str, str], log: Log) -> str:
    """Goal, task, skill, what to read and where to write; what is unknown is left out."""
    skill, goal = env.get(environment.ENV_SKILL), env.get(environment.ENV_GOAL, "")
    parts = [
        ("Goal" if goal.lstrip().startswith(_COMMANDING) else "", goal or _default(skill)),
        ("Task", env.get(environment.ENV_TASK_ID, "")),
        (f"The skill {skill}", _skill(skill, log) if skill else ""),
        ("Read first", to_read(environment.paths(env.get(environment.ENV_RESULTS, "")))),
        ("Your result", to_write(env.get(environment.ENV_RESULT, ""))),
    ]
    return joined((title, part.strip()) for title, part in parts)


def _default(skill: str | None) -> str:
    return f"Work with the skill {skill}." if skill else ""


def _is_given(stdin: int) -> bool:
    """Whether somebody gave a file: the daemon opens /dev/null otherwise."""
    try:
        return not os.path.samestat(os.fstat(stdin), os.stat(os.devnull))  # noqa: PTH116 - to be compared
    except OSError:
        return False


def in_memory(told: str) -> int:
    """A file that only we know: nobody has to keep a pipe going."""
    descriptor = os.memfd_create("prompt")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(told.encode(errors="replace"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor


def _skill(name: str, log: Log) -> str:
    from orchctl.skills import find as skills  # takes as long as all else together

    directory = Path.cwd()
    folder = skills.find(name, skills.places(directory))
    if folder is None:
        log.say(f"there is no folder of the skill {name!r} from {directory}: the prompt goes without its text")
        return ""
    try:
        return skills.text_of(folder)
    except OSError as error:
        log.say(f"the skill {name!r} cannot be read: {error}; the prompt goes without its text")
        return ""
