"""Files with a JSON object on each line, or with an array; errors name the place in the file."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from orchctl.errors import UsageError


class JsonLine(NamedTuple):
    """A value of the file, and its place."""

    place: str  # for messages: `developers.jsonl line 3`
    value: object


class ListingError(UsageError):
    """A file that cannot be used. `why` is the message without the remedy and the consequence."""

    def __init__(self, why: str, rest: str, code: str) -> None:
        super().__init__(f"{why}; {rest}", code=code)
        self.why = why


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

    def entries(self, text: str) -> Iterator[JsonLine]:
        """Yield the entries in `text`."""
        if text.lstrip().startswith("["):
            values = self._parsed(text)
            for index, value in enumerate(values if isinstance(values, list) else ()):
                yield JsonLine(f"{self.title} index {index}", value)
            return
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield JsonLine(f"{self.title} line {number}", self._parsed(line, number))

    def wrong(self, place: str, what: str) -> ListingError:
        """Return an error to raise."""
        return ListingError(f"{place}: {what}", f"correct it and try again: nothing was {self._begun}", self._code)

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
            raise self.wrong(self.title, "is nested too deeply") from None
        return value
