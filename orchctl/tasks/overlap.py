"""Whether two paths or globs could mean the same file. Each means itself and all that is below it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Sequence
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path

_DEEP = "**"
_PARTS = re.compile(r"\[!?\]?[^\]]*\]|.", re.DOTALL)  # a class, or one character


def overlaps(one: str, other: str, directory: Path) -> bool:
    """Whether some path could match both; they are relative to `directory`."""
    return _meet(_segments(one, directory), _segments(other, directory))


def _segments(pattern: str, directory: Path) -> tuple[str, ...]:
    return (*Path(os.path.normpath(directory / pattern)).parts[1:], _DEEP)


def _meet(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether some path matches both; `**` stands for any number of names."""
    return _matched(one, other, _DEEP, _names_meet)


@lru_cache(maxsize=4096)
def _names_meet(one: str, other: str) -> bool:
    """Whether some name matches both."""
    if not _is_glob(one) and not _is_glob(other):
        return one == other
    return _matched(_PARTS.findall(one), _PARTS.findall(other), "*", _characters_meet)


def _is_glob(name: str) -> bool:
    return any(mark in name for mark in "*?[")


def _characters_meet(one: str, other: str) -> bool:
    """Whether some character fits both; two classes are taken to."""
    if len(one) > 1 or len(other) > 1:
        return (len(one) > 1 and len(other) > 1) or "?" in (one, other) or fnmatchcase(*sorted((one, other), key=len))
    return one == other or "?" in (one, other)


def _matched(one: Sequence[str], other: Sequence[str], star: str, meets: Callable[[str, str], bool]) -> bool:
    """Whether two patterns have a match in common: which ends of the second can be reached behind each part."""
    reached = set(_past(other, {0}, star))
    for part in one:
        if part == star:
            reached = set(range(min(reached), len(other) + 1)) if reached else set()
            continue
        reached = set(_past(other, set(_steps(part, other, reached, star, meets)), star))
    return len(other) in reached


def _steps(
    part: str, other: Sequence[str], reached: set[int], star: str, meets: Callable[[str, str], bool]
) -> Iterator[int]:
    """Where one more `part` leads from each place: a star stays where it is."""
    for place in reached:
        if place < len(other):
            if other[place] == star:
                yield place
            elif meets(part, other[place]):
                yield place + 1


def _past(other: Sequence[str], places: set[int], star: str) -> Iterator[int]:
    """`places` and those behind the stars that stand there, which may stand for nothing."""
    for place in places:
        yield place
        while place < len(other) and other[place] == star:
            place += 1  # noqa: PLW2901 - a star may stand for nothing
            yield place
