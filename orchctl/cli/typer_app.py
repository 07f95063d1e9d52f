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
from orchctl.cli import completion
from orchctl.cli.words import extra, hint
from orchctl.client import target
from orchctl.commands.registry import COMMANDS, GROUPS
from orchctl.commands.spec import KINDS, Argument, Command, Option
from orchctl.terminal import console
from orchd.protocol.frames import VERSION

# The class that every complaint of the framework has in common; its place and name differ between versions.
_Complaint: type[Exception] = typer.BadParameter.__mro__[-4]

_TYPES: dict[str, type] = {
    "number": int,
    "duration": float,
    "amount": float,
}  # for the help; the table's kinds do the converting

_CONNECT = "Ask the daemon at this address, as tcp://HOST:PORT, for which there is a profile."
_PROFILE = "Ask the daemon of this profile of the client's config.toml."

Runner = Callable[[Command, SimpleNamespace], int]


def main(words: Sequence[str]) -> int:
    """Parse and run `words`; returns the exit code."""
    is_bare = " ".join(words) in ("", *GROUPS)
    asked = [*words, "--help"] if is_bare and not _completes() else list(words)
    try:
        code = build(_run)(args=asked, prog_name="orchctl", standalone_mode=False)
    except _Complaint as complaint:
        what = _meant(complaint, words) or getattr(complaint, "format_message", complaint.__str__)().rstrip(".")
        console.failure("usage", f"{what}; see `{_help_of(words)}`", {}, as_json=_wants_json(words))
        return exit_codes.USAGE
    except typer.Abort:
        return exit_codes.INTERRUPTED
    if is_bare:
        return exit_codes.USAGE
    return code if isinstance(code, int) else exit_codes.OK


def build(run: Runner) -> typer.Typer:
    """The app; `run` gets the command and its arguments."""
    app = typer.Typer(
        help="One hard limit over every coding agent on this machine.",
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


def _run(command: Command, args: SimpleNamespace) -> int:
    return exit_codes.run(command.run, args)


def _show_version(is_asked: bool) -> None:  # noqa: FBT001 - the framework gives it by position
    if is_asked:
        from importlib.metadata import version

        console.print_line(f"orchctl {version('orchd')} (protocol {VERSION})")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version.", is_eager=True, callback=_show_version)
    ] = False,
    connect: Annotated[str | None, typer.Option(metavar="URL", help=_CONNECT)] = None,
    profile: Annotated[str | None, typer.Option(metavar="NAME", help=_PROFILE)] = None,
) -> None:
    del version
    for flag, value in (("--connect", connect), ("--profile", profile)):
        if value is not None:
            target.use(flag, value)


def _function(command: Command, run: Runner) -> Callable[..., int]:
    """A function that looks as if somebody had written the command down for Typer."""
    fields: list[Argument | Option] = [*command.arguments, *command.options]

    def call(**given: Any) -> int:
        args = {field.name: _plain(field, given[field.name]) for field in fields}
        return run(command, SimpleNamespace(**args))

    hints = {
        **{argument.name: _argument(argument) for argument in command.arguments},
        **{option.name: _option(option) for option in command.options},
    }
    parameters = [
        inspect.Parameter(
            field.name,
            inspect.Parameter.KEYWORD_ONLY,
            default=_default(field),
            annotation=hints[field.name],
        )
        for field in fields
    ]
    vars(call).update(__name__="_".join(command.words))
    call.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]  # PEP 362 allows it
    call.__annotations__ = hints
    return call


def _default(field: Argument | Option) -> object:
    if isinstance(field, Argument) and field.required:
        return inspect.Parameter.empty
    return None if field.many else field.default


def _plain(field: Argument | Option, value: Any) -> object:
    if isinstance(field, Option) and field.kind == "flag":
        return bool(value)
    return tuple(value or ()) if field.many else value


def _argument(argument: Argument) -> object:
    shown = re.sub(r"[^A-Z]*([A-Z]+).*", r"\1", argument.metavar)  # Typer puts brackets and dots itself
    kind = typer.Argument(
        help=argument.help,
        metavar=shown,
        parser=_parser(argument.kind),
        show_default=False,
        autocompletion=_completed(argument),
    )
    return _hint(argument, kind)


def _option(option: Option) -> object:
    if option.kind == "flag":
        return Annotated[bool, typer.Option(*option.flags, help=option.help, show_default=False)]
    kind = typer.Option(
        *option.flags,
        help=option.help,
        metavar=option.metavar,
        parser=_parser(option.kind),
        show_default=False,
        autocompletion=_completed(option),
    )
    return _hint(option, kind)


def _completed(field: Argument | Option) -> Callable[[str], list[tuple[str, str]]] | None:
    return completion.OFFERS[field.completes] if field.completes else None


def _hint(field: Argument | Option, kind: object) -> object:
    plain = _TYPES.get(field.kind, str)
    if field.many:
        return Annotated[list[str], kind] if getattr(field, "required", False) else Annotated[list[str] | None, kind]
    return Annotated[plain, kind] if getattr(field, "required", False) else Annotated[plain | None, kind]


def _parser(kind: str) -> Callable[[str], Any]:
    def convert(text: str) -> object:
        try:
            return KINDS[kind](text)
        except ValueError as error:
            raise typer.BadParameter(str(error)) from None

    convert.__name__ = kind
    return convert


def _completes() -> bool:
    return "_ORCHCTL_COMPLETE" in os.environ


def _meant(complaint: Exception, words: Sequence[str]) -> str | None:
    """What a word of another tool is here; None when the complaint is about none."""
    command = next((COMMANDS[name] for name in (" ".join(words[:2]), *words[:1]) if name in COMMANDS), None)
    option = getattr(complaint, "option_name", None)
    if command is not None and "unexpected extra argument" in getattr(complaint, "message", ""):
        return extra(" ".join(command.words), words)
    if (option is None) != (command is None and words[0] not in GROUPS):
        return None
    return hint(words, option, {flag for known in (command.options if command else ()) for flag in known.flags})


def _help_of(words: Sequence[str]) -> str:
    known = next((name for name in (" ".join(words[:2]), *words[:1]) if name in (*COMMANDS, *GROUPS)), "")
    return " ".join(f"orchctl {known} --help".split())


def _wants_json(words: Sequence[str]) -> bool:
    words = words[: words.index("--")] if "--" in words else words
    return "--json" in words
