"""Batch files: an agent as a JSON object on each line, or an array of them, checked as a whole before it is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

from orchctl.errors import UsageError
from orchctl.spawn.json_lines import JsonLine, JsonLines
from orchctl.spawn.request import with_absolute_paths
from orchd.protocol import schema
from orchd.protocol import specs as agentspec
from orchd.protocol.durations import duration
from orchd.protocol.frames import MOST, pack_request
from orchd.protocol.sizes import share, size

_EXAMPLE = Path(__file__).parents[1] / "schemas/batch-example.jsonl"
_CODE = "bad-batch"
_WRITTEN: dict[str, Callable[[str], float]] = {
    **dict.fromkeys(("timeout", "silence", "grace"), duration),
    "memory_max": size,
    "cpu_max": share,
}  # keys whose value may be a text with a unit


def read(source: str, directory: Path) -> list[dict[str, object]]:
    """Return the agents in a file, or on stdin for `-`; paths in it are relative to `directory`. Raises UsageError."""
    listing = JsonLines(source, _CODE, "spawned")
    entries = listing.entries(listing.text())
    if len(entries) > MOST:
        raise UsageError(
            f"{listing.title} has {len(entries):,} agents; a batch can have at most {MOST:,}. "
            f"Nothing was spawned; split the file, for example with `split -l {MOST}`.",
            code=_CODE,
        )
    specs = listing.converted(entries, lambda entry: _spec(listing, entry, directory))
    if not specs:
        raise UsageError(f"{listing.title} has no agents: write one JSON object per line, or one array", code=_CODE)
    return specs


def example_file() -> str:
    """Return an example of a batch file, which is valid."""
    return _EXAMPLE.read_text(encoding="utf-8")


def _spec(listing: JsonLines, entry: JsonLine, directory: Path) -> dict[str, object]:
    """Return the checked spec of an entry. Raises ListingError with the place of the entry and all its problems."""
    if not isinstance(entry.value, dict):
        raise listing.wrong(entry.place, 'must be an object like {"command": ["claude", "-p", "..."]}')
    spec = with_absolute_paths(entry.value, directory)
    wrong = dict(_read_units(spec))
    try:
        problems = [*wrong.values(), *_problems({key: value for key, value in spec.items() if key not in wrong})]
        if not problems:
            pack_request("check", "spawn", spec)
    except UnicodeEncodeError as error:
        problems = [f"{error.object!r} is not valid Unicode: it has an unpaired surrogate"]
    except OverflowError as error:
        problems = [str(error)]
    if problems:
        raise listing.wrong(entry.place, *problems)
    return spec


def _read_units(spec: dict[str, object]) -> Iterator[tuple[str, str]]:
    """Replace the texts with units by numbers. Yields the keys whose values are malformed, each with the message."""
    for key, reads in _WRITTEN.items():
        if isinstance(text := spec.get(key), str):
            try:
                spec[key] = reads(text)
            except ValueError as error:
                yield key, f"{key}: {error}"


def _problems(spec: dict[str, object]) -> list[str]:
    """Return every problem of a spec without units."""
    try:
        has_work = schema.parse(agentspec.AgentSpec, spec).has_work
    except schema.ShapeError:
        return [violation.message for violation in schema.violations(agentspec.AgentSpec, spec)]
    return [] if has_work else ["nothing to run: set `command`, or `goal` for a runner"]
