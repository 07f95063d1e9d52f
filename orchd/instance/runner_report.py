"""The report of a runner about an attempt: a small JSON file, written once, before the runner ends.

The daemon reads it when the attempt has ended; it never reads the output of the agent.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Annotated, Any, NamedTuple

from orchd.instance import formats
from orchd.instance.system import atomic_file as whole
from orchd.instance.system.open_file import open_file
from orchd.protocol.schema import Constraint, ShapeError, parse
from orchd.protocol.statuses import SIMULATED

VERSION = 2  # of a report; it is not written, so that a daemon that was not restarted since an upgrade reads it too
LONGEST = 65_536  # bytes of a report; the result itself is a file of its own
STATUSES = ("completed", "failed", "rate-limited")
COST_SOURCES = ("cli", "estimated", SIMULATED)

_Count = Annotated[int, Constraint(lambda number: 0 <= number <= 10**15, "between 0 and 10^15")]
_LONGEST_TEXT = 4096
_Text = Annotated[str, Constraint(lambda text: len(text) <= _LONGEST_TEXT, f"at most {_LONGEST_TEXT} characters")]
_Amount = Annotated[float, Constraint(lambda number: 0 <= number <= 10**12, "between 0 and 10^12")]
MOST_NOTES = 16

NOTHING_COMMITTED = "nothing-committed"  # an agent with a worktree made no commit in it
PERMISSIONS_DENIED = "permissions-denied"
NOTHING_PERMITTED = "nothing-permitted"  # each of its tools that changes anything was denied
BACKGROUND_KILLED = "background-killed"  # a process that was meant to stay ends with its agent
CLI_ENDED = "cli-ended"  # the CLI printed its result and did not exit
USAGE_ESTIMATED = "usage-estimated"  # tokens and cost are an upper estimate
USAGE_UNKNOWN = "usage-unknown"  # what it took is more than the report says
NOTES = (
    *(NOTHING_COMMITTED, PERMISSIONS_DENIED, NOTHING_PERMITTED, BACKGROUND_KILLED, CLI_ENDED),
    *(USAGE_ESTIMATED, USAGE_UNKNOWN),
)
"""The codes of notes."""


class RunnerNote(NamedTuple):
    """A note about an attempt for the user that is not a failure."""

    code: str  # one of NOTES
    text: str  # one line: `3 permissions denied`


_Notes = Annotated[
    tuple[tuple[_Text, ...], ...],
    Constraint(lambda notes: len(notes) <= MOST_NOTES, f"at most {MOST_NOTES} notes"),
    Constraint(lambda notes: all(len(note) == len(RunnerNote._fields) for note in notes), "pairs of a code and a text"),
]


@dataclass(frozen=True, slots=True)
class RunnerReport:
    """The result of an attempt as its runner reports it. Tokens are counted as the agent's own CLI counts them."""

    status: Annotated[str, Constraint(STATUSES.__contains__, f"one of {', '.join(STATUSES)}")]
    reason: _Text | None = None  # one line: why it is not `completed`
    input_tokens: _Count = 0  # without tokens read from a cache
    output_tokens: _Count = 0
    cache_read_tokens: _Count = 0
    cache_write_tokens: _Count = 0
    cost_usd: _Amount | None = None
    cost_source: Annotated[str, Constraint(COST_SOURCES.__contains__, f"one of {', '.join(COST_SOURCES)}")] | None = (
        None
    )
    session_id: _Text | None = None  # the agent's own, by which its CLI resumes it
    model: _Text | None = None
    turns: _Count | None = None
    retry_at: _Amount | None = None  # Unix time before which the runner should not be asked again, when rate-limited
    notes: _Notes = ()  # since version 2


_KEYS = {field.name for field in fields(RunnerReport)}


def cleaned(value: Any) -> Any:
    """Return JSON without control characters in its texts: a NUL in the reason of a CLI must not cost the report."""
    if isinstance(value, str):
        return value if value.isprintable() else "".join(char if char.isprintable() else " " for char in value).strip()
    if isinstance(value, dict):
        return {key: cleaned(item) for key, item in value.items()}
    return [cleaned(item) for item in value] if isinstance(value, list | tuple) else value


def write(path: Path, report: RunnerReport) -> None:
    """Write `report` to `path`, as a whole or not at all."""
    whole.write(path, json.dumps(cleaned(asdict(report))).encode(), mode=0o600)


def read(path: str) -> RunnerReport | None:
    """Return the report at `path`; None when it is missing or invalid: then the exit code alone decides."""
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except OSError:
        return None
    try:
        # JSON may hold half of a character, which no database takes
        text = json.dumps(json.loads(os.read(descriptor, LONGEST)), ensure_ascii=False).encode("utf-8", "replace")
        whole = dict(json.loads(text))
        formats.check(path, whole, VERSION, "retry the agent")
        return parse(RunnerReport, {key: cleaned(value) for key, value in whole.items() if key in _KEYS})
    except (ShapeError, ValueError, TypeError, OSError, RecursionError, formats.NewerFormatError):
        return None
    finally:
        os.close(descriptor)
