"""The front matter of a task file: `key: value` between two lines of `---`, a small and strict subset of YAML.

Every value is a text or a list of texts; what it means is for whoever knows the key. What YAML would read otherwise, or
not at all, is a mistake here: a file that is accepted says the same to every other reader of YAML, up to the types of
plain scalars.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

EDGE = "---"

_KEY = re.compile(r"([A-Za-z_][\w-]*):(?:[ \t]+(.*))?", re.ASCII)
_ITEM = re.compile(r" *-(?: +(.*))?")
_COMMENT = re.compile(r"(?:^|[ \t])#.*")
_QUOTED = re.compile(r""""(?:[^"\\]|\\.)*"|'(?:[^']|'')*'""")
_SPECIAL = "[]{}&*!%@`\"',#?:-"  # what a text may not begin with, unless it is in quotes
_PLAIN = re.compile(
    r"[A-Za-z_/][\w /.()+-]*|\d+[smhd]", re.ASCII
)  # what needs no quotes, in the eyes of any reader of YAML
_REMARK = re.compile(r"\s*<!--.*-->\s*")
_OTHER_TYPES = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", ".nan"})


class Value(NamedTuple):
    """What stands behind a key, and in which line."""

    line: int
    value: str | tuple[str, ...]


class Mistake(NamedTuple):
    """One thing that is wrong, and what to do."""

    line: int
    message: str
    way_out: str


@dataclass(slots=True)
class Parsed:
    """A file in its two parts. `body_line` is the line in which the body begins."""

    values: dict[str, Value] = field(default_factory=dict)
    body: str = ""
    body_line: int = 1
    mistakes: list[Mistake] = field(default_factory=list)


class _WrongError(ValueError):
    """A value that is none: what, and what to do."""

    def __init__(self, message: str, way_out: str) -> None:
        super().__init__(message)
        self.way_out = way_out


def parse(text: str) -> Parsed:
    """The front matter and the body of a file; a file that does not begin with `---` is all body.

    Front matter behind empty lines or a comment, or indented, is a mistake.
    """
    lines = text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")
    if lines[0].rstrip() != EDGE:
        return Parsed(body="\n".join(lines), mistakes=list(_misplaced(lines)))
    ends = [index for index, line in enumerate(lines) if line.rstrip() == EDGE and index]
    if not ends:
        mistake = Mistake(1, "the front matter never ends", f"write a line `{EDGE}` behind its last key")
        return Parsed(mistakes=[mistake])
    reader = _Reader(lines[1 : ends[0]])
    reader.read()
    return Parsed(reader.values, "\n".join(lines[ends[0] + 1 :]), ends[0] + 2, reader.mistakes)


def _misplaced(lines: list[str]) -> Iterator[Mistake]:
    """What is meant for front matter and would be text: its first line is not the first of the file, or is indented."""
    first = next((index for index, line in enumerate(lines) if line.strip() and not _REMARK.fullmatch(line)), 0)
    ends = any(line.strip() == EDGE for line in lines[first + 1 :])
    following = next((line for line in lines[first + 1 :] if line.strip()), "")
    if lines[first].strip() == EDGE and (ends or _KEY.match(following.lstrip())):
        what = "the front matter does not begin in the first line, and would be text"
        yield Mistake(
            first + 1, what, f"begin the file with `{EDGE}`, or write `***` if it is to be a line across the page"
        )


class _Reader:
    """Reads line by line and goes on after a mistake, so that all of them are told at once."""

    def __init__(self, lines: list[str]) -> None:
        self.values: dict[str, Value] = {}
        self.mistakes: list[Mistake] = []
        self._lines = lines
        self._open: str | None = None  # the key whose items may follow

    def read(self) -> None:
        for number, line in enumerate(self._lines, 2):
            bare = line.rstrip(" ")
            if not bare.strip() or bare.lstrip().startswith("#"):
                continue
            try:
                self._line(number, bare)
            except _WrongError as error:
                self._open = None
                self.mistakes.append(Mistake(number, str(error), error.way_out))

    def _line(self, number: int, line: str) -> None:
        if "\t" in line:
            raise _WrongError("it has a tab", "write spaces instead")
        if (item := _ITEM.fullmatch(line)) and (self._open or not _KEY.fullmatch(line)):
            self._item(item[1] or "")
            return
        key = _KEY.fullmatch(line)
        if key is None:
            raise _WrongError(*_why_no_key(line))
        self._open = None
        name, text = key[1], (key[2] or "").strip()
        if name in self.values:
            before = self.values[name].line
            raise _WrongError(f"`{name}` is there already in line {before}", "keep one of them")
        bare = _uncommented(text)
        self.values[name] = Value(number, ())  # also when it is wrong: then it is not missing besides
        if bare:
            self.values[name] = Value(number, _flow(bare) if bare.startswith("[") else _scalar(bare))
        else:
            self._open = name

    def _item(self, text: str) -> None:
        if self._open is None:
            raise _WrongError("an item of no list", "write its key in a line before, as in `after:`")
        before = self.values[self._open]
        self.values[self._open] = Value(before.line, (*before.value, _scalar(_uncommented(text.strip()))))


