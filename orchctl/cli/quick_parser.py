"""The quick parser: reads correct arguments by the tables of commands; `typer_app` reads all others.

Agents run the client in loops, and importing a command-line framework costs more than all the rest of a call.
"""

from __future__ import annotations

from collections.abc import Sequence
from types import SimpleNamespace
from typing import NamedTuple

from orchctl.commands.registry import COMMANDS, GROUPS
from orchctl.commands.spec import KINDS, Command


class ParsedCommand(NamedTuple):
    """A command and the arguments to run it with."""

    command: Command
    args: SimpleNamespace


class _UnclearError(Exception):
    """The arguments are a request for help, a mistake, or a spelling that only the full parser knows."""


def parse(words: Sequence[str]) -> ParsedCommand | None:
    """Return the command in `words`, or None when the full parser is to parse them."""
    depth = 2 if words and words[0] in GROUPS else 1
    command = COMMANDS.get(" ".join(words[:depth]))
    if command is None or " " in words[0]:  # a word that looks like two
        return None
    try:
        values, rest = _options(command, list(words[depth:]))
        for argument in command.arguments:
            if argument.required and not rest:
                return None
            convert = KINDS[argument.kind]
            if argument.many:
                values[argument.name], rest = tuple(convert(word) for word in rest), []
            else:
                values[argument.name] = convert(rest.pop(0)) if rest else None
    except (_UnclearError, ValueError):
        return None
    return None if rest else ParsedCommand(command, SimpleNamespace(**values))


def _options(command: Command, words: list[str]) -> tuple[dict[str, object], list[str]]:
    """Return the values of the options, by name, and the words that are arguments. Raises _UnclearError, ValueError."""
    options = {flag: option for option in command.options for flag in option.flags}
    values = {option.name: option.default for option in command.options}
    rest: list[str] = []
    words.reverse()
    while words:
        word = words.pop()
        is_option = len(word) > 1 and word.startswith("-")
        if word == "--" or (command.has_rest and not is_option):
            return values, rest + words[::-1] if word == "--" else [word, *words[::-1]]
        if not is_option:
            rest.append(word)
            continue
        flag, equals, text = word.partition("=")
        option = options.get(flag)
        if option is None or (equals and (option.kind == "flag" or not flag.startswith("--"))):
            raise _UnclearError
        if option.kind == "flag":
            values[option.name] = True
            continue
        if not equals and not words:
            raise _UnclearError
        value = KINDS[option.kind](text if equals else words.pop())
        before = values[option.name]
        values[option.name] = (*before, value) if isinstance(before, tuple) else value
    return values, rest
