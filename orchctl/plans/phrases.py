"""What the text of a task says besides its title: the tasks that it depends on, and the files that it names."""

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
    """Finds `depends on T005`, `(depends on T001-T003)`, `_Depends: 1.1, 2.3_` and the like. `ids` is how ids look.

    With `strict`, a list of ids must be all that is said: `depends on 3 services` names no task.
    """

    def __init__(self, ids: str, *, strict: bool) -> None:
        self._id = re.compile(rf"{ids}(?!\.?[A-Za-z0-9])")
        self._strict = strict

    def of(self, text: str) -> Iterator[str]:
        """The ids that a task with this text depends on, each once. A range gives all that it spans by number."""
        found = [one for said in _SAYS.finditer(text) for one in self._listed(text, said.end())[0]]
        for said in _AFTER.finditer(text):
            ids, end = self._listed(text, said.end())
            found += ids if text[end:].lstrip()[:1] == ")" else []
        yield from dict.fromkeys(found)

    def _listed(self, text: str, at: int) -> tuple[list[str], int]:
        """The ids in a row from `at`, and where they end."""
        found: list[str] = []
        separator = None
        end = at
        while one := self._id.match(text, _end(_LEAD, text, at)):
            if self._strict and not _END.match(text, one.end()) and not _BETWEEN.match(text, one.end()):
                break
            if separator is not None and separator["range"]:
                found += _between(found[-1], one[0])
            found.append(one[0])
            end = one.end()
            separator = _BETWEEN.match(text, end)
            if separator is None:
                break
            at = separator.end()
        return found, end


def _end(pattern: re.Pattern[str], text: str, at: int) -> int:
    found = pattern.match(text, at)
    return found.end() if found else at


def _between(first: str, last: str) -> Iterator[str]:
    """`T001` to `T004`, without the ends; nothing when they do not count up by a last number."""
    begin, end = re.fullmatch(r"(.*?)(\d+)", first), re.fullmatch(r"(.*?)(\d+)", last)
    if begin and end and begin[1] == end[1]:
        width = len(begin[2]) if begin[2].startswith("0") else 0
        yield from (f"{begin[1]}{number:0{width}d}" for number in range(int(begin[2]) + 1, int(end[2])))


def files(text: str) -> tuple[str, ...]:
    """The paths in a text, each once: in backticks, or with a directory and an extension."""
    quoted = (one for one in _QUOTED.findall(text) if _PATH.fullmatch(one) and _is_path(one))
    bare = (one for one in _BARE.findall(_QUOTED.sub(" ", text)) if _is_path(one))
    return tuple(dict.fromkeys((*quoted, *bare)))


def _is_path(word: str) -> bool:
    """Not a route such as `/login`, not an import such as `@scope/name`, not a call such as `a.b()`."""
    return not word.startswith(("/", "@", "~")) and "()" not in word and "://" not in word
