"""From figures to pictures, beside the JSON of the same name."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence

from benchmarks import svg
from benchmarks.harness import RESULTS, Figure, machine, over, report


def write(name: str, picture: str) -> None:
    """Write the picture where tables go too."""
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.svg").write_text(picture)


def taken() -> str:
    """Return the text of a picture about the machine."""
    host = machine()
    made_of = f"{host['cores']} cores, {host['cpu']}, Linux {host['kernel']}, load {host['load']:.0f}"
    return f"median, minimum and maximum; {made_of}"


def cell(samples: Sequence[float], text: str = "{:,.4g}") -> svg.Cell:
    """Return a bar of the samples' median."""
    middle = statistics.median(samples)
    return svg.Cell(middle, min(samples), max(samples), text.format(middle))


def point(at: float, samples: Sequence[float]) -> svg.Point:
    """Return a point of the samples' median."""
    return svg.Point(at, statistics.median(samples), min(samples), max(samples))


def rates(title: str, figures: Sequence[Figure]) -> str:
    """Draw one bar per figure, the longest on top."""
    ranked = sorted(figures, key=lambda figure: -statistics.median(figure.samples))
    rows = [svg.Row(figure.name, [cell(figure.samples)], figure.name.startswith("orchd")) for figure in ranked]
    return svg.bars(title, taken(), [svg.Column(figures[0].unit)], rows)


def report_growth(
    name: str,
    title: str,
    things: str,
    units: Mapping[str, str],
    samples: Mapping[str, Mapping[int, Sequence[float]]],
    smallest: int,
) -> None:
    """The table and the picture of what grows, or not, with the number of agents that are `things`; each beside `least`
    of them."""
    report(
        name,
        [
            Figure(f"{measure}, {count:,} {things}", units.get(measure, "ms"), values, over(values, by_count[smallest]))
            for measure, by_count in samples.items()
            for count, values in by_count.items()
        ],
    )
    ratios = {
        measure: {count: over(values, by_count[smallest]) for count, values in by_count.items()}
        for measure, by_count in samples.items()
    }
    write(name, growth(title, (f"agents {things}", f"times what it is with {smallest}"), ratios))


def growth(title: str, axes: tuple[str, str], lines: Mapping[str, Mapping[int, Sequence[float]]]) -> str:
    """Draw a line per name; 0 has no logarithm and is left out."""
    series = [
        svg.Series(name, [point(at, samples) for at, samples in sorted(by_count.items()) if at])
        for name, by_count in lines.items()
    ]
    return svg.lines(title, taken(), axes, series)
