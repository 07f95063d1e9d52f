"""A runner of config.toml: its command with placeholders filled in, and what its own words are taken to mean."""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from orchctl.runners.harness import json_text, prompt, rate_limits, resuming
from orchctl.runners.harness.attempt import Attempt, UnfitError
from orchctl.runners.harness.json_access import amount, count, parsed, placed, text
from orchctl.runners.harness.leftovers import Process
from orchctl.runners.harness.lines import LONGEST, Line
from orchctl.runners.harness.log import Log, short
from orchctl.runners.harness.outcome import Outcome
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
    """What is heard of a CLI that only its user knows."""

    def __init__(self, attempt: Attempt, log: Log) -> None:
        settings = attempt.settings
        self.takes_stdin = settings.prompt == "stdin"
        self.is_read = settings.result == "json"
        self.reads_errors = self.is_interrupted = False
        self.resumed = attempt.resumes if settings.resume else None
        self.argv = [*_filled(attempt, log, self.resumed), *attempt.arguments]
        self.caps: dict[str, str] = {}
        self.outcome = Outcome()
        self._settings = settings
        self._log = log
        self.is_answered = False  # which of its words are the last is not known
        self._found: dict[str, Any] = {}
        self._whole = bytearray()  # its output, as long as it can be read as a whole
        self._is_long = self._is_cut = False  # `_is_cut`: the output, as far as it was read, ends inside of a value
        self._has_code = False  # of a rate limit, with the last error

    def hear(self, line: Line) -> None:
        """A line: a JSON value, or a part of one over several lines."""
        self._log.say(line.data.decode(errors="replace"))
        if not line.is_whole:
            self._log.say(f"[the rest of a line of {line.size:,} bytes is left out]")
            return
        if not self._is_long and len(self._whole) + len(line.data) >= LONGEST:
            self._look_at_whole()
            self._is_long = True
        if self._is_long:  # then a value a line
            self._look(parsed(line.data))
            self._is_cut = json_text.values(line.data.decode(errors="replace")).is_cut
        else:
            self._whole += line.data + b"\n"

    def hear_error(self, line: Line) -> None:
        """Its errors are for the log."""

    def patience(self) -> float | None:
        """It may take as long as its agent may."""
        return None

    def so_far(self) -> Outcome:
        """Nothing is known before its end."""
        return replace(self.outcome, notes=[])

    def judge(self, code: int, left: list[Process]) -> None:  # noqa: ARG002 - every runner takes it
        """By the exit code; with JSON, by what it says too."""
        outcome = self.outcome
        if self.is_read:
            self._look_at_whole()
            self._take_over()
            outcome.fault = self._fault_in_json()
        outcome.fault = outcome.fault or (f"exit code {code}" if code else None)
        if outcome.fault is not None and self._is_limited():
            outcome.retry_at = rate_limits.retry_at(_words(self._found["error"]), None, rate_limits.now())

    def _is_limited(self) -> bool:
        """Whether its service said so: in the words of the error, or in a code inside the error or beside it."""
        error = self._found.get("error")
        return bool(error) and (self._has_code or (isinstance(error, str) and rate_limits.is_limit(error)))

    def _look_at_whole(self) -> None:
        if not self._whole:
            return
        found, self._is_cut = json_text.values(self._whole.decode(errors="replace"))
        for value in found:
            self._look(value)
        self._whole.clear()

    def _look(self, value: Any) -> None:
        """Remember what stands in the places of the configuration; what comes later counts, or adds up where wanted."""
        for key in _LOOKED_FOR:
            if (there := placed(value, getattr(self._settings, key))) is None:
                continue
            if there == "" and key == "text" and self._found.get(key):  # the last text that says something
                continue
            if key in _ADDED_UP and self._settings.usage == "sum":
                self._found[key] = (amount(self._found, key) or 0) + (amount(there) or 0)
            else:
                self._found[key] = there
            if key == "error" and there:
                above = (self._settings.error or "").rpartition(".")[0]
                beside = placed(value, above) if above else value
                self._has_code = rate_limits.has_code(there) or rate_limits.has_code(beside)

    def _take_over(self) -> None:
        outcome, found = self.outcome, self._found
        outcome.result = text(found, "text")
        outcome.session_id = text(found, "session") or None
        outcome.cost_usd, outcome.cost_source = amount(found, "cost"), "cli"
        for key in _TOKENS:
            setattr(outcome, key, count(found, key))

    def _fault_in_json(self) -> str | None:
        if error := self._found.get("error"):
            return error if isinstance(error, str) else f"it says {short(_words(error))} at {self._settings.error}"
        if self._is_cut:
            return "its stream is cut: its output ends inside of a JSON value"
        if isinstance(self._found.get("text"), str):
            return None
        return f"its output has no text at {self._settings.text}"


def _words(error: Any) -> str:
    """An error as its CLI printed it."""
    return error if isinstance(error, str) else json.dumps(error, ensure_ascii=False)


def _filled(attempt: Attempt, log: Log, resumed: str | None) -> list[str]:
    """The command and its arguments. An argument that needs what there is not is left out."""
    settings = attempt.settings
    known = {name: attempt.env.get(variable, "") for name, variable in _VARIABLES.items()}
    known |= {"model": attempt.model or "", "cwd": str(Path.cwd())}
    if settings.prompt == "argument":
        told = prompt.text(attempt.env, log) if resumed is None else resuming.GO_ON
        known["prompt"] = _as_argument(told.strip())
    known["session"] = resumed or ""
    words = (*(settings.command if resumed is None else settings.resume), *settings.args)
    return [
        _no_option(runner_config.PLACEHOLDER.sub(lambda found: known[found[1]], word), word)
        for word in words
        if all(known[name] for name in runner_config.PLACEHOLDER.findall(word))
    ]


def _no_option(filled: str, word: str) -> str:
    """What comes from a goal is a text: as a word of its own it may not look like an option of the CLI."""
    return f" {filled}" if word.startswith("{") and filled.startswith("-") else filled


def _as_argument(told: str) -> str:
    if (size := len(os.fsencode(told))) > _LONGEST_ARGUMENT:
        raise UnfitError(f'a prompt of {size:,} bytes is too long for an argument: set prompt = "stdin" in config.toml')
    return told
