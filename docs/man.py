"""The manual pages in docs/man, made from the tables of commands and configuration keys."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from orchctl.cli.help_text import GLOBAL, SHOW_HELP
from orchctl.commands.registry import COMMANDS
from orchctl.commands.spec import Command
from orchd.instance.config import KEYS, default

MAN = Path(__file__).parent / "man"
_CODES = re.compile(r"^\| (\d+) \| (.*) \|$", re.MULTILINE)


def roff(text: str) -> str:
    """Return a text with the characters escaped that begin a request or a special character."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", text).replace("`", "")
    escaped = text.replace("\\", r"\e").replace("-", r"\-")
    return f"\\&{escaped}" if escaped.startswith((".", "'")) else escaped


_MANUALS = {1: "User Commands", 5: "File Formats", 8: "System Administration"}


def _head(name: str, section: int, about: str) -> Iterator[str]:
    yield f'.TH {name.upper()} {section} "" "orchd" "{_MANUALS[section]}"'
    yield from (".SH NAME", f"{name} \\- {roff(about)}")


def _option(option: str) -> str:
    """Return `-h, --help` or `--profile NAME`: flags are bold, values are italic."""
    return re.sub(r"[\w-]+", lambda word: f"\\f{'B' if word[0].startswith('-') else 'I'}{roff(word[0])}\\fR", option)


def _command(command: Command) -> Iterator[str]:
    metavars = " ".join(argument.metavar for argument in command.arguments)
    yield f".SS orchctl {roff(' '.join((*command.words, metavars)).strip())}"
    yield roff(command.help)
    for argument in command.arguments:
        yield from (".TP", f"\\fI{roff(argument.metavar)}\\fR", roff(argument.help))
    for option in command.options:
        flags = ", ".join(f"\\fB{roff(flag)}\\fR" for flag in option.flags)
        yield from (".TP", f"{flags} \\fI{roff(option.metavar or '')}\\fR".removesuffix(" \\fI\\fR"), roff(option.help))


def orchctl() -> str:
    """Return orchctl(1)."""
    lines = [*_head("orchctl", 1, "run coding agents under a single concurrency limit")]
    lines += [".SH SYNOPSIS", r"\fBorchctl\fR [\fIOPTION\fR]... \fICOMMAND\fR [\fIARGUMENT\fR]..."]
    lines += [".SH DESCRIPTION", roff("orchctl sends requests to orchd, the daemon that starts and supervises agents.")]
    others = sorted(
        name for name, command in COMMANDS.items() if all(option.name != "json" for option in command.options)
    )
    lines += [
        roff(f"Every command but {', '.join(others[:-1])} and {others[-1]} has --json, and prints its result as JSON.")
    ]
    lines += [roff("Inside an agent the same commands work."), ".SH OPTIONS"]
    for option, about in (*GLOBAL, SHOW_HELP):
        lines += [".TP", _option(option), roff(about)]
    lines += [".SH COMMANDS", *(line for command in COMMANDS.values() for line in _command(command))]
    page = (MAN.parent / "reference/exit-codes.md").read_text()
    lines.append(".SH EXIT STATUS")
    for code, meaning in _CODES.findall(page.partition("\n## ")[0]):
        lines += [".TP", f"\\fB{code}\\fR", roff(meaning)]
    lines += [".SH SEE ALSO", r"\fBorchd\fR(8), \fBorchd.toml\fR(5)"]
    return "\n".join(lines) + "\n"


def orchd() -> str:
    """Return orchd(8)."""
    page = (MAN.parent / "reference/commands.md").read_text().partition("\n## orchd\n")[2]
    lines = [*_head("orchd", 8, "daemon that runs coding agents under a single concurrency limit")]
    lines += [".SH SYNOPSIS", r"\fBorchd\fR [\fB\-\-home\fR \fIDIR\fR]", ".SH DESCRIPTION"]
    lines += [roff("orchd starts and supervises agents. orchctl and systemd start it; it need not be run by hand.")]
    lines.append(".SH OPTIONS")
    for option, about in re.findall(r"^\| (`--.*?) \| (.*) \|$", page, re.MULTILINE):
        lines += [".TP", f"\\fB{roff(option)}\\fR", roff(about)]
    lines += [".SH FILES", ".TP", r"\fI~/.local/state/orchd\fR", "the home: database, logs, config.toml"]
    lines += [".SH SEE ALSO", r"\fBorchctl\fR(1), \fBorchd.toml\fR(5)"]
    return "\n".join(lines) + "\n"


def config() -> str:
    """Return orchd.toml(5)."""
    lines = [*_head("orchd.toml", 5, "configuration of orchd"), ".SH DESCRIPTION"]
    lines += [
        roff("config.toml in the home of the daemon. Every key is optional. orchctl config init writes an example.")
    ]
    lines.append(".SH KEYS")
    for name, key in KEYS.items():
        value = key.unset or json.dumps(default(name))  # as in TOML
        about = f"{key.about[:1].upper()}{key.about[1:]}. Unit: {key.unit}. Default: {value}."
        lines += [".TP", f"\\fB{roff(name)}\\fR", roff(about)]
    lines += [".SH SEE ALSO", r"\fBorchctl\fR(1), \fBorchd\fR(8)"]
    return "\n".join(lines) + "\n"


PAGES = {"orchctl.1": orchctl, "orchd.8": orchd, "orchd.toml.5": config}


def write() -> None:
    """Write all pages."""
    MAN.mkdir(exist_ok=True)
    for name, make in PAGES.items():
        (MAN / name).write_text(make())
