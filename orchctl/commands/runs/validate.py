"""`orchctl validate`: all errors of a composition at once. It needs no daemon."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.composition import validate_skill_composition
from orchctl.composition.schema import example_file
from orchctl.errors import UsageError
from orchctl.render import text
from orchctl.runs.locate import as_json, located
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print a line for each error and warning, or `{valid, errors, warnings}`; exit code 1 when there are errors."""
    if args.example:
        if args.file is not None:
            raise UsageError(f"--example takes no file: `orchctl validate {args.file}` checks it")
        console.put(example_file())
        return exit_codes.OK
    if args.file is None:
        raise UsageError("nothing to check: give FILE, or --example to print an example")
    directory = Path.cwd()
    valid, errors, warnings = validate_skill_composition(located(args.file, directory), directory=directory)
    value = {"valid": valid, "errors": [*map(as_json, errors)], "warnings": [*map(as_json, warnings)]}
    lines = [f"error: {problem}" for problem in errors] + [f"warning: {problem}" for problem in warnings]
    lines.append(f"{args.file} is valid" if valid else f"{args.file} is invalid, errors: {len(errors)}")
    console.result(value, map(text.clean_line, lines), as_json=args.json)
    return exit_codes.OK if valid else exit_codes.REFUSED
