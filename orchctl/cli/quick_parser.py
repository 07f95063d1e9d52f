"""The quick parser: reads what is plainly right straight from the table, and leaves everything else to `app`.

Agents run the client in loops, and importing a command-line framework costs more than all the rest of a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

from orchctl.commands.registry import COMMANDS, GROUPS
from orchctl.commands.spec import KINDS, Command, Option


class ParsedCommand(NamedTuple):
    """A command and the arguments to run it with."""

    command: Command
    args: SimpleNamespace


class _UnclearError(Exception):
    """Not plainly right: help, a mistake, or a spelling that only the full parser knows."""


def parse(words: Sequence[str]) -> ParsedCommand | None:
    """What `words` ask for, or None when the full parser should look at them."""
    depth = 2 if words and words[0] in GROUPS else 1
    command = COMMANDS.get(" ".join(words[:depth]))
    if command is None or " " in words[0]:  # one word that looks like two
        return None
    try:
        given, rest = _options(command, list(words[depth:]))
        return ParsedCommand(command, SimpleNamespace(**given, **_arguments(command, rest)))
    except (_UnclearError, ValueError):
        return None


def _options(command: Command, words: list[str]) -> tuple[dict[str, object], list[str]]:
    known = {flag: option for option in command.options for flag in option.flags}
    given = {option.name: option.default for option in command.options}
    rest: list[str] = []
    words.reverse()
    while words:
        word = words.pop()
        if word == "--" or (command.has_rest and not _is_option(word)):
            return given, rest + words[::-1] if word == "--" else [word, *words[::-1]]
        if _is_option(word):
            _take(known, given, word, words)
        else:
            rest.append(word)
    return given, rest


def _is_option(word: str) -> bool:
    return len(word) > 1 and word.startswith("-")


def _take(known: dict[str, Option], given: dict[str, object], word: str, words: list[str]) -> None:
    flag, equals, value = word.partition("=")
    option = known.get(flag)
    if option is None or (equals and (option.kind == "flag" or not flag.startswith("--"))):
        raise _UnclearError
    if option.kind == "flag":
        given[option.name] = True
        return
    if not equals:
        if not words:
            raise _UnclearError
        value = words.pop()
    made = KINDS[option.kind](value)
    before = given[option.name]
    given[option.name] = (*before, made) if isinstance(before, tuple) else made


def _arguments(command: Command, rest: list[str]) -> dict[str, object]:
    made: dict[str, object] = {}
    for argument in command.arguments:
        if argument.required and not rest:
            raise _UnclearError
        convert = KINDS[argument.kind]
        if argument.many:
            made[argument.name], rest = tuple(convert(word) for word in rest), []
        else:
            made[argument.name] = convert(rest.pop(0)) if rest else None
    if rest:
        raise _UnclearError
    return made
