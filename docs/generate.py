"""Writes the parts of docs/ that are made from the code, between their markers, so that they cannot lie."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

from orchctl.table import COMMANDS, Argument, Option
from orchd.core.facts import AgentQueued
from orchd.core.model import OVER, Status
from orchd.core.table import NEXT

DOCS = Path(__file__).parent


def states() -> str:
    """The table of transitions as a Mermaid diagram; facts that change nothing but the agent itself are left out."""
    lines = ["```mermaid", "stateDiagram-v2"]
    arrows: dict[tuple[Status | None, Status], list[str]] = {}
    for (start, fact), end in NEXT.items():
        if start is not end:
            arrows.setdefault((start, end), []).append(fact.__name__)
    for (start, end), facts in arrows.items():
        origin = "[*]" if start is None else _node(start)
        lines.append(f"    {origin} --> {_node(end)}: {', '.join(facts)}")
    lines += [f"    {_node(status)} --> [*]" for status in Status if status in OVER]
    assert (None, AgentQueued) in NEXT
    return "\n".join([*lines, "```"])


def _node(status: Status) -> str:
    return status.value.replace("-", "_")


def commands() -> str:
    """Every command with its options, from the table that both parsers are made of."""
    return "\n".join(line for command in COMMANDS.values() for line in _command(command.words, command))


def _command(words: tuple[str, ...], command: object) -> Iterator[str]:
    arguments: tuple[Argument, ...] = command.arguments  # type: ignore[attr-defined]
    options: tuple[Option, ...] = command.options  # type: ignore[attr-defined]
    shown = " ".join(argument.metavar for argument in arguments)
    yield f"### orchctl {' '.join(words)} {shown}".rstrip()
    yield ""
    yield command.help  # type: ignore[attr-defined]
    yield ""
    if options:
        yield "| option | |"
        yield "|---|---|"
        for option in options:
            flags = ", ".join(f"`{flag}`" for flag in option.flags)
            value = f" {option.metavar}" if option.metavar else ""
            yield f"| {flags}{value}{' (repeatable)' if option.many else ''} | {option.help} |"
        yield ""


MADE = {"architecture.md": ("states", states), "commands.md": ("commands", commands)}


def written(text: str, name: str, part: str) -> str:
    """`text` with what stands between the markers of `name` replaced by `part`."""
    begin, end = f"<!-- made by generate.py: {name} -->\n", f"\n<!-- end of {name} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{part}{end}{after}"


def main() -> int:
    """Rewrite every file that has such a part."""
    for file, (name, make) in MADE.items():
        path = DOCS / file
        path.write_text(written(path.read_text(), name, make()))
    return 0


if __name__ == "__main__":
    sys.exit(main())
