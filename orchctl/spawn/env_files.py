"""Files of variables: `KEY=VALUE` a line, so that no secret has to be on a command line, which everybody can read."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from orchctl.errors import UsageError
from orchd.instance import environment


def pairs(said: Iterable[str]) -> dict[str, str]:
    """The variables of `--env` options, later ones over earlier ones."""
    return dict(pair.split("=", 1) for pair in said)


def read(files: Iterable[str], directory: Path) -> dict[str, str]:
    """The variables of all `files`, later ones over earlier ones. Raises UsageError, which never holds a value.

    What is behind the first `=` is the value as it is, quotes and spaces included. Empty lines and those that begin
    with `#` are left out.
    """
    found: dict[str, str] = {}
    for file in files:
        for number, line in enumerate(_lines(file, directory), 1):
            if not line.strip() or line.lstrip().startswith("#"):
                continue
            name, equals, value = line.partition("=")
            if not equals or not environment.is_name(name) or "\0" in value:
                raise UsageError(f"{file}, line {number} is not KEY=VALUE: write a name, `=` and the value as it is")
            found[name] = value
    return found


def _lines(file: str, directory: Path) -> list[str]:
    try:
        text = (directory / file).read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise UsageError(
            f"--env-file {file} cannot be read: {error.strerror}; give a file of KEY=VALUE lines"
        ) from None
    return [line.removesuffix("\r") for line in text.split("\n")]
