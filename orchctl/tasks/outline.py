"""Markdown put below a heading of another document: its own headings go down, everything else stays as it is."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from orchctl.plans.boxes import is_closed

if TYPE_CHECKING:
    from markdown_it.token import Token

_DEEPEST = 6
_MARKS = re.compile(r"#{1,6}(?=[ \t]|$)")
# What goes on to the end of a document when nobody ends it (CommonMark 4.6), and what ends it.
_OPEN = (
    (re.compile(r" {0,3}<!--"), "-->"),
    (re.compile(r" {0,3}<\?"), "?>"),
    (re.compile(r" {0,3}<!\[CDATA\["), "]]>"),
    (re.compile(r" {0,3}<(?:pre|script|style|textarea)(?=[\s>]|$)", re.IGNORECASE), "</pre>"),  # any of them will do
    (re.compile(r" {0,3}<![A-Za-z]"), ">"),
)


def lowered(text: str, level: int) -> str:
    """`text` with its highest headings at `level` and the others as far below them as before, 6 at the most.

    What would go on beyond the end of the text, as a code fence that was never closed, ends with it.
    """
    from markdown_it import MarkdownIt

    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip().split("\n")
    tokens = MarkdownIt("commonmark").parse("\n".join(lines))
    ending = _ending(lines, tokens)
    headings = [index for index, token in enumerate(tokens) if token.type == "heading_open"]
    down = level - min((int(tokens[index].tag[1]) for index in headings), default=level)
    for index in reversed(headings if down > 0 else []):
        _lower(lines, tokens[index], tokens[index + 1].content, down)
    return "\n".join([*lines, *ending])


def _lower(lines: list[str], heading: Token, title: str, down: int) -> None:
    """Write a heading anew in `lines`."""
    first, end = heading.map or (0, 0)
    marks = "#" * min(_DEEPEST, int(heading.tag[1]) + down)
    if heading.markup.startswith("#"):
        lines[first] = _MARKS.sub(marks, lines[first], count=1)
    elif not heading.level:  # an underline inside a list or a quotation stays: its marks are not to be told apart
        lines[first:end] = [f"{marks} {' '.join(title.split())}"]


def _ending(lines: Sequence[str], tokens: Sequence[Token]) -> list[str]:
    """What ends a block of the top level that is open at the end of the text."""
    last = next((token for token in reversed(tokens) if not token.level and token.map), None)
    if last is None or last.map is None:
        return []
    block = lines[last.map[0] : last.map[1]]
    if last.type == "fence":
        return [] if is_closed(last) else [last.markup]
    if last.type == "html_block":
        return [end for begin, end in _OPEN if begin.match(block[0]) and not _is_ended(block, end)][:1]
    return []


def _is_ended(block: Sequence[str], end: str) -> bool:
    text = "\n".join(block).lower()
    return re.search(r"</(?:pre|script|style|textarea)>", text) is not None if end == "</pre>" else end in text
