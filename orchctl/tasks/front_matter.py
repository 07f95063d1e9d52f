"""The front matter of a task file: `key: value` between two lines of `---`, a subset of YAML read by PyYAML.

Every value is a string or a list of strings; `task_file` gives them their meaning. YAML on which readers disagree is a
mistake here: an accepted file has the same meaning for all readers, up to the types of plain scalars.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from yaml import MarkedYAMLError

from orchd.instance import yaml_text

EDGE = "---"

_KEY = re.compile(r"([A-Za-z_][\w-]*):(?=[ \t]|$)", re.ASCII)
_OPEN = re.compile(r"[^\s#]+:[ \t]*(#.*)?")  # a key whose items may follow in lines that are not indented
_ITEM = re.compile(r"-([ \t]|$)")
_BREAKS = re.compile("[\r\x85\u2028\u2029]")  # end a line for some readers of YAML, and not for others
_INDICATORS = frozenset("&*!|>%@`")  # at the beginning of a value these have another meaning in YAML
_PLAIN = re.compile(r"[A-Za-z_/][\w /.()+-]*|\d+[smhd]", re.ASCII)  # texts that need no quotes for any reader of YAML
_REMARK = re.compile(r"\s*<!--.*-->\s*")


class ParsedValue(NamedTuple):
    """The value of a key, and its line."""

    line: int
    value: str | tuple[str, ...]


class Mistake(NamedTuple):
    """A mistake, and its fix."""

    line: int
    message: str
    way_out: str


@dataclass(slots=True)
class FrontMatter:
    """A file in two parts. `body_line` is the line in which the body begins."""

    values: dict[str, ParsedValue] = field(default_factory=dict)
    body: str = ""
    body_line: int = 1
    mistakes: list[Mistake] = field(default_factory=list)


class _WrongError(ValueError):
    """A value that cannot be read: the mistake, its fix, and its line within the value, from 0."""

    def __init__(self, message: str, way_out: str, offset: int = 0) -> None:
        super().__init__(message)
        self.way_out = way_out
        self.offset = offset


def parse(text: str) -> FrontMatter:
    """Return the front matter and the body of a file; a file that does not begin with `---` is all body.

    Front matter behind empty lines or a comment, or indented, is a mistake.
    """
    lines = _lines(text)
    if lines[0].rstrip() != EDGE:
        front = FrontMatter(body="\n".join(lines))
        first = next((index for index, line in enumerate(lines) if line.strip() and not _REMARK.fullmatch(line)), 0)
        is_closed = any(line.strip() == EDGE for line in lines[first + 1 :])
        following = next((line for line in lines[first + 1 :] if line.strip()), "")
        if lines[first].strip() == EDGE and (is_closed or _KEY.match(following.lstrip())):
            what = "the front matter does not begin on the first line, and would be read as text"
            way_out = f"begin the file with `{EDGE}`, or write `***` for a horizontal rule"
            front.mistakes.append(Mistake(first + 1, what, way_out))
        return front
    ends = [index for index, line in enumerate(lines) if line.rstrip() == EDGE and index]
    if not ends:
        mistake = Mistake(1, "the front matter has no end", f"write a line `{EDGE}` after its last key")
        return FrontMatter(mistakes=[mistake])
    reader = _KeyReader(lines[1 : ends[0]])
    reader.read()
    return FrontMatter(reader.values, "\n".join(lines[ends[0] + 1 :]), ends[0] + 2, reader.mistakes)


def _lines(text: str) -> list[str]:
    return text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n")


def described(text: str) -> str:
    """Return the `description` in the front matter of any file, also over several lines; "" if unreadable."""
    import yaml

    lines = _lines(text)
    entries = _entries(lines[1:]) if lines[0].rstrip() == EDGE else iter(())
    entry = next((entry for _, entry in entries if entry[0].startswith("description:")), None)
    if entry is None:
        return ""
    try:
        node: Any = yaml.compose("\n".join(entry), Loader=yaml.BaseLoader)
    except (yaml.YAMLError, RecursionError):
        return ""
    value = node.value[0][1] if node.id == "mapping" else node  # `description:text` is no mapping
    return " ".join(value.value.split()) if value.id == "scalar" and value is not node else ""


class _KeyReader:
    """Reads key by key and continues after a mistake, so that all mistakes are reported at once."""

    def __init__(self, lines: list[str]) -> None:
        self.values: dict[str, ParsedValue] = {}
        self.mistakes: list[Mistake] = []
        self._lines = lines

    def read(self) -> None:
        for index, lines in _entries(self._lines):
            number = index + 2  # of its line in the file
            key = _KEY.match(lines[0])
            name = key[1] if key else ""
            if before := self.values.get(name):
                message = f"`{name}` is already given in line {before.line}"
                self.mistakes.append(Mistake(number, message, "keep one of them"))
            elif name:
                self.values[name] = ParsedValue(number, ())  # also when it is wrong: then it is not missing besides
            try:
                value = _value(lines)
            except _WrongError as error:
                self.mistakes.append(Mistake(number + error.offset, str(error), error.way_out))
            else:
                self.values[name] = before or ParsedValue(number, value)


def _entries(lines: Sequence[str]) -> Iterator[tuple[int, list[str]]]:
    """Yield each key with all lines up to the next key, and the index of its line."""
    starts: list[int] = []
    for index, line in enumerate(lines):
        bare = line.lstrip(" ")
        is_item = _ITEM.match(line) and starts and _OPEN.fullmatch(lines[starts[-1]])
        if bare and bare[0] != "#" and not is_item and (bare == line or not starts):
            starts.append(index)
    for number, begin in enumerate(starts):
        yield begin, list(lines[begin : [*starts, len(lines)][number + 1]])


def _value(lines: Sequence[str]) -> str | tuple[str, ...]:
    """Return the value of the key in `lines`: a string, a list of strings, or () if it is empty."""
    node = _composed(lines)
    if not _KEY.match(lines[0]) or node is None or node.id != "mapping":
        raise _WrongError(*_why_no_key(lines[0]))
    (_, value), *more = node.value
    if more:
        offset = more[0][0].start_mark.line
        raise _WrongError(*_why_no_key(lines[offset]), offset)
    _check_begin(value, lines)
    if value.id == "sequence":
        return tuple(_text_of(entry, lines) for entry in value.value)
    if value.id == "scalar" and value.start_mark.index == value.end_mark.index:
        return ()
    return _text_of(value, lines)


def _composed(lines: Sequence[str]) -> Any:
    """Return the YAML node of some lines, with every scalar as a string."""
    import yaml

    for offset, line in enumerate(lines):
        if "\t" in line and not line.lstrip().startswith("#"):
            raise _WrongError("contains a tab", "use spaces", offset)
        if _BREAKS.search(line):
            raise _unprintable(line, offset)
    try:
        return yaml.compose("\n".join(lines), Loader=yaml.BaseLoader)
    except yaml.MarkedYAMLError as error:
        raise _explained(error, lines) from None
    except RecursionError:
        raise _WrongError("lists are nested too deeply", "write one list of strings") from None
    except yaml.YAMLError:  # a character that YAML does not allow
        offset = next((offset for offset, line in enumerate(lines) if not line.isprintable()), 0)
        raise _unprintable(lines[offset], offset) from None


def _explained(error: MarkedYAMLError, lines: Sequence[str]) -> _WrongError:
    """Return the mistake for a YAML error, at the place where the faulty text begins."""
    marks = [mark for mark in (error.context_mark, error.problem_mark) if mark is not None]
    for mark in marks:
        first = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
        if first in _INDICATORS:
            return _WrongError(f"a string cannot begin with {first!r}", _in_quotes(lines[mark.line]), mark.line)
    mark = marks[0] if "stream" in str(error.problem) else marks[-1]  # what does not end is wrong where it begins
    offset = min(mark.line, len(lines) - 1)
    line = lines[offset]
    if error.problem == "mapping values are not allowed here":
        what = f"{line.partition(': ')[2].strip()!r:.60} contains a `:`, which has a meaning in YAML"
    else:
        what = ": ".join(part for part in (error.context, error.problem) if part)
    return _WrongError(what, _in_quotes(line), offset)


def _in_quotes(line: str) -> str:
    """Return the fix for a text that YAML cannot read, which is the value in this line."""
    text = line.partition(": ")[2].strip() or line.strip().removeprefix("- ")
    if text[:1] in "\"'[{":
        return "close lists and quotes at the end of the value, and put strings with special characters in quotes"
    return f"put it in quotes: {json.dumps(text, ensure_ascii=False)}"


def _why_no_key(line: str) -> tuple[str, str]:
    if line[0] == " ":
        return "continues the line above", "write each value on one line, and long text below the front matter"
    if _ITEM.match(line):
        return "a list item without a key", "write its key on the line above, e.g. `after:`"
    if re.match(r"[A-Za-z_][\w-]*:", line):
        return "no space after the colon", "write `key: value`"
    return f"{line!r:.60} is not `key: value`", "write `key: value`, or put the text below the front matter"


def _text_of(node: Any, lines: Sequence[str]) -> str:
    """Return the text of a scalar, which must be on a single line."""
    _check_begin(node, lines)
    first, last = node.start_mark, node.end_mark
    if node.id != "scalar":
        text = lines[first.line][first.column : last.column if last.line == first.line else None].strip()
        way_out = f"put it in quotes: {json.dumps(text, ensure_ascii=False)}"
        raise _WrongError(f"{text!r:.60} is a {node.id}, not a string", way_out, first.line)
    if first.line != last.line:
        raise _WrongError(*_why_no_key(" "), first.line + 1)
    if first.index == last.index:
        raise _WrongError("an empty value", 'write a value, or "" for an empty string', first.line)
    text = str(node.value)
    if not text.isprintable():
        raise _unprintable(text, first.line)
    return text


def _check_begin(node: Any, lines: Sequence[str]) -> None:
    """Raise for an anchor, a tag, or a string of several lines."""
    mark = node.start_mark
    first = lines[mark.line][mark.column : mark.column + 1] if mark.line < len(lines) else ""
    if first in ("|", ">"):
        way_out = "write it on one line, and long text below the front matter"
        raise _WrongError("a string of several lines", way_out, mark.line)
    if first in _INDICATORS:
        raise _WrongError(f"a string cannot begin with {first!r}", _in_quotes(lines[mark.line]), mark.line)


def _unprintable(text: str, offset: int) -> _WrongError:
    message = f"{text!r:.60} contains a character that cannot be shown on one line"
    return _WrongError(message, "remove that character", offset)


def written(values: Mapping[str, str | int | tuple[str, ...]]) -> str:
    """Return the front matter with these values, which `parse` reads back as the same strings."""
    lines = [EDGE]
    for key, value in values.items():
        if isinstance(value, tuple):
            text = f"[{', '.join(yaml_text.scalar(entry, _PLAIN) for entry in value)}]"
        else:
            text = str(value) if isinstance(value, int) else yaml_text.scalar(value, _PLAIN)
        lines.append(f"{key}: {text}")
    return "\n".join([*lines, EDGE, ""])
