"""Reads the text of a task: the tasks that it depends on, and the files that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator

T_ID = r"T\d{1,5}[a-zA-Z]?"
NUMBER = r"\d+(?:\.\d+)*[a-z]?"
# Each of these is matched by itself, so that no text makes them try again and again.
_SAYS = re.compile(
    r"(?<!not )(?<![A-Za-z])"
    r"(?:depend(?:s|ent|ing)?[\s*_]+(?:up)?on\b|depends\b|dependency\b|dependencies\b|blocked[\s*_]+by\b)",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\(\s*after\b", re.IGNORECASE)
_LEAD = re.compile(r"[\s:*_`#(]*(?:tasks?\b[\s:*_`#(]*)?", re.IGNORECASE)
_BETWEEN = re.compile(
    r"[*_`]*\s*(?:(?P<range>-|\u2013|\u2014|to\b|through\b|\.\.\.?)|,\s*and\b|[,/&+;]|and\b)", re.IGNORECASE
)
_END = re.compile(r"\s*(?:[().,;:_*\]|`]|$)", re.MULTILINE)
_PATH = re.compile(r"[\w@.\[\]()*{}-]*(?:/[\w@.\[\]()*{}-]+)+/?|[\w-]+(?:\.[\w-]+)*\.[A-Za-z]\w{0,9}")
_QUOTED = re.compile(r"`([^`\s]+)`")
_BARE = re.compile(r"(?<![\w/.:@~`\[\]-])((?:[\w.\[\]-]+/)+[\w.\[\]-]*\.[A-Za-z]\w{0,9}|(?:[\w.-]+/){2,})(?![\w/])")


class Dependencies:
    """Finds `depends on T005`, `(depends on T001-T003)`, `_Depends: 1.1, 2.3_` and the like. `ids` is a pattern of ids.

    With `strict`, nothing else may follow the ids: `depends on 3 services` names no task.
    """

    def __init__(self, ids: str, *, strict: bool) -> None:
        self._id = re.compile(rf"{ids}(?!\.?[A-Za-z0-9])")
        self._strict = strict

    def of(self, text: str) -> Iterator[str]:
        """Yield the ids that a task with this text depends on, without duplicates. A range gives every id within it."""
        ids = [task_id for phrase in _SAYS.finditer(text) for task_id in self._listed(text, phrase.end())[0]]
        for phrase in _AFTER.finditer(text):
            listed, end = self._listed(text, phrase.end())
            ids += listed if text[end:].lstrip()[:1] == ")" else []
        yield from dict.fromkeys(ids)

    def _listed(self, text: str, at: int) -> tuple[list[str], int]:
        """Return the ids listed from `at`, and where the list ends."""
        ids: list[str] = []
        separator = None
        end = at
        while (lead := _LEAD.match(text, at)) and (match := self._id.match(text, lead.end())):
            if self._strict and not _END.match(text, match.end()) and not _BETWEEN.match(text, match.end()):
                break
            if separator is not None and separator["range"]:
                # `T002` for `T001` and `T003`; there is nothing between ids that do not end in a number
                first, last = re.fullmatch(r"(.*?)(\d+)", ids[-1]), re.fullmatch(r"(.*?)(\d+)", match[0])
                if first and last and first[1] == last[1]:
                    width = len(first[2]) if first[2].startswith("0") else 0
                    ids += [f"{first[1]}{number:0{width}d}" for number in range(int(first[2]) + 1, int(last[2]))]
            ids.append(match[0])
            end = match.end()
            separator = _BETWEEN.match(text, end)
            if separator is None:
                break
            at = separator.end()
        return ids, end


def files(text: str) -> tuple[str, ...]:
    """Return the paths in a text, without duplicates: in backticks, or with a directory and an extension."""
    quoted = (path for path in _QUOTED.findall(text) if _PATH.fullmatch(path) and _is_path(path))
    bare = (path for path in _BARE.findall(_QUOTED.sub(" ", text)) if _is_path(path))
    return tuple(dict.fromkeys((*quoted, *bare)))


def _is_path(word: str) -> bool:
    """Whether a word is a path: no route such as `/login`, import such as `@scope/name`, or call such as `a.b()`."""
    return not word.startswith(("/", "@", "~")) and "()" not in word and "://" not in word
