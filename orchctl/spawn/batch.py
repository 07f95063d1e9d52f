"""Batch files: an agent as a JSON object on each line, or an array of them, checked as a whole before it is sent."""

from __future__ import annotations

from collections.abc import Callable
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
    entries = list(listing.entries(listing.text()))
    if len(entries) > MOST:
        raise UsageError(
            f"{listing.title} has {len(entries):,} agents; a batch can have at most {MOST:,}. "
            f"Nothing was spawned; split the file, for example with `split -l {MOST}`.",
            code=_CODE,
        )
    specs = [_spec(listing, entry, directory) for entry in entries]
    if not specs:
        raise UsageError(f"{listing.title} has no agents: write one JSON object per line, or one array", code=_CODE)
    return specs


def example_file() -> str:
    """Return an example of a batch file, which is valid."""
    return _EXAMPLE.read_text(encoding="utf-8")


def _spec(listing: JsonLines, entry: JsonLine, directory: Path) -> dict[str, object]:
    """Return the checked spec of an entry. Raises UsageError with the place of the entry."""
    if not isinstance(entry.value, dict):
        raise listing.wrong(entry.place, 'must be an object like {"command": ["claude", "-p", "..."]}')
    spec = with_absolute_paths(entry.value, directory)
    try:
        for key, reads in _WRITTEN.items():
            if isinstance(text := spec.get(key), str):
                spec[key] = _number(key, reads, text)
        has_work = schema.parse(agentspec.AgentSpec, spec).has_work
        if has_work:
            pack_request("check", "spawn", spec)
    except UnicodeEncodeError as error:
        raise listing.wrong(
            entry.place, f"{error.object!r} is not valid Unicode: it has an unpaired surrogate"
        ) from None
    except (schema.ShapeError, OverflowError) as error:
        raise listing.wrong(entry.place, str(error)) from None
    if not has_work:
        raise listing.wrong(entry.place, "nothing to run: set `command`, or `goal` for a runner")
    return spec


def _number(key: str, reads: Callable[[str], float], text: str) -> float:
    try:
        return reads(text)
    except ValueError as error:
        raise schema.ShapeError(f"{key}: {error}") from None
