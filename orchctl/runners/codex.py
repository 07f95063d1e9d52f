"""Codex: `codex exec --json`, with an event on each line.

It has completed if it exited with 0, completed its turn, and none of its commands was still running.
"""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchctl.runners.harness import leftovers, rate_limits, resuming
from orchctl.runners.harness.attempt import Attempt
from orchctl.runners.harness.json_access import at, count, items, parsed, text
from orchctl.runners.harness.lines import OutputLine
from orchctl.runners.harness.log import RunnerLog, short
from orchctl.runners.harness.outcome import RunnerOutcome
from orchd.instance import runner_report
from orchd.instance.system import open_file

# Subagents would work beside the limit: none are allowed, or one at a time. A version that does not know these keys
# ignores them.
_NO_AGENTS = ("-c", "features.multi_agent=false", "-c", "features.multi_agent_v2=false")
_ONE_AGENT = ("-c", "agents.max_threads=1")
# A login shell sets PATH anew on many systems, and then an agent does not find `orchctl`.
_OWN_PATH = ("-c", "allow_login_shell=false")
_EXIT = 3.0  # seconds without output in which it has to exit after its turn
_ACTING = frozenset({"command_execution", "file_change", "mcp_tool_call"})


class Codex:
    """Reads the events of a `codex exec` process."""

    takes_stdin = True
    is_read = True
    reads_errors = True
    is_interrupted = False

    def __init__(self, attempt: Attempt, log: RunnerLog, last: Path | None) -> None:
        settings = attempt.settings
        self.resumed = resuming.session(attempt, attempt.environment({}), log)
        self.argv = [
            *(settings.command or ("codex",)),
            *("exec", "--json"),
            *(("--output-last-message", str(last)) if last else ()),
            *_OWN_PATH,
            *(_ONE_AGENT if settings.subagents else _NO_AGENTS),
            *(("--model", attempt.model) if attempt.model else ()),
            *settings.args,
            *attempt.arguments,
            *(("resume", self.resumed) if self.resumed else ()),  # after the options, of which it has few itself
            "-",
        ]
        self.caps: dict[str, str] = {}
        self.outcome = RunnerOutcome()
        self._log = log
        self._last = last
        self._turns = 0
        self._has_worked = False  # whether the model has written anything at all
        self._going: dict[str, str] = {}  # commands that have not ended, by item
        self._acted: list[str] = []  # the statuses of what it did
        self.is_answered = False
        self._has_usage = False  # whether the usage of all its turns is known
        self._fault = ""  # the last word on why a turn failed

    def hear(self, line: OutputLine) -> None:
        """Take an event."""
        if not line.is_whole:
            self._log.say(f"[a line of {line.size:,} bytes is omitted]")
            return
        event = parsed(line.data)
        if not isinstance(event, dict):
            self._log.say(line.data.decode(errors="replace"))
            return
        kind = text(event, "type")
        if kind == "thread.started":
            self.outcome.session_id = text(event, "thread_id") or None
            self._log.say(f"codex, session {self.outcome.session_id}")
        elif kind == "turn.started":
            self.is_answered = self._has_usage = False
        elif kind == "turn.completed":
            self._turns += 1
            self._fault = ""
            self.is_answered = True
            self._has_usage = True
            # the totals of the whole thread, in which cached tokens are part of the input
            outcome, usage = self.outcome, at(event, "usage")
            outcome.cache_read_tokens = count(usage, "cached_input_tokens")
            outcome.cache_write_tokens = count(usage, "cache_write_input_tokens")
            cached = outcome.cache_read_tokens + outcome.cache_write_tokens
            outcome.input_tokens = max(0, count(usage, "input_tokens") - cached)
            outcome.output_tokens = count(usage, "output_tokens")
        elif kind in ("turn.failed", "error"):
            self.is_answered = kind == "turn.failed"
            self._note_failure(text(event, "error", "message") or text(event, "message"))
        elif kind in ("item.started", "item.completed"):
            self._item(at(event, "item"), is_over=kind == "item.completed")

    def hear_error(self, line: OutputLine) -> None:
        """Record a patch that was not permitted: it is only in standard error, not an event."""
        if _REJECTED in line.data:
            self._acted.append(_DENIED)

    def patience(self) -> float | None:
        """Return the seconds in which the CLI must exit after its turn, and end its commands; None before."""
        return _EXIT if self.is_answered else None

    def so_far(self) -> RunnerOutcome:
        """Return the usage known so far: nothing before the first turn is completed."""
        outcome = replace(self.outcome, notes=[])
        self._note_usage(outcome)
        return outcome

    def judge(self, code: int, left: list[leftovers.LeftProcess]) -> None:
        """Complete the outcome after the exit: notes, the fault if there is one, and the result."""
        outcome = self.outcome
        outcome.turns = self._turns or None
        self._note_denied()
        self._note_usage(outcome)
        jobs = self._cut_commands(left)
        if code or self._fault or not self._turns:
            outcome.fault = self._fault or (f"exit code {code}" if code else "Codex exited without completing its turn")
            if rate_limits.is_limit(self._fault):
                outcome.retry_at = rate_limits.retry_at(self._fault, None, rate_limits.now())
            return
        if not self.is_answered:
            outcome.fault = "Codex exited in the middle of a turn that began after its result"
        elif not self._has_worked and not outcome.output_tokens:
            outcome.fault = "its turn was empty: the model produced no output"
        elif jobs:
            outcome.fault = f"Codex exited before its commands ended: {', '.join(map(short, jobs))}"
        if self._last is not None:
            with suppress(OSError):  # without the file, the last message in the stream is the result
                message = open_file.read_as_text(self._last)
                outcome.result = message if message.strip() else outcome.result

    def _cut_commands(self, left: list[leftovers.LeftProcess]) -> list[str]:
        """Return the commands that were still running at the end; a server is only noted."""
        jobs = []
        for command in self._going.values():
            if leftovers.serves(inner := _shell_command(command), left):
                self.outcome.note(runner_report.BACKGROUND_KILLED, f"background work killed: {short(inner)}")
            else:
                jobs.append(inner)
        return jobs

    def _note_usage(self, outcome: RunnerOutcome) -> None:
        has_requested = self._has_worked or (outcome.session_id and not self._fault)
        if has_requested and not self._has_usage:
            outcome.note(runner_report.USAGE_UNKNOWN, "ended before it reported its usage: tokens and cost are unknown")

    def _note_denied(self) -> None:
        if count := self._acted.count(_DENIED):
            self.outcome.note(runner_report.PERMISSIONS_DENIED, f"{count} permission{'s' * (count != 1)} denied")
            if "completed" not in self._acted:
                self.outcome.note(runner_report.NOTHING_PERMITTED, "no tool that makes changes was permitted")

    def _note_failure(self, why: str) -> None:
        if why and why != self._fault:  # it is reported twice
            self._log.say(f"error: {why}")
        self._fault = why or self._fault or "its turn failed"

    def _item(self, item: Any, *, is_over: bool) -> None:
        kind, failed = text(item, "type"), text(item, "status") == "failed"
        self._has_worked |= kind not in ("", "error")
        if kind == "command_execution":
            self._going[text(item, "id")] = text(item, "command")
        if is_over:
            self._going.pop(text(item, "id"), None)
            if kind in _ACTING:
                is_kept_out = failed and _KEPT_OUT in text(item, "aggregated_output")
                self._acted.append(_DENIED if is_kept_out else text(item, "status"))
        if kind == "command_execution" and not is_over:
            self._log.say(f"command: {short(text(item, 'command'))}")
        elif kind == "command_execution" and failed:
            last_line = text(item, "aggregated_output").strip().rpartition("\n")[2]
            self._log.say(f"exit {count(item, 'exit_code')}: {short(last_line)}", "  ")
        elif is_over and kind == "agent_message":
            self.outcome.result = text(item, "text") if text(item, "text").strip() else self.outcome.result
            self._log.say(text(item, "text"))
        elif is_over and (summary := _SUMMARIES.get(kind)) is not None:
            name = "note" if kind == "error" else kind.replace("_", " ")
            self._log.say(f"{name}{' failed' if failed else ''}: {short(summary(item))}")


_DENIED = "declined"
_REJECTED = b"rejected by user approval settings"
_KEPT_OUT = "Read-only file system"  # the error of a command whose sandbox forbids writing
_SHELL_CALL = ("bash", "-c", "command")

_SUMMARIES = {
    "error": lambda item: text(item, "message"),
    "file_change": lambda item: ", ".join(text(change, "path") for change in items(item, "changes")),
    "mcp_tool_call": lambda item: f"{text(item, 'server')} {text(item, 'tool')}",
    "collab_tool_call": lambda item: text(item, "tool"),
    "web_search": lambda item: text(item, "query"),
}


def _shell_command(command: str) -> str:
    """Return the command that a shell was called with: `npm run dev` of `/bin/bash -c 'npm run dev'`."""
    try:
        words = shlex.split(command)
    except ValueError:
        return command
    return words[2] if len(words) == len(_SHELL_CALL) and words[1] in ("-c", "-lc") else command
