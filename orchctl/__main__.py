"""Entry point of `orchctl`: the quick parser reads the arguments if it can, else the full parser does."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.cli import quick_parser
from orchctl.cli.words import usual
from orchctl.terminal import console
from orchd.instance.system import utf8


def main() -> int:
    """Run the process's arguments; returns the exit code."""
    utf8.ensure()
    exit_codes.open_missing()
    console.prepare(utf8.output_encoding())
    words = sys.argv[1:]
    return exit_codes.run(_run, SimpleNamespace(words=words, json="--json" in words))


def _run(given: SimpleNamespace) -> int:
    words = given.words
    if words and words[0].startswith(("--connect", "--profile")):
        from orchctl.client import target

        words = target.taken(words)
    words = usual(words)
    parsed = None if "_ORCHCTL_COMPLETE" in os.environ else quick_parser.parse(words)
    if parsed is not None:
        return exit_codes.run(parsed.command.run, parsed.args)
    from orchctl.cli import typer_app

    return typer_app.main(words)


if __name__ == "__main__":
    sys.exit(main())
