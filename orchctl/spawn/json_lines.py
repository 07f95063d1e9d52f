"""Files with a JSON object on each line, or with an array; errors name the place in the file."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import NamedTuple, TypeVar

from orchctl.errors import UsageError

T = TypeVar("T")
_SHOWN = 10  # problems in a message


class LineProblem(NamedTuple):
    """A problem of a file, and its place."""

    place: str
    message: str


class JsonLine(NamedTuple):
    """A value of the file, and its place. A line that is not JSON has an error instead of a value."""

    place: str  # for messages: `developers.jsonl line 3`
    value: object
    error: ListingError | None = None


class ListingError(UsageError):
    """A file that cannot be used. `why` is the message without the remedy and the consequence."""

    def __init__(self, why: str, rest: str, code: str, problems: Sequence[LineProblem] = ()) -> None:
        details = {"problems": [problem._asdict() for problem in problems]} if problems else {}
        super().__init__(f"{why}; {rest}", code=code, details=details)
        self.why = why
        self.problems = problems


class JsonLines:
    """A file, or stdin for `-`. `code` is for its errors, which say that nothing was `begun` (`spawned`)."""

    def __init__(self, source: str, code: str, begun: str) -> None:
        self.title = "stdin" if source == "-" else source
        self._source = source
        self._code = code
        self._begun = begun

    def text(self) -> str:
        """Return the whole text. Raises UsageError, as the other methods do."""
        try:
            return (sys.stdin.buffer.read() if self._source == "-" else Path(self._source).read_bytes()).decode()
        except OSError as error:
            why = f"{self.title} cannot be read: {error.strerror}"
            raise ListingError(why, f"nothing was {self._begun}", self._code) from None
        except UnicodeDecodeError as error:
            line = error.object.count(b"\n", 0, error.start) + 1
            raise self.wrong(f"{self.title} line {line}", "is not valid UTF-8") from None

    def entries(self, text: str) -> list[JsonLine]:
        """Return the entries in `text`."""
        if text.lstrip().startswith("["):
            values = self._parsed(text)
            return [
                JsonLine(f"{self.title} index {index}", value)
                for index, value in enumerate(values if isinstance(values, list) else ())
            ]
        return [self._entry(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]

    def converted(self, entries: Iterable[JsonLine], convert: Callable[[JsonLine], T]) -> list[T]:
        """Return what `convert` returns for each entry. Raises one ListingError with the problems of all entries."""
        values: list[T] = []
        problems: list[LineProblem] = []
        for entry in entries:
            try:
                if entry.error is not None:
                    raise entry.error
                values.append(convert(entry))
            except ListingError as error:
                problems += error.problems
        if problems:
            raise self._error(problems)
        return values

    def wrong(self, place: str, *messages: str) -> ListingError:
        """Return an error to raise, with one or more problems of one place."""
        return self._error([LineProblem(place, message) for message in messages])

    def _error(self, problems: Sequence[LineProblem]) -> ListingError:
        parts: list[str] = []
        place, remedies = "", set()
        for problem in problems[:_SHOWN]:
            what, _, remedy = problem.message.partition("; ")
            message = what if remedy in remedies else problem.message  # a list of all keys is printed once
            remedies |= {remedy} - {""}
            where = problem.place.removeprefix(f"{self.title} ") if place else problem.place
            parts.append(message if problem.place == place else f"{where}: {message}")
            place = problem.place
        if len(problems) > _SHOWN:
            parts.append(f"and {len(problems) - _SHOWN:,} more problems")
        rest = f"correct {'them' if len(problems) > 1 else 'it'} and try again: nothing was {self._begun}"
        return ListingError("; ".join(parts), rest, self._code, problems)

    def _entry(self, number: int, line: str) -> JsonLine:
        place = f"{self.title} line {number}"
        try:
            return JsonLine(place, self._parsed(line, number))
        except ListingError as error:
            return JsonLine(place, None, error)

    def _parsed(self, text: str, number: int = 0) -> object:
        try:
            value: object = json.loads(text)
        except json.JSONDecodeError as error:
            place = f"{self.title} line {number or error.lineno}"
            raise self.wrong(place, f"invalid JSON at column {error.colno}: {error.msg}") from None
        except ValueError:  # Python limits the digits of a number
            place = f"{self.title} line {number}" if number else self.title
            raise self.wrong(place, "a number has too many digits") from None
        except RecursionError:
            place = f"{self.title} line {number}" if number else self.title
            raise self.wrong(place, "is nested too deeply") from None
        return value
