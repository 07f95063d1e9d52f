"""Passes an agent its variables through the shim's shell, which has none of them as its own.

A shell is ruled by variables (OPTIND, IFS, ENV, LC_ALL, LD_PRELOAD), changes some, and drops variables whose names are
no words of its language. So the shim gets each as the value of a variable of ours, `_orchd_7="NAME=value"`, and only
the subshell that is about to become the agent makes `NAME` of it. That is done by `export`, which is quick, or where a
shell could not export all of them, or a resource limit would be too low for the shim, by stage.py.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from functools import lru_cache
from pathlib import Path
from shlex import quote

from orchd.instance.environment import ENV_AGENT, ENV_ATTEMPT, ENV_HOME, OF_ONE_AGENT

MARKS = frozenset({ENV_HOME, ENV_AGENT, ENV_ATTEMPT})  # what the shim itself shows, and passes on as it is
DIRECTORY, BEGIN, LOGS, LIMITS = "_orchd_cwd", "_orchd_begin", "_orchd_logs", "_orchd_limits"
FIRST, WORDS = "_orchd_first", "_orchd_words"  # the name and the words of the attempt that a shim is made for
_MOST_WORDS = 32768  # bytes: the kernel allows four times as many in one variable
_SLOT = "_orchd_"
_SPARE = "_orchd_spare"  # the name in a slot for a variable that a later agent has and the first has not
_SPARES = 8
_STAGE = str(Path(__file__).with_name("stage.py"))
BY_BASH = "_"  # bash alone sets this one for each program, over any that was exported
_WORD = re.compile("[A-Za-z_][A-Za-z0-9_]*")
_OF_SHELLS = re.compile(
    # read-only, numbers only, made anew at each look, or dropped by some shell: dash, bash, busybox, ksh, zsh, yash
    "_orchd_.*|BASH.*|KSH.*|ZSH.*|YASH.*|OPTIND|OPTARG|LINENO|FUNCNAME|PPID|PGRP|UID|EUID|GID|EGID|USER_ID|USERNAME"
    "|GROUPS|RANDOM|SRANDOM|SECONDS|EPOCH.*|HISTCMD|PIPESTATUS|DIRSTACK|SHELLOPTS|COPROC|MAPFILE|COMPREPLY|ERRNO|ARGC"
    "|TTYIDLE|status|argv|path|cdpath|fpath|manpath|mailpath|module_path|pipestatus|options|signals|functions|aliases"
)

Slots = tuple[str, ...]
"""The name of the variable in each slot of a shim."""


def slots_of(variables: Mapping[str, str]) -> Slots:
    """Return variable names in the order of their slots: these, names that a later agent may have too, and spares."""
    return (*sorted((variables.keys() | OF_ONE_AGENT) - MARKS), *[_SPARE] * _SPARES)


def refilled(slots: Slots, names: AbstractSet[str]) -> Slots | None:
    """Return `slots` with a slot for each of `names`; None without enough.

    A name that is not needed becomes spare: some shells set a variable of that name themselves, and would export it.
    """
    missing = sorted(names - MARKS - set(slots))
    free = [number for number, name in enumerate(slots) if name not in names and name not in OF_ONE_AGENT]
    if len(free) < len(missing):
        return None
    taken = dict.fromkeys(free, _SPARE) | dict(zip(free, missing, strict=False))
    return tuple(taken.get(number, name) for number, name in enumerate(slots))


def shim_environment(slots: Slots, variables: Mapping[str, str]) -> dict[str, str]:
    """Return the variables of a shim that hold the variables of its agent."""
    return {slot(number): held(name, variables.get(name)) for number, name in enumerate(slots)}


def slot(number: int) -> str:
    """Return the name of the variable of a slot."""
    return f"{_SLOT}{number}"


def held(name: str, value: str | None) -> str:
    """Return the value of a slot. A name alone exports nothing, since the shim has no variable of that name."""
    return name if value is None else f"{name}={value}"


def carried(words: Sequence[str]) -> str | None:
    """Return the words of an agent quoted for a shell; None when they are long or not printable ASCII.

    A shim whose first agent has its words in a variable shows no agent in its arguments.
    """
    text = " ".join(map(quote, words))
    return text if text.isascii() and text.isprintable() and len(text) < _MOST_WORDS else None


@lru_cache(maxsize=4096)
def can_export(name: str) -> bool:
    """Return whether every shell passes a variable of this name on as it is."""
    return name == _SPARE or bool(_WORD.fullmatch(name) and not _OF_SHELLS.fullmatch(name))


@lru_cache(maxsize=64)
def begin(slots: Slots, *, umask: int, is_staged: bool) -> str:
    """Return the shell code by which the subshell becomes the agent."""
    if is_staged:
        return f'umask {umask:04o}; exec {quote(sys.executable)} -I -S {quote(_STAGE)} "$@"'
    ours = [slot(number) for number in range(len(slots))]
    words = [f"umask {umask:04o}", "unset OLDPWD SHLVL"]
    # bash complains where a locale does not exist
    words.append("export " + " ".join(f'"${name}"' for name in ours) + " 2>/dev/null")
    if BY_BASH in slots:
        argument = f'"${ours[slots.index(BY_BASH)]}"'
        words.append(f'if [ "${{BASH_VERSION-}}" ]; then set -- /usr/bin/env {argument} "$@"; fi')
    words += [f"unset {DIRECTORY} {BEGIN} {LOGS} {LIMITS} {' '.join(ours)}", 'exec "$@"']
    return "; ".join(words)
