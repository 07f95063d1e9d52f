"""The text of `--help`, from the tables of commands: the same whichever version of Typer is installed."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from shutil import get_terminal_size
from textwrap import wrap

from orchctl.commands.registry import COMMANDS, GROUPS, PANELS
from orchctl.commands.spec import Command

ABOUT = "Run coding agents on one machine under a single concurrency limit."
HELP = ("-h", "--help")
CONNECT = "Use the daemon at this address, tcp://HOST:PORT, which needs a profile."
PROFILE = "Use the daemon of this profile of the client's config.toml."
VERSION = "Show the version."
GLOBAL = (
    ("--profile NAME", PROFILE),
    ("--connect URL", CONNECT),
    ("--version", VERSION),
    ("--install-completion [SHELL]", "Install completion for the current shell, or for SHELL: bash, zsh or fish."),
    ("--show-completion [SHELL]", "Print completion for the current shell, or for SHELL."),
)
SHOW_HELP = ("-h, --help", "Show this help.")
_WIDEST = 100  # columns
_LEFT = 26  # columns of an option; what is wider has its text in the next line

Row = tuple[str, str]


def page(words: Sequence[str]) -> list[str] | None:
    """Return the lines of the help that the words ask for; None if they ask for no help.

    Without a command, and for the bare first word of commands of two words, the help is shown as well.
    """
    name = next((name for name in (" ".join(words[:2]), *words[:1]) if name in (*COMMANDS, *GROUPS)), None)
    if name is None:
        is_wanted = not words or words[0] in HELP
        return list(_top()) if is_wanted else None
    rest = words[len(name.split()) :]
    if name in GROUPS and name not in COMMANDS:
        return list(_group(name)) if not rest or rest[0] in HELP else None
    return list(_command(COMMANDS[name])) if _asks(COMMANDS[name], rest) else None


def _asks(command: Command, rest: Sequence[str]) -> bool:
    """Whether an option of the command itself is `--help`: not a value, and not a word of the agent's command."""
    with_value = {flag for option in command.options if option.kind != "flag" for flag in option.flags}
    words = iter(rest)
    for word in words:
        if word in HELP:
            return True
        if word == "--" or (command.has_rest and not word.startswith("-")):
            return False
        if word in with_value:
            next(words, None)
    return False


def _top() -> Iterator[str]:
    yield from ("Usage: orchctl [OPTIONS] COMMAND [ARG]...", "", f"  {ABOUT}")
    for panel, names in PANELS.items():
        yield from _section(panel, [(name, GROUPS.get(name) or COMMANDS[name].help) for name in names])
    listed = {name for names in PANELS.values() for name in names}
    others = dict.fromkeys(command.words[0] for command in COMMANDS.values() if command.words[0] not in listed)
    yield from _section("Other", [(name, GROUPS.get(name) or COMMANDS[name].help) for name in others])
    yield from _section("Options", [*GLOBAL, SHOW_HELP])
    hint = "`orchctl COMMAND --help` shows the options of a command. Most commands have --json."
    yield from ("", *wrap(hint, _width()))


def _group(name: str) -> Iterator[str]:
    yield from (f"Usage: orchctl {name} COMMAND [ARG]...", "", f"  {GROUPS[name]}")
    own = [(words[1], command.help) for command in COMMANDS.values() if (words := command.words)[0] == name]
    yield from _section("Commands", [row for row in own if len(row) > 1])
    yield from _section("Options", [SHOW_HELP])


def _command(command: Command) -> Iterator[str]:
    metavars = [argument.metavar for argument in command.arguments]
    options = ["[OPTIONS]"] if command.options else []
    yield " ".join(("Usage: orchctl", *command.words, *options, *metavars))
    yield from ("", *(f"  {line}" for line in wrap(command.help, _width() - 2)))
    yield from _section("Arguments", [(argument.metavar, argument.help) for argument in command.arguments])
    rows = [
        (f"{', '.join(option.flags)} {option.metavar or ''}".strip(), option.help + " May be repeated." * option.many)
        for option in command.options
    ]
    yield from _section("Options", [*rows, SHOW_HELP])


def _section(title: str, rows: Sequence[Row]) -> Iterator[str]:
    """Yield a heading and its rows in two columns that fit the terminal."""
    if not rows:
        return
    yield from ("", f"{title}:")
    left = min(_LEFT, max(len(name) for name, _ in rows))
    for name, about in rows:
        lines = wrap(about, max(20, _width() - left - 4)) or [""]
        if len(name) > left:
            yield f"  {name}"
        else:
            yield f"  {name:{left}}  {lines.pop(0)}".rstrip()
        yield from (f"  {'':{left}}  {line}" for line in lines)


def _width() -> int:
    return min(_WIDEST, get_terminal_size().columns)
