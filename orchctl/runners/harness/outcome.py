"""The outcome of an attempt: collected while it runs, then written as result file, report and exit code."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchctl.runners.harness.log import RunnerLog
from orchd.instance import runner_config, runner_report
from orchd.instance.system import atomic_file

RATE_LIMITED = 75  # EX_TEMPFAIL of sysexits.h: the daemon queues the agent again
FAILED = 1
_LONGEST = 500  # characters of a reason
_MILLION = 1e6

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class RunnerOutcome:
    """The outcome as known so far. Without a `fault` the attempt completed."""

    fault: str | None = None  # one line: why the attempt did not complete
    retry_at: float | None = None  # Unix time, when the fault is a rate limit
    result: str = ""  # its last message
    input_tokens: int = 0  # without tokens read from a cache
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    cost_source: str | None = None
    session_id: str | None = None
    model: str | None = None
    turns: int | None = None
    notes: list[runner_report.RunnerNote] = field(default_factory=list)

    def note(self, code: str, text: str) -> None:
        """Add a note for the operator that is not a failure."""
        self.notes.append(runner_report.RunnerNote(code, " ".join(text.split())[:_LONGEST]))

    def has_note(self, code: str) -> bool:
        """Whether there is a note of this kind."""
        return any(note.code == code for note in self.notes)

    @property
    def status(self) -> str:
        """The status in the report."""
        if self.fault is None:
            return "completed"
        return "failed" if self.retry_at is None else "rate-limited"

    def code(self, of_cli: int) -> int:
        """Return the runner's exit code where its CLI exited with `of_cli`."""
        return {"completed": 0, "rate-limited": RATE_LIMITED}.get(self.status, of_cli or FAILED)

    def estimate(self, prices: Mapping[str, runner_config.Price]) -> None:
        """Set the cost by the configured prices, unless the CLI has reported it."""
        price = prices.get(self.model or "") or prices.get("*")
        if price is None or self.cost_usd is not None or self.has_note(runner_report.USAGE_UNKNOWN):
            return
        tokens = (self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cache_write_tokens)
        self.cost_usd, self.cost_source = dollars(price, *tokens), "estimated"

    def report(self) -> runner_report.RunnerReport:
        """Return the report for the daemon."""
        return runner_report.RunnerReport(
            status=self.status,
            reason=" ".join(self.fault.split())[:_LONGEST] if self.fault else None,
            input_tokens=self.input_tokens,
            output_tokens=self.output_tokens,
            cache_read_tokens=self.cache_read_tokens,
            cache_write_tokens=self.cache_write_tokens,
            cost_usd=self.cost_usd,
            cost_source=self.cost_source if self.cost_usd is not None else None,
            session_id=self.session_id[:_LONGEST] if self.session_id else None,
            model=self.model[:_LONGEST] if self.model else None,
            turns=self.turns,
            retry_at=self.retry_at,
            notes=tuple(self.notes[: runner_report.MOST_NOTES]),
        )

    def summary(self, runner: str) -> str:
        """Return the last line of the log."""
        why = f": {' '.join(self.fault.split())[:_LONGEST]}" if self.fault else ""
        fresh = self.input_tokens + self.cache_write_tokens
        parts = []
        if fresh or self.output_tokens:
            parts += [f"{fresh:,} tokens in", f"{self.output_tokens:,} out"]
        if self.cache_read_tokens:
            parts.append(f"{self.cache_read_tokens:,} from a cache")
        if self.cost_usd:
            parts.append(f"${self.cost_usd:.4f}{'' if self.cost_source == 'cli' else ' estimated'}")
        spent = f" ({', '.join(parts)})" if parts else ""
        noted = "".join(f"; {note.text}" for note in self.notes)
        return f"{runner} {self.status}{spent}{why}{noted}"


def dollars(price: runner_config.Price, read: int, written: int, cache_read: int, cache_write: int) -> float:
    """Return the cost of these tokens."""
    of_cached = price.input if price.cache_read is None else price.cache_read
    of_caching = price.input if price.cache_write is None else price.cache_write
    sums = read * price.input + written * price.output + cache_read * of_cached + cache_write * of_caching
    return sums / _MILLION


def stamp(path: Path | None) -> Stamp | None:
    """Return inode, mtime and size, which differ for each version of a file; None when it is missing or empty."""
    try:
        status = os.stat(path) if path is not None else None  # noqa: PTH116 - one call for both
    except OSError:
        return None
    return (status.st_ino, status.st_mtime_ns, status.st_size) if status is not None and status.st_size else None


def keep_result(outcome: RunnerOutcome, path: Path, before: Stamp | None) -> None:
    """Write the result unless the agent has written the file itself: its last message; an empty one is a fault."""
    if (now := stamp(path)) is not None and now != before:
        return
    if not outcome.result:
        outcome.fault = f"no result at {path}"
        return
    try:
        atomic_file.write(path, outcome.result.encode(errors="replace"))
    except OSError as error:
        outcome.fault = f"its result cannot be written to {path}: {error.strerror}"


def leave_report(outcome: RunnerOutcome, path: Path | None, log: RunnerLog) -> None:
    """Write the report; if that fails, the daemon has only the exit code."""
    if path is None:
        return
    try:
        runner_report.write(path, outcome.report())
    except OSError as error:
        log.say(f"the report cannot be written to {path}: {error.strerror}")
