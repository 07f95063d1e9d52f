"""JSON between other text: each value that begins a line, on that line or over several."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

_MOST_MISSES = 1000  # lines that begin as JSON and are none: each may cost a look at all that follows
_BLANK = " \t\r"


def values(text: str) -> Iterator[Any]:
    """The objects and lists in `text`, from the first to the last."""
    decoder, misses, at = json.JSONDecoder(), 0, 0
    while at < len(text) and misses < _MOST_MISSES:
        begin = at
        while begin < len(text) and text[begin] in _BLANK:
            begin += 1
        if text.startswith(("{", "["), begin):
            try:
                value, at = decoder.raw_decode(text, begin)
            except (ValueError, RecursionError):
                misses += 1
            else:
                yield value
                continue  # another may stand behind it on its line
        at = text.find("\n", begin) + 1 or len(text)
