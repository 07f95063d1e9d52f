"""A runner of config.toml: its command with placeholders filled in, and how its output is read."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchctl.runners.harness import json_text, prompt, rate_limits, resuming
from orchctl.runners.harness.attempt import Attempt, UnfitError
from orchctl.runners.harness.json_access import amount, count, parsed, placed, text
from orchctl.runners.harness.leftovers import LeftProcess
from orchctl.runners.harness.lines import LONGEST, OutputLine
from orchctl.runners.harness.log import RunnerLog, short
from orchctl.runners.harness.outcome import RunnerOutcome
from orchd.instance import environment, runner_config

_VARIABLES = {
    "goal": environment.ENV_GOAL,
    "skill": environment.ENV_SKILL,
    "result": environment.ENV_RESULT,
    "task_id": environment.ENV_TASK_ID,
    "name": environment.ENV_NAME,
    "output_dir": environment.ENV_OUTPUT_DIR,
    "attempt": environment.ENV_ATTEMPT,
}


_TOKENS = ("input_tokens", "output_tokens", "cache_read_tokens", "cache_write_tokens")
_ADDED_UP = ("cost", *_TOKENS)
_LOOKED_FOR = ("text", "error", "session", *_ADDED_UP)
_LONGEST_ARGUMENT = 128 * 1024 - 1  # bytes, with which the kernel still starts a program (MAX_ARG_STRLEN)


class Own:
    """Reads the output of a CLI that config.toml describes."""

    def __init__(self, attempt: Attempt, log: RunnerLog) -> None:
        settings = attempt.settings
        self.takes_stdin = settings.prompt == "stdin"
        self.is_read = settings.result == "json"
        self.reads_errors = self.is_interrupted = False
        self.resumed = attempt.resumes if settings.resume else None
        self.argv = [*_argv(attempt, log, self.resumed), *attempt.arguments]
        self.caps: dict[str, str] = {}
        self.outcome = RunnerOutcome()
        self._settings = settings
        self._log = log
        self.is_answered = False  # which of its messages is the last is not known
        self._values: dict[str, Any] = {}
        self._whole = bytearray()  # its output, as long as it can be read as a whole
        self._is_long = self._is_cut = False  # `_is_cut`: the output, as far as it was read, ends inside of a value
        self._has_code = False  # of a rate limit, with the last error

    def hear(self, line: OutputLine) -> None:
        """Take a line: a JSON value, or a part of a value over several lines."""
        self._log.say(line.data.decode(errors="replace"))
        if not line.is_whole:
            self._log.say(f"[the rest of a line of {line.size:,} bytes is omitted]")
            return
        if not self._is_long and len(self._whole) + len(line.data) >= LONGEST:
            self._look_at_whole()
            self._is_long = True
        if self._is_long:  # then a value a line
            self._look(parsed(line.data))
            self._is_cut = json_text.values(line.data.decode(errors="replace")).is_cut
        else:
            self._whole += line.data + b"\n"

    def hear_error(self, line: OutputLine) -> None:
        """Ignore a line of standard error: it is for the log alone."""

    def patience(self) -> float | None:
        """Return None: the CLI has no time limit of its own."""
        return None

    def so_far(self) -> RunnerOutcome:
        """Return the outcome without usage, which is unknown before the CLI has ended."""
        return replace(self.outcome, notes=[])

    def judge(self, code: int, left: list[LeftProcess]) -> None:  # noqa: ARG002 - every runner takes it
        """Complete the outcome by the exit code, and with JSON also by the output."""
        outcome = self.outcome
        if self.is_read:
            self._look_at_whole()
            outcome.result = text(self._values, "text")
            outcome.session_id = text(self._values, "session") or None
            outcome.cost_usd, outcome.cost_source = amount(self._values, "cost"), "cli"
            for key in _TOKENS:
                setattr(outcome, key, count(self._values, key))
            if error := self._values.get("error"):
                outcome.fault = (
                    error
                    if isinstance(error, str)
                    else f"its output has {short(_words(error))} at {self._settings.error}"
                )
            elif self._is_cut:
                outcome.fault = "its output is cut off inside a JSON value"
            elif isinstance(self._values.get("text"), str):
                outcome.fault = None
            else:
                outcome.fault = f"its output has no text at {self._settings.text}"
        outcome.fault = outcome.fault or (f"exit code {code}" if code else None)
        error = self._values.get("error")
        is_limited = self._has_code or (isinstance(error, str) and rate_limits.is_limit(error))
        if outcome.fault is not None and error and is_limited:
            outcome.retry_at = rate_limits.retry_at(_words(error), None, rate_limits.now())

    def _look_at_whole(self) -> None:
        if not self._whole:
            return
        values, self._is_cut = json_text.values(self._whole.decode(errors="replace"))
        for value in values:
            self._look(value)
        self._whole.clear()

    def _look(self, value: Any) -> None:
        """Keep the values at the configured paths; a later value replaces an earlier one, or is added to it."""
        for key in _LOOKED_FOR:
            if (there := placed(value, getattr(self._settings, key))) is None:
                continue
            if there == "" and key == "text" and self._values.get(key):  # the last text that says something
                continue
            if key in _ADDED_UP and self._settings.usage == "sum":
                self._values[key] = (amount(self._values, key) or 0) + (amount(there) or 0)
            else:
                self._values[key] = there
            if key == "error" and there:
                above = (self._settings.error or "").rpartition(".")[0]
                beside = placed(value, above) if above else value
                self._has_code = rate_limits.has_code(there) or rate_limits.has_code(beside)


def _words(error: Any) -> str:
    """Return an error as its CLI printed it."""
    return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)


def _argv(attempt: Attempt, log: RunnerLog, resumed: str | None) -> list[str]:
    """Return the command and its arguments; an argument whose placeholder has no value is left out."""
    settings = attempt.settings
    values = {name: attempt.env.get(variable, "") for name, variable in _VARIABLES.items()}
    values |= {"model": attempt.model or "", "cwd": str(Path.cwd())}
    if settings.prompt == "argument":
        text_of_prompt = (prompt.text(attempt.env, log) if resumed is None else resuming.GO_ON).strip()
        if (size := len(os.fsencode(text_of_prompt))) > _LONGEST_ARGUMENT:
            what = f'a prompt of {size:,} bytes is too long for an argument: set prompt = "stdin" in config.toml'
            raise UnfitError(what)
        values["prompt"] = text_of_prompt
    values["session"] = resumed or ""
    words = (*(settings.command if resumed is None else settings.resume), *settings.args)
    argv = []
    for word in words:
        if all(values[name] for name in runner_config.PLACEHOLDER.findall(word)):
            filled = runner_config.PLACEHOLDER.sub(lambda match: values[match[1]], word)
            is_like_option = word.startswith("{") and filled.startswith("-")  # a goal is never an option of the CLI
            argv.append(f" {filled}" if is_like_option else filled)
    return argv
