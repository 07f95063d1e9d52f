"""Task lists in Markdown.

    - [ ] Sign in with e-mail (id: login) (labels: backend, api) (priority: 1)
      What stands below it, further in, is its description; boxes there are its acceptance criteria.
    - [ ] The login page (after: login) (skill: skyfom-frontend-developer)
    - [x] What is done is there for others to come after.

Everything else in the file is left alone.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from orchctl.pm.items import Item, slug

_TASK = re.compile(r"^(?P<indent>\s*)(?:[-*+]|\d{1,9}[.)])\s+\[(?P<box>[ xX])\]\s+(?P<text>.*\S)\s*$")
_FENCE = re.compile(r"^\s*(```+|~~~+)")
_NOTE = re.compile(r"\s*\((\w+):\s*([^()]*)\)")
_NEAR = 0.75  # how much a key must look like one that is known to be a slip of it


class WrongLine(Exception):
    """What is wrong, and with which line."""

    def __init__(self, number: int, what: str) -> None:
        super().__init__(what)
        self.number = number


@dataclass(slots=True)
class Task:
    """One task, where it stands."""

    number: int  # of its line, from 1
    item: Item
    below: list[str] = field(default_factory=list)


def _words(text: str) -> tuple[str, ...]:
    return tuple(part.strip() for part in text.split(",") if part.strip())


_KEYS: dict[str, Callable[[str], Any]] = {"id": str, "after": _words, "labels": _words, "skill": str, "priority": int}


def read(text: str) -> list[Task]:
    """Every task, in the order of the file. A mark of the byte order before it is no text. Raises WrongLine."""
    found: list[Task] = []
    depth, fence = -1, ""
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        mark = _FENCE.match(line)
        is_task = None if fence or mark else _TASK.match(line)
        if mark and (not fence or mark[1].startswith(fence)):
            fence = "" if fence else mark[1]
        indent = len(line) - len(line.lstrip())
        if line.strip() and indent <= depth:
            depth = -1
        if is_task and depth < 0:
            found.append(Task(number, _item(number, is_task)))
            depth = indent
        elif depth >= 0:
            found[-1].below.append(line)
    return found


def described(task: Task) -> tuple[str, str]:
    """Its description, and its acceptance criteria."""
    wanted = [line.strip() for line in task.below if _TASK.match(line)]
    rest = "\n".join(line for line in task.below if not _TASK.match(line))
    return _flush(rest), "\n".join(wanted)


def ticked(text: str, one: str) -> str:
    """`text` with the box of the task `one` ticked; the same when it has none that is open."""
    lines = text.split("\n")
    for task in read(text):
        if task.item.id == one and not task.item.is_done:
            lines[task.number - 1] = lines[task.number - 1].replace("[ ]", "[x]", 1)
    return "\n".join(lines)


def _item(number: int, match: re.Match[str]) -> Item:
    known: dict[str, Any] = {}
    title = match["text"]
    for note in _NOTE.finditer(match["text"]):
        key, value = note[1].lower(), note[2].strip()
        if key not in _KEYS:
            _check_slip(number, key)
            continue
        try:
            known[key] = _KEYS[key](value)
        except ValueError:
            raise WrongLine(number, f"({key}: {value}) is no whole number") from None
        title = title.replace(note[0], "", 1)
    title = title.strip()
    if not title or known.get("id") == "":
        raise WrongLine(number, "a task needs a title, and an id when it says `id:`")
    known.setdefault("id", slug(title).lower())
    return Item(title=title, is_done=match["box"] != " ", **known)


def _check_slip(number: int, key: str) -> None:
    near = difflib.get_close_matches(key, _KEYS, 1, _NEAR)
    if near:
        raise WrongLine(number, f"`({key}: ...)` is not known here; did you mean `({near[0]}: ...)`?")


def _flush(text: str) -> str:
    """`text` without the indent that all of it has."""
    from textwrap import dedent

    return dedent(text.expandtabs()).strip()
