"""What the text of a task says besides its title: the tasks that it depends on, and the files that it names."""

from __future__ import annotations

import re
from collections.abc import Iterator

T_ID = r"T\d{2,5}[a-zA-Z]?"
NUMBER = r"\d+(?:\.\d+)*[a-z]?"
_RANGE = r"(?:\s*(?:-|\u2013|\u2014|to|through|\.\.\.?)\s*)"
_AND = r"(?:\s*(?:,\s*and|,|/|&|\+|;|and)\s*)"
_SAYS = r"(?:depend(?:s|ent|ing)?[\s*_]+(?:up)?on|depends|dependency|dependencies|blocked[\s*_]+by)"
_TASK = r"(?:[*_`#(]*(?:tasks?\s+)?[*_`#]*)"
_PATH = re.compile(r"[\w@.\[\]()*{}-]*(?:/[\w@.\[\]()*{}-]+)+/?|[\w-]+(?:\.[\w-]+)*\.[A-Za-z]\w{0,9}")
_QUOTED = re.compile(r"`([^`\s]+)`")
_BARE = re.compile(r"(?<![\w/.:@~`-])((?:[\w.\[\]-]+/)+[\w.\[\]-]*\.[A-Za-z]\w{0,9}|(?:[\w.-]+/){2,})(?![\w/])")


class Dependencies:
    """Finds `depends on T005`, `(depends on T001-T003)`, `_Depends: 1.1, 2.3_` and the like. `ids` is how ids look.

    With `strict`, a list of ids must be all that is said: `depends on 3 services` names no task.
    """

    def __init__(self, ids: str, *, strict: bool) -> None:
        many = rf"{_TASK}{ids}[*_`]*(?:(?:{_AND}|{_RANGE}){_TASK}{ids}[*_`]*)*"
        end = r"(?!\.?\w)(?=\s*(?:[).,;:_*\]|]|$))" if strict else ""
        self._says = re.compile(rf"(?<!not )(?<![A-Za-z]){_SAYS}[\s:*_]+({many}){end}", re.IGNORECASE | re.MULTILINE)
        self._after = re.compile(rf"\(\s*after:?\s+({many})\s*\)", re.IGNORECASE)
        self._range = re.compile(rf"({ids}){_RANGE}{_TASK}({ids})")
        self._one = re.compile(rf"{_TASK}({ids})")

    def of(self, text: str) -> Iterator[str]:
        """The ids that a task with this text depends on, each once. A range gives all that it spans by number."""
        seen: set[str] = set()
        for said in (*self._says.finditer(text), *self._after.finditer(text)):
            for one in self._listed(said[1]):
                if one not in seen:
                    seen.add(one)
                    yield one

    def _listed(self, said: str) -> Iterator[str]:
        for between in self._range.finditer(said):
            yield from _between(between[1], between[2])
        yield from (one[1] for one in self._one.finditer(said))


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
