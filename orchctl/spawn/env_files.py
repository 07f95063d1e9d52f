"""Files of variables, `KEY=VALUE` on each line: unlike a command line, other users cannot read them."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchctl.errors import UsageError
from orchd.instance import environment


def pairs(options: Iterable[str]) -> dict[str, str]:
    """Return the variables of `--env` options; a later value replaces an earlier one."""
    return dict(pair.split("=", 1) for pair in options)


def read(files: Iterable[str], directory: Path) -> dict[str, str]:
    """Return the variables of all `files`; a later value replaces an earlier one.

    The value is all text after the first `=`, with quotes and spaces. Empty lines and lines that begin with `#` are
    skipped. Raises UsageError, which never holds a value.
    """
    variables: dict[str, str] = {}
    for file in files:
        try:
            text = (directory / file).read_bytes().decode("utf-8", "surrogateescape")
        except OSError as error:
            raise UsageError(
                f"--env-file {file} cannot be read: {error.strerror}; name a file of KEY=VALUE lines"
            ) from None
        for number, line in enumerate([line.removesuffix("\r") for line in text.split("\n")], 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, equals, value = line.partition("=")
            if not equals or not environment.is_name(name) or "\0" in value:
                raise UsageError(
                    f"{file}, line {number} is not KEY=VALUE: write a name, `=` and the value without quotes"
                )
            variables[name] = value
    return variables
