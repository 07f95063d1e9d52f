"""Finds JSON values in other text: each value that begins a line, and ends on that line or a later line."""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

_MOST_MISSES = 1000  # lines that begin as JSON and are none: each may cost a parse of all that follows
_BLANK = " \t\r"
# The rest of a text from the place of a decoding error, where a number, a literal or an escape ends too early.
_CUT_TOKEN = re.compile(r"|-|\.|[eE][+-]?|\.[0-9]+[eE][+-]?|t|tr|tru|f|fa|fal|fals|n|nu|nul|u[0-9a-fA-F]{0,3}")


class Values(NamedTuple):
    """The JSON values of a text."""

    values: list[Any]  # objects and lists, from the first to the last
    is_cut: bool  # whether the text ends inside of a value


def values(text: str) -> Values:
    """Return the objects and lists in `text`."""
    decoder, misses, at = json.JSONDecoder(), 0, 0
    text = text.rstrip()  # so that a string that is cut runs to the end, not into a newline
    values, is_cut = [], False
    while at < len(text) and misses < _MOST_MISSES:
        begin = at
        while begin < len(text) and text[begin] in _BLANK:
            begin += 1
        if text.startswith(("{", "["), begin):
            try:
                value, at = decoder.raw_decode(text, begin)
            except json.JSONDecodeError as error:
                is_string = error.msg.startswith("Unterminated string")
                is_cut |= is_string or _CUT_TOKEN.fullmatch(error.doc[error.pos : error.pos + 32]) is not None
                misses += 1
            except RecursionError:
                misses += 1
            else:
                values.append(value)
                continue  # another may stand behind it on its line
        at = text.find("\n", begin) + 1 or len(text)
    return Values(values, is_cut)
