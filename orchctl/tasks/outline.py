"""Fits Markdown below a heading of another document: its headings go down, everything else stays the same."""

from __future__ import annotations

import re

from orchctl.plans.boxes import is_closed

_DEEPEST = 6
_MARKS = re.compile(r"#{1,6}(?=[ \t]|$)")
# Blocks that run to the end of a document unless closed (CommonMark 4.6), and what closes them.
_OPEN = (
    (re.compile(r" {0,3}<!--"), "-->"),
    (re.compile(r" {0,3}<\?"), "?>"),
    (re.compile(r" {0,3}<!\[CDATA\["), "]]>"),
    (
        re.compile(r" {0,3}<(?:pre|script|style|textarea)(?=[\s>]|$)", re.IGNORECASE),
        "</pre>",
    ),  # any of these end tags closes it
    (re.compile(r" {0,3}<![A-Za-z]"), ">"),
)
_RAW_END = re.compile(r"</(?:pre|script|style|textarea)>", re.IGNORECASE)


def lowered(text: str, level: int) -> str:
    """Return `text` with its highest headings at `level` and the others as far below them as before, at most 6.

    A block that the text leaves open, such as a code fence, is closed at its end.
    """
    from markdown_it import MarkdownIt

    lines = text.replace("\r\n", "\n").replace("\r", "\n").rstrip().split("\n")
    tokens = MarkdownIt("commonmark").parse("\n".join(lines))
    ending = []  # the line that closes a block left open at the end of the text
    last = next((token for token in reversed(tokens) if not token.level and token.map), None)
    if last is not None and last.map is not None:
        block = lines[last.map[0] : last.map[1]]
        if last.type == "fence" and not is_closed(last):
            ending = [last.markup]
        elif last.type == "html_block":
            content = _RAW_END.sub("</pre>", "\n".join(block))
            ending = [end for begin, end in _OPEN if begin.match(block[0]) and end not in content][:1]
    headings = [index for index, token in enumerate(tokens) if token.type == "heading_open"]
    down = level - min((int(tokens[index].tag[1]) for index in headings), default=level)
    for index in reversed(headings if down > 0 else []):
        heading, title = tokens[index], tokens[index + 1].content
        first, end = heading.map or (0, 0)
        marks = "#" * min(_DEEPEST, int(heading.tag[1]) + down)
        if heading.markup.startswith("#"):
            lines[first] = _MARKS.sub(marks, lines[first], count=1)
        elif not heading.level:  # an underline inside a list or a quotation stays: its marks cannot be told apart
            lines[first:end] = [f"{marks} {' '.join(title.split())}"]
    return "\n".join([*lines, *ending])
