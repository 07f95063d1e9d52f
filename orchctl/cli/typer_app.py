"""The full parser: a Typer app made from the table, for help, mistakes and shell completion."""

from __future__ import annotations

import inspect
import os
import re
from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Annotated, Any

import typer

from orchctl import exit_codes
from orchctl.cli import completion, help_text
from orchctl.cli import version as version_text
from orchctl.cli.words import extra, hint
from orchctl.client import target
from orchctl.commands.registry import COMMANDS, GROUPS
from orchctl.commands.spec import KINDS, Argument, Command, Option
from orchctl.errors import UsageError
from orchctl.terminal import console

# The base class of all errors of the framework; its place and name differ between versions.
_Complaint: type[Exception] = typer.BadParameter.__mro__[-4]

_TYPES: dict[str, type] = {
    "number": int,
    "duration": float,
    "amount": float,
}  # for the help; the table's kinds do the converting


_COMPLETION = ("--install-completion", "--show-completion")
_SHELLS = ("bash", "zsh", "fish", "powershell", "pwsh")  # of Typer
# With this variable Typer's options for completion take the name of a shell instead of detecting the shell.
_NO_DETECTION = "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION"

Runner = Callable[[Command, SimpleNamespace], int]


def main(words: Sequence[str]) -> int:
    """Parse and run `words`. Returns the exit code."""
    is_bare = " ".join(words) in ("", *GROUPS)
    if "_ORCHCTL_COMPLETE" not in os.environ and (lines := help_text.page(words)) is not None:
        for line in lines:
            console.print_line(line)
        return exit_codes.USAGE if is_bare else exit_codes.OK
    _use_named_shell(words)
    try:
        code = build(_run)(args=list(words), prog_name="orchctl", standalone_mode=False)
    except _Complaint as complaint:
        what = _hint(complaint, words) or getattr(complaint, "format_message", complaint.__str__)().rstrip(".")
        known = next((name for name in (" ".join(words[:2]), *words[:1]) if name in (*COMMANDS, *GROUPS)), "")
        help_words = " ".join(f"orchctl {known} --help".split())
        own_words = words[: words.index("--")] if "--" in words else words
        console.failure("usage", f"{what}; see `{help_words}`", {}, as_json="--json" in own_words)
        return exit_codes.USAGE
    except typer.Abort:
        return exit_codes.INTERRUPTED
    return code if isinstance(code, int) else exit_codes.OK


def build(run: Runner) -> typer.Typer:
    """Return the app; `run` gets the command and its arguments."""
    app = typer.Typer(
        help=help_text.ABOUT,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    groups = {name: typer.Typer(help=text, rich_markup_mode=None) for name, text in GROUPS.items()}
    for name, group in groups.items():
        app.add_typer(group, name=name)
    for command in COMMANDS.values():
        owner = groups[command.words[0]] if len(command.words) > 1 else app
        settings = {"allow_interspersed_args": not command.has_rest}
        owner.command(command.words[-1], help=command.help, context_settings=settings)(_function(command, run))
    return app


def _use_named_shell(words: Sequence[str]) -> None:
    """Make an option for completion accept the shell that is named after it. Raises UsageError for other words."""
    flag, equals, value = words[0].partition("=") if words else ("", "", "")
    named = [*([value] if equals else []), *words[1:]]
    if flag not in _COMPLETION or not named:
        return
    if len(named) > 1 or named[0] not in _SHELLS:
        *shells, last = _SHELLS
        given = " ".join(named)
        raise UsageError(f"{flag} takes the name of one shell, not {given!r}; use {', '.join(shells)} or {last}")
    os.environ[_NO_DETECTION] = "1"


def _run(command: Command, args: SimpleNamespace) -> int:
    return exit_codes.run(command.run, args)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001 - the framework gives it by position
    if is_asked:
        console.print_line(version_text.text())
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help=help_text.VERSION, is_eager=True, callback=_show_version)
    ] = False,
    connect: Annotated[str | None, typer.Option(metavar="URL", help=help_text.CONNECT)] = None,
    profile: Annotated[
        str | None, typer.Option(metavar="NAME", help=help_text.PROFILE, autocompletion=completion.profiles)
    ] = None,
) -> None:
    del version
    for flag, value in (("--connect", connect), ("--profile", profile)):
        if value is not None:
            target.use(flag, value)


def _function(command: Command, run: Runner) -> Callable[..., int]:
    """Return a function with the signature that Typer expects for the command."""
    fields: list[Argument | Option] = [*command.arguments, *command.options]

    def call(**given: Any) -> int:
        args = dict(given)
        for field in fields:
            value = given[field.name]
            if field.many:
                args[field.name] = tuple(value or ())
            elif field.kind == "flag":
                args[field.name] = bool(value)
        return run(command, SimpleNamespace(**args))

    hints = {field.name: _annotation(field) for field in fields}
    parameters = []
    for field in fields:
        default = None if field.many else field.default
        if getattr(field, "required", False):
            default = inspect.Parameter.empty
        kind = inspect.Parameter.KEYWORD_ONLY
        parameters.append(inspect.Parameter(field.name, kind, default=default, annotation=hints[field.name]))
    vars(call).update(__name__="_".join(command.words))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # PEP 362 allows it
    call.__annotations__ = hints
    return call


def _annotation(field: Argument | Option) -> object:
    """Return the annotation that makes a parameter the argument or the option."""
    if field.kind == "flag" and isinstance(field, Option):
        return Annotated[bool, typer.Option(*field.flags, help=field.help, show_default=False)]

    def convert(text: str) -> object:
        try:
            return KINDS[field.kind](text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    convert.__name__ = field.kind
    settings: dict[str, Any] = {
        "help": field.help,
        "parser": convert,
        "show_default": False,
        "autocompletion": completion.OFFERS[field.completes] if field.completes else None,
    }
    if isinstance(field, Argument):
        metavar = re.sub(r"[^A-Z]*([A-Z]+).*", r"\1", field.metavar)  # Typer adds brackets and dots itself
        kind = typer.Argument(metavar=metavar, **settings)
    else:
        kind = typer.Option(*field.flags, metavar=field.metavar, **settings)
    plain: Any = list[str] if field.many else _TYPES.get(field.kind, str)
    return Annotated[plain if getattr(field, "required", False) else plain | None, kind]


def _hint(complaint: Exception, words: Sequence[str]) -> str | None:
    """Return the hint for a word of another tool; None when the complaint is about no such word."""
    command = next((COMMANDS[name] for name in (" ".join(words[:2]), *words[:1]) if name in COMMANDS), None)
    option = getattr(complaint, "option_name", None)
    if command is not None and "unexpected extra argument" in getattr(complaint, "message", ""):
        return extra(" ".join(command.words), words)
    if (option is None) != (command is None and words[0] not in GROUPS):
        return None
    return hint(words, option, {flag for known in (command.options if command else ()) for flag in known.flags})
