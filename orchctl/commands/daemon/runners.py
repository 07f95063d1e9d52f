"""`orchctl runners`: list the runners in the configuration of the daemon. It needs no daemon."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from collections.abc import Mapping
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.errors import RefusedError
from orchctl.render import text
from orchctl.terminal import console
from orchd.instance import runner_config
from orchd.instance.home import default_home
from orchd.instance.system import os_errors
from orchd.protocol import schema
from orchd.protocol.errors import WireError

_PATIENCE = 2.0  # seconds for all versions together: they are only company
_SHOWN = 60  # characters of a version


def run(args: SimpleNamespace) -> int:
    """Print a line for each runner, or `{default, config, runners}`."""
    config = default_home() / "config.toml"
    try:
        known = runner_config.read(config)
    except (schema.ShapeError, OSError) as error:
        raise RefusedError(
            f"{config}: {os_errors.summary(error)}; correct it and try again", code="bad-config"
        ) from None
    default, why_none = None, ""
    try:
        default = known.chosen(os.environ)
    except WireError as error:
        why_none = error.message
    programs = {name: known.program(name) for name in known.names}
    paths = {name: shutil.which(program) if program else None for name, program in programs.items()}
    versions = _versions(paths)
    runners = [
        {
            "name": name,
            "built_in": name in runner_config.BUILT_IN,
            "default": name == default,
            "model": known.of(name).model,
            "program": program,
            "path": paths[name],
            "version": versions.get(name),
            "ready": program is None or paths[name] is not None,  # a simulated runner needs no program
        }
        for name, program in programs.items()
    ]
    rows = []
    for name, program in programs.items():
        state = "simulated, does no real work" if program is None else f"{program} is not on the PATH"
        if (path := paths[name]) is not None:
            state = f"{path}, {versions[name]}" if name in versions else path
        rows.append([text.clean(name), "default" if name == default else "", text.clean(state)])
    value = {"default": default, "config": str(config), "runners": runners}
    console.result(value, text.aligned(rows), as_json=args.json)
    if why_none and not args.json:
        console.warn(why_none)
    return exit_codes.OK


def _versions(paths: Mapping[str, str | None]) -> dict[str, str]:
    """Return the versions that built-in runners print; another program might take `--version` for a prompt."""
    processes = {
        name: subprocess.Popen(
            [path, "--version"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        for name, path in paths.items()
        if path is not None and name in runner_config.BUILT_IN
    }
    deadline = time.monotonic() + _PATIENCE
    versions = {}
    for name, process in processes.items():
        with process:
            try:
                output, _ = process.communicate(timeout=max(0.0, deadline - time.monotonic()))
                versions[name] = output.decode(errors="replace").strip().partition("\n")[0][:_SHOWN]
            except subprocess.TimeoutExpired:
                process.kill()
    return {name: version for name, version in versions.items() if version}
