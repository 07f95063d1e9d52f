"""Text as a YAML scalar on one line, which YAML 1.1 and 1.2 read as the same text."""

from __future__ import annotations

import json
from re import Pattern

HALVES = dict.fromkeys(range(0xD800, 0xE000), "\ufffd")  # of characters, which no file of UTF-8 has
NOT_IN_YAML = HALVES | dict.fromkeys((0xFFFE, 0xFFFF), "\ufffd")
_OTHER_TYPES = frozenset({"null", "true", "false", "yes", "no", "on", "off", "y", "n", ".inf", ".nan"})


def scalar(text: str, plain: Pattern[str]) -> str:
    """Return `text` unquoted where it matches `plain` and is of no other type, otherwise in double quotes.

    JSON is YAML, except for halves of characters.
    """
    if plain.fullmatch(text) and text.lower() not in _OTHER_TYPES and not text.endswith(" "):
        return text
    quoted = json.dumps(text.translate(NOT_IN_YAML), ensure_ascii=False)
    return quoted if quoted.isprintable() else "".join(map(_escaped, quoted))


def _escaped(char: str) -> str:
    """Return a character for double quotes: control characters, ends of lines, and characters that change the text
    direction are escaped."""
    if char.isprintable():
        return char
    number = ord(char)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}" if number < 0x10000 else f"\\U{number:08x}"  # noqa: PLR2004
