"""What became of an attempt: kept as it is heard, then the result file, the report, and the exit code."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from orchctl.runners.harness.log import Log
from orchd.instance import runner_config, runner_report
from orchd.instance.system import atomic_file

RATE_LIMITED = 75  # EX_TEMPFAIL of sysexits.h: the daemon queues the agent again
FAILED = 1
_LONGEST = 500  # characters of a reason
_MILLION = 1e6

Stamp = tuple[int, int, int]


@dataclass(slots=True)
class Outcome:
    """What is known so far. Without a `fault` it completed."""

    fault: str | None = None  # one line: why it did not
    retry_at: float | None = None  # Unix time, when the fault is a rate limit
    result: str = ""  # what it said last
    input_tokens: int = 0  # without those read from a cache
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    cost_usd: float | None = None
    cost_source: str | None = None
    session_id: str | None = None
    model: str | None = None
    turns: int | None = None
    notes: list[runner_report.Note] = field(default_factory=list)

    def note(self, code: str, text: str) -> None:
        """Keep something that a person should know and that is no failure."""
        self.notes.append(runner_report.Note(code, " ".join(text.split())[:_LONGEST]))

    def has_note(self, code: str) -> bool:
        """Whether there is a note of this kind."""
        return any(note.code == code for note in self.notes)

    @property
    def status(self) -> str:
        """In the report's words."""
        if self.fault is None:
            return "completed"
        return "failed" if self.retry_at is None else "rate-limited"

    def code(self, of_cli: int) -> int:
        """The runner's exit code where its CLI ended with `of_cli`."""
        return {"completed": 0, "rate-limited": RATE_LIMITED}.get(self.status, of_cli or FAILED)

    def estimate(self, prices: Mapping[str, runner_config.Price]) -> None:
        """Say what it cost, if the user has said what its model costs, and the CLI has not."""
        price = prices.get(self.model or "") or prices.get("*")
        if price is None or self.cost_usd is not None or self.has_note(runner_report.USAGE_UNKNOWN):
            return
        tokens = (self.input_tokens, self.output_tokens, self.cache_read_tokens, self.cache_write_tokens)
        self.cost_usd, self.cost_source = dollars(price, *tokens), "estimated"

    def report(self) -> runner_report.Report:
        """What the daemon reads."""
        return runner_report.Report(
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
        """The last line of the log."""
        why = f": {' '.join(self.fault.split())[:_LONGEST]}" if self.fault else ""
        spent = ", ".join(self._spent())
        noted = "".join(f"; {note.text}" for note in self.notes)
        return f"{runner} {self.status}{f' ({spent})' if spent else ''}{why}{noted}"

    def _spent(self) -> Iterator[str]:
        fresh = self.input_tokens + self.cache_write_tokens
        if fresh or self.output_tokens:
            yield f"{fresh:,} tokens in"
            yield f"{self.output_tokens:,} out"
        if self.cache_read_tokens:
            yield f"{self.cache_read_tokens:,} from a cache"
        if self.cost_usd:
            yield f"${self.cost_usd:.4f}{'' if self.cost_source == 'cli' else ' estimated'}"


def dollars(price: runner_config.Price, read: int, written: int, cache_read: int, cache_write: int) -> float:
    """What so many tokens cost."""
    of_cached = price.input if price.cache_read is None else price.cache_read
    of_caching = price.input if price.cache_write is None else price.cache_write
    sums = read * price.input + written * price.output + cache_read * of_cached + cache_write * of_caching
    return sums / _MILLION


def stamp(path: Path | None) -> Stamp | None:
    """What tells one version of a file from the next; None when there is none or it is empty."""
    try:
        found = os.stat(path) if path is not None else None  # noqa: PTH116 - one call for both
    except OSError:
        return None
    return (found.st_ino, found.st_mtime_ns, found.st_size) if found is not None and found.st_size else None


def keep_result(outcome: Outcome, path: Path, before: Stamp | None) -> None:
    """Leave a result: the agent's own file if it has written one, its last words otherwise; nothing is a fault."""
    if (now := stamp(path)) is not None and now != before:
        return
    if not outcome.result:
        outcome.fault = f"it left no result at {path}"
        return
    try:
        atomic_file.write(path, outcome.result.encode(errors="replace"))
    except OSError as error:
        outcome.fault = f"its result cannot be written to {path}: {error.strerror}"


def leave_report(outcome: Outcome, path: Path | None, log: Log) -> None:
    """Write the report; where that cannot be done the exit code has to do."""
    if path is None:
        return
    try:
        runner_report.write(path, outcome.report())
    except OSError as error:
        log.say(f"the report cannot be written to {path}: {error.strerror}")
