"""`orchctl runners`: what can run an agent. It asks no daemon: it reads what the daemon reads."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import NamedTuple

from orchctl import exit_codes
from orchctl.errors import RefusedError
from orchctl.render import text
from orchctl.terminal import console
from orchd.instance import runner_config
from orchd.instance.home import default_home
from orchd.protocol import schema
from orchd.protocol.errors import WireError

_PATIENCE = 2.0  # seconds for all versions together: they are only company
_SHOWN = 60  # characters of a version


class _Program(NamedTuple):
    """A runner as it is on this machine."""

    name: str
    is_default: bool
    model: str | None
    program: str | None
    path: str | None

    @property
    def is_ready(self) -> bool:
        """Whether it can run: one that only pretends needs no program."""
        return self.program is None or self.path is not None


def run(args: SimpleNamespace) -> int:
    """Print a line for each runner, or `{default, config, runners}`."""
    config = default_home() / "config.toml"
    try:
        known = runner_config.read(config)
    except (schema.ShapeError, OSError) as error:
        raise RefusedError(f"{config}: {error}; correct it and try again", code="bad-config") from None
    default, why_none = _default(known)
    found = [_found(known, name, default) for name in known.names]
    versions = _versions(found)
    value = {"default": default, "config": str(config), "runners": [_as_json(one, versions) for one in found]}
    console.result(value, _lines(found, versions), as_json=args.json)
    if why_none and not args.json:
        console.warn(why_none)
    return exit_codes.OK


def _default(known: runner_config.Runners) -> tuple[str | None, str]:
    """What runs a goal that names no runner, or why there is no such runner."""
    try:
        return known.chosen(os.environ), ""
    except WireError as error:
        return None, error.message


def _found(known: runner_config.Runners, name: str, default: str | None) -> _Program:
    program = known.program(name)
    path = shutil.which(program) if program else None
    return _Program(name, name == default, known.of(name).model, program, path)


def _versions(found: list[_Program]) -> Mapping[str, str]:
    """What those that are built in say of their version; another program might take the question for a prompt."""
    asked = {one.name: _asked(one.path) for one in found if one.path is not None and one.name in runner_config.BUILT_IN}
    deadline = time.monotonic() + _PATIENCE
    answers = {}
    for name, process in asked.items():
        with process:
            try:
                said, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
                answers[name] = said.decode(errors="replace").strip().partition("\n")[0][:_SHOWN]
            except subprocess.TimeoutExpired:
                process.kill()
    return {name: said for name, said in answers.items() if said}


def _asked(path: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [path, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )


def _as_json(one: _Program, versions: Mapping[str, str]) -> dict[str, object]:
    return {
        "name": one.name,
        "built_in": one.name in runner_config.BUILT_IN,
        "default": one.is_default,
        "model": one.model,
        "program": one.program,
        "path": one.path,
        "version": versions.get(one.name),
        "ready": one.is_ready,
    }


def _lines(found: list[_Program], versions: Mapping[str, str]) -> Iterator[str]:
    rows = [
        [text.clean(one.name), "default" if one.is_default else "", text.clean(_state(one, versions))] for one in found
    ]
    yield from text.aligned(rows)


def _state(one: _Program, versions: Mapping[str, str]) -> str:
    if one.program is None:
        return "only pretends"
    if one.path is None:
        return f"{one.program} is not on the PATH"
    said = versions.get(one.name)
    return f"{one.path}, {said}" if said else one.path
