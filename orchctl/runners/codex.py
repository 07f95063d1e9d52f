"""Codex: `codex exec --json`, an event a line. It has completed if it ended with 0 and completed its turn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from orchctl.runners import limits
from orchctl.runners.attempt import Attempt
from orchctl.runners.log import Log, short
from orchctl.runners.outcome import Outcome
from orchctl.runners.stream import Line
from orchctl.runners.values import at, count, items, parsed, text
from orchd.wire import opening

# Agents of its own would work beside the limit: there are none, or one at a time. These keys do no harm where a version
# does not know them.
_NO_AGENTS = ("-c", "features.multi_agent=false", "-c", "features.multi_agent_v2=false")
_ONE_AGENT = ("-c", "agents.max_threads=1")
# A login shell sets PATH anew on many systems, and then an agent does not find `orchctl`.
_OWN_PATH = ("-c", "allow_login_shell=false")


class Codex:
    """What is heard of one `codex exec`."""

    takes_stdin = True
    is_read = True
    leaves_result = True

    def __init__(self, attempt: Attempt, log: Log, last: Path | None) -> None:
        settings = attempt.settings
        self.argv = [
            *(settings.command or ("codex",)),
            *("exec", "--json"),
            *(("--output-last-message", str(last)) if last else ()),
            *_OWN_PATH,
            *(_ONE_AGENT if settings.subagents else _NO_AGENTS),
            *(("--model", attempt.model) if attempt.model else ()),
            *settings.args,
            *attempt.arguments,
            "-",
        ]
        self.caps: dict[str, str] = {}
        self.outcome = Outcome()
        self._log = log
        self._last = last
        self._turns = 0
        self._fault = ""  # the last word on why a turn failed

    def hear(self, line: Line) -> None:
        """One event."""
        if not line.is_whole:
            self._log.say(f"[a line of {line.size:,} bytes is left out]")
            return
        event = parsed(line.data)
        if not isinstance(event, dict):
            self._log.say(line.data.decode(errors="replace"))
            return
        kind = text(event, "type")
        if kind == "thread.started":
            self.outcome.session_id = text(event, "thread_id") or None
            self._log.say(f"codex, session {self.outcome.session_id}")
        elif kind == "turn.completed":
            self._turns += 1
            self._fault = ""
            self._spend(at(event, "usage"))
        elif kind in ("turn.failed", "error"):
            self._failed(text(event, "error", "message") or text(event, "message"))
        elif kind in ("item.started", "item.completed"):
            self._item(at(event, "item"), is_over=kind == "item.completed")

    def judge(self, code: int) -> None:
        """Why it has not completed, if it has not; and what it said last."""
        outcome = self.outcome
        outcome.turns = self._turns or None
        if code or self._fault or not self._turns:
            unsaid = f"exit code {code}" if code else "it ended without completing its turn"
            outcome.fault = self._fault or unsaid
            if limits.is_limit(self._fault):
                outcome.retry_at = limits.retry_at(self._fault, None, limits.now())
        elif self._last is not None:
            try:
                outcome.result = opening.read_as_text(self._last)
            except OSError:
                return  # then what was heard last is the result

    def _failed(self, why: str) -> None:
        if why and why != self._fault:  # it says so twice
            self._log.say(f"error: {why}")
        self._fault = why or self._fault or "its turn failed"

    def _spend(self, usage: Any) -> None:
        """Take over the totals, which are those of the whole thread. What is cached is part of the input."""
        outcome = self.outcome
        outcome.cache_read_tokens = count(usage, "cached_input_tokens")
        outcome.cache_write_tokens = count(usage, "cache_write_input_tokens")
        cached = outcome.cache_read_tokens + outcome.cache_write_tokens
        outcome.input_tokens = max(0, count(usage, "input_tokens") - cached)
        outcome.output_tokens = count(usage, "output_tokens")

    def _item(self, item: Any, *, is_over: bool) -> None:
        kind, failed = text(item, "type"), text(item, "status") == "failed"
        if kind == "command_execution" and not is_over:
            self._log.say(f"command: {short(text(item, 'command'))}")
        elif kind == "command_execution" and failed:
            self._log.say(f"exit {count(item, 'exit_code')}: {_last_line(text(item, 'aggregated_output'))}", "  ")
        elif is_over and kind == "agent_message":
            self.outcome.result = text(item, "text")
            self._log.say(text(item, "text"))
        elif is_over and (told := _TOLD.get(kind)) is not None:
            name = "note" if kind == "error" else kind.replace("_", " ")
            self._log.say(f"{name}{' failed' if failed else ''}: {short(told(item))}")


_TOLD = {
    "error": lambda item: text(item, "message"),
    "file_change": lambda item: ", ".join(text(one, "path") for one in items(item, "changes")),
    "mcp_tool_call": lambda item: f"{text(item, 'server')} {text(item, 'tool')}",
    "collab_tool_call": lambda item: text(item, "tool"),
    "web_search": lambda item: text(item, "query"),
}


def _last_line(output: str) -> str:
    return short(output.strip().rpartition("\n")[2])
