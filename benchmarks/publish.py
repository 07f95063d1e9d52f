"""Write the figures of the last runs into the documents: `python -m benchmarks.publish`, after a quiet `make bench`."""

from __future__ import annotations

import json
import shutil
import statistics
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.harness import RESULTS

ROOT = Path(__file__).parents[1]
PICTURES = ("nesting", "listing")  # shown in docs/benchmarks.md
BEGIN, END = "<!-- made by benchmarks.publish -->", "<!-- end of figures -->"


def spread(samples: Sequence[float]) -> str:
    """Return `median [least-most]` for a table."""
    return f"{statistics.median(samples):,.3g} [{min(samples):,.3g}-{max(samples):,.3g}]"


def table(subject: str, result: Mapping[str, Any]) -> Iterable[str]:
    """Return the table of one subject, with the load at the time of the measurement."""
    machine, figures = result["machine"], result["figures"]
    yield f"### {subject}"
    yield ""
    yield f"Load {machine['load']:.1f} at the end, {machine['cores']} cores."
    yield ""
    yield "| what | figure | unit | ratio | |"
    yield "|---|---|---|---|---|"
    for figure in figures:
        ratio = spread(figure["ratios"]) if figure["ratios"] else ""
        remarks = "; ".join(filter(None, (f"goal {figure['goal']}" * bool(figure["goal"]), figure.get("note", ""))))
        yield f"| {figure['name']} | {spread(figure['samples'])} | {figure['unit']} | {ratio} | {remarks} |"
    yield ""


def replaced(text: str, lines: Iterable[str]) -> str:
    """Return a document with new figures."""
    head, _, tail_text = text.partition(BEGIN)
    _, old, tail = tail_text.partition(END)
    if not old:
        raise SystemExit(f"there is no {BEGIN} with {END} after it")
    body = "\n".join(lines).strip("\n")
    return f"{head}{BEGIN}\n{body}\n{END}{tail}"


def main(results: Path = RESULTS, root: Path = ROOT) -> None:
    """Write all tables, in the order in which they are taken, and the pictures."""
    from benchmarks.__main__ import NAMES

    names_present = [name for name in NAMES if (results / f"{name}.json").exists()]
    lines = [line for name in names_present for line in table(name, json.loads((results / f"{name}.json").read_text()))]
    document = root / "docs/benchmarks.md"
    document.write_text(replaced(document.read_text(), lines))
    for name in PICTURES:
        if (results / f"{name}.svg").exists():
            shutil.copy(results / f"{name}.svg", root / "docs/images" / f"bench-{name}.svg")


if __name__ == "__main__":
    main()
