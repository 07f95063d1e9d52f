"""The prompt of an agent: the file on the standard input of the runner, or else a prompt of its parts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from orchctl.composition.sections import joined, to_read, to_write
from orchctl.runners.harness.log import RunnerLog
from orchd.instance import environment
from orchd.instance.system import os_errors

_COMMANDING = ("/", "-")  # first characters by which a CLI takes a prompt for a command or an option
_MOST = 1 << 20  # characters: several times what an argument can hold


def standing(env: Mapping[str, str], log: RunnerLog, stdin: int = 0) -> int:
    """Return a descriptor from which the prompt can be read."""
    return stdin if _is_given(stdin) else in_memory(compose(env, log))


def text(env: Mapping[str, str], log: RunnerLog, stdin: int = 0) -> str:
    """Return the prompt as text, for a CLI that takes it as an argument; of a file at most 1 Mi characters."""
    if not _is_given(stdin):
        return compose(env, log)
    with os.fdopen(os.dup(stdin), encoding="utf-8", errors="replace") as file:
        return file.read(_MOST).replace("\0", "")


def compose(env: Mapping[str, str], log: RunnerLog) -> str:
    """Compose a prompt of goal, task, skill, files to read and the result file; unknown parts are left out."""
    skill, goal = env.get(environment.ENV_SKILL), env.get(environment.ENV_GOAL, "")
    skill_text = ""
    if skill:
        from orchctl.skills import find as skills  # importing it takes as long as all else together

        directory = Path.cwd()
        folder = skills.find(skill, skills.places(directory))
        if folder is None:
            log.say(f"the skill {skill!r} is not available in {directory}: the prompt does not have its text")
        try:
            skill_text = skills.text_of(folder) if folder is not None else ""
        except OSError as error:
            log.say(
                f"the skill {skill!r} cannot be read: {os_errors.summary(error)}; the prompt does not have its text"
            )
    parts = [
        (
            "Goal" if goal.lstrip().startswith(_COMMANDING) else "",
            goal or (f"Use the skill {skill}." if skill else ""),
        ),
        ("Task", env.get(environment.ENV_TASK_ID, "")),
        (f"The skill {skill}", skill_text),
        ("Read first", to_read(environment.paths(env.get(environment.ENV_RESULTS, "")))),
        ("Your result", to_write(env.get(environment.ENV_RESULT, ""))),
    ]
    return joined((title, part.strip()) for title, part in parts)


def _is_given(stdin: int) -> bool:
    """Whether the agent has a file on standard input: the daemon opens /dev/null otherwise."""
    try:
        return not os.path.samestat(os.fstat(stdin), os.stat(os.devnull))  # noqa: PTH116 - to be compared
    except OSError:
        return False


def in_memory(content: str) -> int:
    """Return a descriptor of a file in memory with this content: unlike a pipe it needs no writer."""
    descriptor = os.memfd_create("prompt")
    with os.fdopen(os.dup(descriptor), "wb") as file:
        file.write(content.encode(errors="replace"))
    os.lseek(descriptor, 0, os.SEEK_SET)
    return descriptor