def _why_no_key(line: str) -> tuple[str, str]:
    if line[0] in " \t":
        return "it goes on from the line before", "write each value on one line, and long text below the front matter"
    if re.match(r"[A-Za-z_][\w-]*:", line):
        return "no space behind the colon", "write `key: value`"
    return f"{line!r:.60} is no `key: value`", "write one, or put the text below the front matter"


def _uncommented(text: str) -> str:
    """`text` without a comment behind it; a `#` in quotes or inside a word is none."""
    place = 0
    while place < len(text):
        begins = not text[:place].strip() or (text[0] == "[" and text[:place].rstrip()[-1] in "[,")
        if begins and (quoted := _QUOTED.match(text, place)):
            place = quoted.end()
        elif _COMMENT.match(text, place):
            return text[:place].rstrip()
        else:
            place += 1
    return text


def _flow(text: str) -> tuple[str, ...]:
    """`[a, "b, c"]`."""
    if not text.endswith("]"):
        raise _WrongError("the list never ends", "write it on one line, as in `[a, b]`, or each item behind a `- `")
    items = list(_split(text[1:-1]))
    if items and not items[-1]:  # a comma behind the last one
        del items[-1]
    return tuple(_scalar(item, "[]{}") for item in items)


def _split(text: str) -> Iterator[str]:
    """The parts between commas that are not in quotes."""
    start = place = 0
    while place < len(text):
        if (quoted := _QUOTED.match(text, place)) and not text[start:place].strip():
            place = quoted.end()
            continue
        if text[place] == ",":
            yield text[start:place].strip()
            start = place + 1
        place += 1
    yield text[start:].strip()


def _scalar(text: str, refused: str = "") -> str:
    """A text in quotes or as it is; it may hold none of the characters `refused`."""
    if quoted := _QUOTED.fullmatch(text):
        return _unquoted(quoted[0])
    if not text:
        raise _WrongError("an empty value", 'write something, or "" if that is meant')
    way_out = f"put it in quotes: {json.dumps(text, ensure_ascii=False)}"
    if text[0] in "\"'":
        raise _WrongError(f"{text!r:.60} is in quotes that do not end with it", "end the quotes at the end of the text")
    if text[0] in "|>":
        raise _WrongError("a text of several lines", "write it on one line, and long text below the front matter")
    if text[0] in _SPECIAL and not re.match(r"-[^\s,]", text):
        raise _WrongError(f"a text cannot begin with {text[0]!r}", way_out)
    if ": " in text or text.endswith(":") or any(char in text for char in refused):
        mark = next((char for char in refused if char in text), ":")
        raise _WrongError(f"{text!r:.60} has a `{mark}` that means something else in YAML", way_out)
    return _shown(text)


def _unquoted(quoted: str) -> str:
    if quoted[0] == "'":
        return _shown(quoted[1:-1].replace("''", "'"))
    try:
        text: str = json.loads(quoted)
    except ValueError:
        way_out = r"use only \" \\ and \u with four digits, or single quotes"
        raise _WrongError(f"{quoted!r:.60} has an escape that is not known", way_out) from None
    return _shown(text)


def _shown(text: str) -> str:
    if not text.isprintable():
        raise _WrongError(f"{text!r:.60} holds what cannot be shown on one line", "leave that character out")
    return text


def written(values: Mapping[str, str | int | tuple[str, ...]]) -> str:
    """The front matter with these values, which `parse` reads again as the same texts."""
    lines = (f"{key}: {_written(value)}" for key, value in values.items())
    return "\n".join([EDGE, *lines, EDGE, ""])


def _written(value: str | int | tuple[str, ...]) -> str:
    if isinstance(value, int):
        return str(value)
    if isinstance(value, tuple):
        return f"[{', '.join(map(_text, value))}]"
    return _text(value)


def _text(value: str) -> str:
    if _PLAIN.fullmatch(value) and value.lower() not in _OTHER_TYPES and not value.endswith(" "):
        return value
    return json.dumps(value, ensure_ascii=False)
