"""Claude Code: `claude -p` with a stream of JSON, a line for each message.

Its exit code is not sufficient: a turn that the service refused ends as `success` with `is_error`, and a turn that
was cut off has no `result`. So it has completed only if it exited with 0, every result is a plain success of at
least one turn, and nothing that it started in the background was killed with its last turn.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from orchctl.runners.claude_background import Background
from orchctl.runners.claude_meter import Meter
from orchctl.runners.harness import rate_limits, resuming
from orchctl.runners.harness.attempt import Attempt
from orchctl.runners.harness.json_access import amount, at, count, items, parsed, text
from orchctl.runners.harness.leftovers import LeftProcess
from orchctl.runners.harness.lines import OutputLine
from orchctl.runners.harness.log import RunnerLog, first, short
from orchctl.runners.harness.outcome import RunnerOutcome
from orchd.instance import runner_report

# Subagents would work beside the limit. The variables take effect from 2.1.217 on; before that, only removing the tool
# prevents them. `Task` and `Agent` are two names of one tool.
_CAPS = {"CLAUDE_CODE_MAX_SUBAGENT_SPAWN_DEPTH": "1", "CLAUDE_CODE_MAX_CONCURRENT_SUBAGENTS": "1"}
# Its shell tool ends a command after two minutes, and at most ten where the model asks for more: an `orchctl wait` in
# it was cut long before the agents that it waits for had ended. The time-out of the agent itself bounds both.
_DAY = str(24 * 60 * 60 * 1000)  # milliseconds
_WAITS = {"BASH_DEFAULT_TIMEOUT_MS": _DAY, "BASH_MAX_TIMEOUT_MS": _DAY}
_NO_AGENTS = "--disallowedTools=Task,Agent,Workflow"
_MAIN_ARGUMENTS = ("command", "file_path", "path", "pattern", "query", "url", "description", "prompt", "skill")
_TOO_MANY_REQUESTS = 429
_EXIT = 3.0  # seconds without output in which it has to exit after its result
_NEXT_TURN = 60.0  # seconds in which it has to begin the turn that the end of a task brings about
# Tools that change nothing: their permission says nothing of what was denied.
_LOOKING = frozenset(
    {"Read", "Glob", "Grep", "LS", "ToolSearch", "TodoWrite", "Skill", "WebFetch", "WebSearch", "ReportFindings"}
    | {"TaskCreate", "TaskGet", "TaskList", "TaskOutput", "TaskStop", "TaskUpdate", "ScheduleWakeup", "CronList"}
)


class Claude:
    """Reads the stream of a `claude -p` process."""

    takes_stdin = True
    is_read = True
    reads_errors = False
    is_interrupted = True  # on SIGINT it prints its result with its usage, on SIGTERM nothing

    def __init__(self, attempt: Attempt, log: RunnerLog) -> None:
        settings = attempt.settings
        self.resumed = resuming.session(attempt, attempt.environment({}), log)
        self.argv = [
            *(settings.command or ("claude",)),
            *("-p", "--output-format", "stream-json", "--verbose"),
            *(() if settings.subagents else (_NO_AGENTS,)),
            *(("--resume", self.resumed) if self.resumed else ()),
            *(("--model", attempt.model) if attempt.model else ()),
            *settings.args,
            *attempt.arguments,
        ]
        self.caps = _CAPS | _WAITS
        self.outcome = RunnerOutcome()
        self._log = log
        self._results: list[str] = []
        self._faults: list[str] = []
        self._has_result = False  # from any turn
        self.is_answered = False
        self._has_news = False  # of a task that has ended since the last result
        self._background = Background()
        self._last_text = ""  # of the turn
        self._denied: dict[str, None] = {}  # the calls that were not permitted
        self._has_acted = False  # whether a call that changes anything was permitted
        self._meter = Meter(settings.prices)
        self._limit: float | None = None  # Unix time of the end of the rate limit, if the service has named it
        self._is_limited = False
        self._last_words = ""

    def hear(self, line: OutputLine) -> None:
        """Take a message of the stream."""
        if not line.is_whole:
            self._log.say(f"[a line of {line.size:,} bytes is omitted]")
            return
        message = parsed(line.data)
        if not isinstance(message, dict):
            self._last_words = line.data.decode(errors="replace").strip() or self._last_words
            self._log.say(line.data.decode(errors="replace"))
            return
        handle = {
            "system": self._system,
            "assistant": self._assistant,
            "user": self._user,
            "result": self._result,
            "rate_limit_event": self._rate_limit,
        }.get(text(message, "type"))
        if handle is not None:
            handle(message)

    def hear_error(self, line: OutputLine) -> None:
        """Ignore a line of standard error: it is for the log alone."""

    def patience(self) -> float | None:
        """Return the seconds in which the CLI must exit; None while a background task runs, for which it waits."""
        if not self.is_answered or self._background.is_going:
            return None
        return _NEXT_TURN if self._has_news else _EXIT

    def so_far(self) -> RunnerOutcome:
        """Return the usage known so far."""
        outcome = replace(self.outcome, notes=[])
        self._meter.read(outcome)
        return outcome

    def judge(self, code: int, left: list[LeftProcess]) -> None:
        """Complete the outcome after the exit: usage, notes, and the fault if there is one."""
        outcome = self.outcome
        outcome.result = "\n\n".join(filter(None, self._results))
        self._meter.read(outcome)
        self._background.close(left)
        for task in self._background.servers:
            outcome.note(runner_report.BACKGROUND_KILLED, f"background work killed: {short(task)}")
        if self._denied:
            count = len(self._denied)
            outcome.note(runner_report.PERMISSIONS_DENIED, f"{count} permission{'s' * (count != 1)} denied")
            if not self._has_acted:
                outcome.note(runner_report.NOTHING_PERMITTED, "no tool that makes changes was permitted")
        outcome.fault = next(self._reasons(code), None)
        if outcome.fault is not None and self._is_limited:
            outcome.retry_at = rate_limits.retry_at(outcome.fault, self._limit, rate_limits.now())

    def _reasons(self, code: int) -> Iterator[str]:
        """Yield why the session has not completed, the most specific reason first."""
        yield from self._faults
        ended = f"Claude exited with {code}" if code else "Claude exited"
        if not self._has_result:
            yield f"{ended} without a result{f', last output: {short(self._last_words)}' if self._last_words else ''}"
        if code:
            yield f"exit code {code}"
        if self._has_result and not self.is_answered:
            yield f"{ended} in the middle of a turn that began after its result"
        if jobs := self._background.jobs:
            yield f"{ended} before its background tasks ended: {', '.join(map(short, jobs))}"
        if wake_ups := self._background.wake_ups:
            yield f"{ended} to be woken later, which is not supported: {', '.join(map(short, wake_ups))}"

    def _system(self, message: dict[str, Any]) -> None:
        """Take a message of the CLI itself: on its session, its tasks, or a request that failed."""
        kind = text(message, "subtype")
        if kind == "init":
            outcome = self.outcome
            self._begin_turn()
            self._meter.ask()
            if outcome.session_id is None:  # it says so again with every turn
                self._log.say(f"claude {text(message, 'claude_code_version')}, session {text(message, 'session_id')}")
            outcome.session_id = text(message, "session_id") or outcome.session_id
            outcome.model = text(message, "model") or outcome.model
        elif kind == "task_started":
            call_id, description = text(message, "tool_use_id"), text(message, "description")
            self._background.begin(text(message, "task_id"), call_id, description)
        elif kind in ("task_notification", "task_updated"):
            status = text(message, "status") or text(message, "patch", "status")
            task = self._background.end(text(message, "task_id"), status, is_answered=self.is_answered)
            if task is not None:
                self._has_news = True
                self._log.say(f"{status}: {short(task)}", "  ")
        elif kind == "api_retry":
            seconds = count(message, "retry_delay_ms") / 1000
            why = f"{count(message, 'error_status') or ''} {text(message, 'error')}".strip()
            self._log.say(f"the service failed ({short(why)}), retrying in {seconds:.1f} s")

    def _begin_turn(self) -> None:
        self.is_answered = self._has_news = False

    def _assistant(self, message: dict[str, Any]) -> None:
        indent = "  " if text(message, "parent_tool_use_id") else ""
        if not indent:
            self._begin_turn()
        self._meter.message(at(message, "message"))
        if text(message, "error") == "rate_limit" and not indent:
            self._is_limited = True
        for block in items(message, "message", "content"):
            if words := text(block, "text").strip():
                self._last_text = self._last_text if indent else words
                self._log.say(words, indent)
            elif text(block, "type") == "tool_use":
                self._background.call(block)
                self._log.say(f"{text(block, 'name')}: {_argument(at(block, 'input'))}", indent)

    def _user(self, message: dict[str, Any]) -> None:
        self._meter.ask()
        for block in items(message, "message", "content"):
            is_failed = at(block, "is_error") is True
            tool = self._background.called(
                text(block, "tool_use_id"), at(message, "tool_use_result"), is_failed=is_failed
            )
            self._has_acted |= tool is not None and tool not in _LOOKING and not is_failed
            if is_failed:
                error = first([text(block, "content"), *(text(part, "text") for part in items(block, "content"))])
                self._log.say(f"failed: {short(error)}", "  ")

    def _rate_limit(self, message: dict[str, Any]) -> None:
        limit = at(message, "rate_limit_info")
        is_rejected = text(limit, "status") == "rejected" and at(limit, "isUsingOverage") is not True
        self._is_limited, self._limit = is_rejected, amount(limit, "resetsAt") if is_rejected else None
        if is_rejected:
            self._log.say(f"rate limit {text(limit, 'rateLimitType')}: rate-limited by the service")

    def _result(self, message: dict[str, Any]) -> None:
        """End a turn. The end of a background task may begin another turn, whose text belongs to the result too."""
        self._has_result = self.is_answered = True
        answer, subtype = text(message, "result"), text(message, "subtype")
        status = count(message, "api_error_status")
        if status == _TOO_MANY_REQUESTS:
            self._is_limited = True
        if subtype == "success" and at(message, "is_error") is not True:
            self._results.append(answer if answer.strip() else self._last_text)
            if amount(message, "num_turns") == 0:
                self._faults.append(f"the model was not called: the result has 0 turns and the text {answer!r}")
        else:
            why = answer or "; ".join(error for error in items(message, "errors") if isinstance(error, str))
            what = "an error" if subtype == "success" else subtype or "no result type"
            self._faults.append(f"Claude reported {what}{f' ({status})' if status else ''}{f': {why}' if why else ''}")
        self._last_text, self._has_news = "", False
        self.outcome.turns = (self.outcome.turns or 0) + count(message, "num_turns")
        self._meter.result(message)
        for denial in items(message, "permission_denials"):
            self._denied[text(denial, "tool_use_id") or str(len(self._denied))] = None
            self._log.say(f"not permitted: {text(denial, 'tool_name')}: {_argument(at(denial, 'tool_input'))}")


def _argument(arguments: Any) -> str:
    """Return the main argument of a call, shortened."""
    if not isinstance(arguments, dict):
        return ""
    return short(first([*(arguments.get(key) for key in _MAIN_ARGUMENTS), *arguments.values()]))
