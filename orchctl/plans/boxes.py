"""Reads the checkboxes of a Markdown file. CommonMark decides what is a list item and what is code.

A line that looks like a task but is not for CommonMark is an error or a note, so that no task is lost silently.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

from orchctl.plans.shape import PlanError, Spot

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Sequence

    from markdown_it.token import Token

_ITEM = r"[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]+"
# A mark is one character, which a variation selector may follow, as in many emoji.
_MARK = r"\[(?P<mark>[^\[\]]\ufe0f?)\](?P<star>(?:\\?\*)?)"
# `[P] tasks = ...` explains a label in every plan of spec-kit.
_LEGEND = r"(?!\[P\][ \t]+(?!\W*(?:T?\d|[A-Z][A-Z0-9_]*-\d)))"
_BOX = re.compile(rf"{_MARK}[ \t]+(?P<text>\S[^\n]*)")
_BARE = re.compile(r"\[[^\w\[\]]\ufe0f?\](?:\\?\*)?[ \t]*(?:\n|$)|\[[xX]\](?:\\?\*)?[ \t]*(?:\n|$)")
_LIKE = re.compile(rf"^{_ITEM}{_LEGEND}{_MARK}[ \t]+\S")
_COMMENTED = re.compile(rf"^[ \t]*<!--{_ITEM}{_LEGEND}{_MARK}[ \t]+\S")
# A box with a slip in it; `[x](...)`, `[x][...]` and `[x]: ...` are links.
_SLIP = re.compile(
    r"^[ \t]*(?:[-*+]|\d{1,9}[.)])[ \t]*\[(?:[ \t]{0,2}[xX]?[ \t]{0,2}|(?i:xx|ok|yes|done))\](?![(\[:])[ \t]*\S"
)
# Spaces that separate words for people and not for CommonMark: a no-break space looks like any other.
_OTHER_SPACE = re.compile(r"[^\S \t\r\n\f\v]")
_QUOTED = re.compile(r"^[ \t]*>")
_BREAK = re.compile(r"\r\n?|\n")
DONE = "xX✓✔✅☑"  # the marks of done tasks


class Heading(NamedTuple):
    """A heading with its line."""

    level: int
    title: str
    line: int


class Code(NamedTuple):
    """A code block: its language, its text, and the line in which it begins."""

    language: str
    text: str
    line: int
    headings: tuple[Heading, ...]


@dataclass(slots=True)
class Box:
    """A checkbox. `text` is its first line, `more` the rest of its paragraph; `lines` are all lines of the file.

    Lines `line` to `end` belong to it, from 1; its paragraph ends before the line `below`.
    """

    line: int
    below: int
    end: int
    mark: str
    is_starred: bool
    text: str
    more: list[str]
    spot: Spot
    headings: tuple[Heading, ...]
    parent: Box | None
    lines: list[str]
    boxes: list[Box] = field(default_factory=list)

    @property
    def own(self) -> list[str]:
        """Return the lines below it that belong to no inner box."""
        inner = {number for box in self.boxes for number in range(box.line, box.end + 1)}
        return [self.lines[number - 1] for number in range(self.below, self.end + 1) if number not in inner]

    @property
    def whole(self) -> list[str]:
        """Return all its lines."""
        return self.lines[self.line - 1 : self.end]

    @property
    def is_done(self) -> bool:
        """Whether the checkbox is ticked."""
        return self.mark[0] in DONE

    @property
    def held(self) -> str:
        """Return why nothing is started for it although it is not ticked; empty if nothing holds it."""
        if self.is_done or self.mark.isspace():
            return ""
        return "in progress" if self.mark == "-" else f"its box is [{self.mark}]"


@dataclass(slots=True)
class Page:
    """The contents of a Markdown file."""

    boxes: list[Box]
    codes: list[Code]
    prose: list[tuple[int, str]]  # paragraphs that belong to no box, by line
    notes: list[str]


def read(text: str) -> Page:
    """Read the boxes of a text in order. Raises PlanError for text that looks like a task but is not read as such."""
    from markdown_it import MarkdownIt

    lines = _Lines(text)
    links: dict[str, dict[str, object]] = {}
    tokens = MarkdownIt("commonmark").parse(lines.text, links)
    reader = _BoxReader(lines, links.get("references", {}))
    reader.take(tokens)
    reader.check()
    return Page(reader.boxes, reader.codes, reader.prose, reader.notes)


class _Lines:
    """A text by lines, as CommonMark divides it, without a byte order mark."""

    def __init__(self, text: str) -> None:
        self._skipped = 1 if text.startswith("\ufeff") else 0
        self.text = text[self._skipped :]
        breaks = list(_BREAK.finditer(self.text))
        self.starts = [0, *(line_break.end() for line_break in breaks)]
        ends = [*(line_break.start() for line_break in breaks), len(self.text)]
        self.all = [self.text[start:end] for start, end in zip(self.starts, ends, strict=True)]
        for number, line in enumerate(self.all, 1):
            if "\0" in line:  # CommonMark replaces it, and no program takes it as an argument
                raise PlanError(number, "contains a null character (U+0000): remove it")

    def spot(self, line: int, column: int, length: int) -> Spot:
        """Return the place of some characters, in a line counted from 0."""
        start = self._skipped + self.starts[line] + column
        return Spot(start, start + length)


class _BoxReader:
    def __init__(self, lines: _Lines, links: Collection[str]) -> None:
        self._links = links  # the names of the links that the text defines, in capitals
        self.boxes: list[Box] = []
        self.codes: list[Code] = []
        self.prose: list[tuple[int, str]] = []
        self.notes: list[str] = []
        self._lines = lines
        self._headings: tuple[Heading, ...] = ()
        self._items: list[tuple[int, Box | None]] = []  # the open list items: where they end, their boxes
        self._known: set[int] = set()  # lines that are boxes, from 0
        self._blocks: list[Token] = []

    def take(self, tokens: Sequence[Token]) -> None:
        quotes = 0
        for index, token in enumerate(tokens):
            quotes += {"blockquote_open": 1, "blockquote_close": -1}.get(token.type, 0)
            if token.type == "heading_open" and not quotes:
                title = tokens[index + 1].content
                level, line = int(token.tag[1]), (token.map or [0])[0] + 1
                above = (heading for heading in self._headings if heading.level < level)
                self._headings = (*above, Heading(level, " ".join(title.split()), line))
            elif token.type == "list_item_open":
                inline = tokens[index + 2] if tokens[index + 1].type == "paragraph_open" else None
                self._item(token, None if quotes else inline)
            elif token.type == "list_item_close":
                self._items.pop()
            elif token.type in {"fence", "code_block", "html_block"}:
                self._blocks.append(token)
                if token.type == "fence" and token.map:
                    self.codes.append(Code(token.info.strip(), token.content, token.map[0] + 1, self._headings))
            elif token.type == "inline" and token.map and not any(box for _, box in self._items):
                self.prose.append((token.map[0] + 1, token.content))

    def _item(self, token: Token, inline: Token | None) -> None:
        parent = next((box for _, box in reversed(self._items) if box), None)
        end = (token.map or [0, 0])[1]
        match = _BOX.match(inline.content) if inline is not None else None
        if inline is not None and inline.map and _BARE.match(inline.content):
            line = inline.map[0] + 1
            if any(map(str.strip, self._lines.all[line:end])):
                raise PlanError(line, "a box without a title: write the title on the same line")
        if inline is not None and inline.map and match is not None and match["mark"].upper() in self._links:
            self._known.add(inline.map[0])
            match = None
        if inline is None or inline.map is None or match is None:
            self._items.append((end, None))
            return
        first, last = inline.map
        raw = self._lines.all[first]
        column = raw.rfind(inline.content.split("\n")[0].rstrip())
        if column < 0:  # the parser has removed a line that is white space for it, and not for CommonMark
            raise PlanError(first + 1, f"{raw.strip(' ')!r} before a box is a control character: remove it")
        box = Box(
            line=first + 1,
            below=last + 1,
            end=end,
            mark=match["mark"],
            is_starred=bool(match["star"]),
            text=match["text"].rstrip(),
            more=self._lines.all[first + 1 : last],
            spot=self._lines.spot(first, column + 1, len(match["mark"])),
            headings=self._headings,
            parent=parent,
            lines=self._lines.all,
        )
        self._known.add(first)
        self._items.append((end, box))
        self.boxes.append(box)
        if parent is not None:
            parent.boxes.append(box)

    def check(self) -> None:
        """Raise PlanError for a task that CommonMark reads as other text; note tasks that are rightly code."""
        missed = [
            number
            for number, line in enumerate(self._lines.all)
            if number not in self._known
            and any(like.match(_OTHER_SPACE.sub(" ", line)) for like in (_LIKE, _SLIP))
            and not _QUOTED.match(line)
        ]
        commented = [number for number, line in enumerate(self._lines.all) if _COMMENTED.match(line)]
        for token in self._blocks:
            first, end = token.map or (0, 0)
            inside = sorted(number for number in {*missed, *commented} if first <= number < end)
            if inside:
                self._check_block(token, inside)
                what = (
                    "box in code or a comment is not a task"
                    if len(inside) == 1
                    else "boxes in code or a comment are not tasks"
                )
                self.notes.append(f"line {first + 1}: {len(inside)} {what}")
                missed = [number for number in missed if not first <= number < end]
        for number in missed[:1]:
            line = self._lines.all[number]
            if (space := _OTHER_SPACE.search(line)) and not _LIKE.match(line):
                what = f"has U+{ord(space[0]):04X} in place of a space"
                raise PlanError(number + 1, f"looks like a task, but {what}: write `- [ ] Title` with plain spaces")
            if _LIKE.match(line):
                what = "looks like a task, but Markdown reads it as text of the lines above"
                raise PlanError(number + 1, f"{what}: put an empty line before it, or indent it less")
            raise PlanError(number + 1, "looks like a task, but is not valid: write `- [ ] Title`, or `- [x] Title`")

    def _check_block(self, block: Token, inside: Sequence[int]) -> None:
        first, end = block.map or (0, 0)
        lines = self._lines.all[first:end]
        if block.type == "code_block":
            what = "looks like a task, but Markdown reads it as code because it is indented by four spaces"
            raise PlanError(inside[0] + 1, f"{what}: indent it less")
        if block.type == "html_block":
            if not lines[0].lstrip().startswith("<!--"):
                what = "looks like a task, but Markdown reads it as HTML"
                raise PlanError(
                    inside[0] + 1, f"{what}, which ends at an empty line: put an empty line before the task"
                )
            if "-->" not in "\n".join(lines):
                what = f"the comment that begins here has no end and includes the task in line {inside[0] + 1}"
                raise PlanError(first + 1, f"{what}: end it with `-->`")
            return
        if not is_closed(block):
            what = f"the code fence that begins here has no end and includes the task in line {inside[0] + 1}"
            raise PlanError(first + 1, f"{what}: end it with a line `{block.markup}`")
        again = re.compile(rf"[ \t]*{re.escape(block.markup)}{block.markup[0]}*[ \t]*\w")
        inner = next((number for number in range(first + 1, end) if again.match(self._lines.all[number])), end)
        behind = next((number for number in inside if number > inner), None)
        if behind is not None:
            what = (
                f"a code fence begins inside the code fence of line {first + 1}, before the task in line {behind + 1}"
            )
            raise PlanError(inner + 1, f"{what}: end the first code fence before it")


def is_closed(fence: Token) -> bool:
    """Whether a code fence has a closing line: the block is then two lines longer than its contents."""
    first, end = fence.map or (0, 0)
    inside = len(fence.content.removesuffix("\n").split("\n")) if fence.content else 0
    return end - first == inside + 2


def outermost(boxes: Sequence[Box]) -> Iterator[Box]:
    """Yield the boxes that are inside no other box."""
    return (box for box in boxes if box.parent is None)


def flush(lines: Sequence[str]) -> str:
    """Return lines without their common indent."""
    from textwrap import dedent

    return dedent("\n".join(lines).expandtabs()).strip()
