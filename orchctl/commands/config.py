"""`orchctl config show|check|path|reload`: the configuration as it is in the file; only `reload` asks a daemon."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exits, out, render
from orchctl.client import Client
from orchctl.errors import RefusedError
from orchd.wire import Home, default_home, settings

_HIDDEN = "(not shown)"  # of variables, which may be secrets


def path(args: SimpleNamespace) -> int:
    """Print where the file is, whether there is one or not."""
    file = Home(default_home()).config
    out.result({"config": str(file), "exists": file.exists()}, [render.clean_line(str(file))], as_json=args.json)
    return exits.OK


def show(args: SimpleNamespace) -> int:
    """Print a line for each key, or `{config, keys: [{key, value, unset, default, unit, heeded}]}`."""
    file = Home(default_home()).config
    try:
        config = settings.read(file)
    except settings.SettingsError as error:
        problems = [problem._asdict() for problem in error.problems]
        raise RefusedError(f"{error}; correct it", code="bad-config", details={"problems": problems}) from None
    keys = [key for name in settings.KEYS for key in _keys(name, config)]
    rows = [[key["key"], _shown(key), key["unit"], "default" if key["default"] else ""] for key in keys]
    lines = render.aligned([[render.clean(cell) for cell in row] for row in rows])
    out.result({"config": str(file), "keys": keys}, lines, as_json=args.json)
    return exits.OK


def check(args: SimpleNamespace) -> int:
    """Print a line for each error, or `{config, valid, problems}`; exit code 1 when there are any."""
    file = Path(args.file).absolute() if args.file else Home(default_home()).config
    found = []
    try:
        settings.read(file)
    except settings.SettingsError as error:
        found = error.problems
    if args.file and not file.exists():
        raise RefusedError(f"there is no {file}: write the path of a config.toml", code="no-config")
    value = {"config": str(file), "valid": not found, "problems": [problem._asdict() for problem in found]}
    lines = [f"error: {problem.message}" for problem in found]
    lines.append(f"{file} is invalid, errors: {len(found)}" if found else f"{file} is valid")
    out.result(value, map(render.clean_line, lines), as_json=args.json)
    return exits.REFUSED if found else exits.OK


def reload(args: SimpleNamespace) -> int:
    """Print what changed, and what waits for something else."""
    with Client(starts=False) as client:
        answer = client.call("reload")
    changed = ", ".join(answer["changed"])
    lines = [f"changed: {changed}" if changed else "nothing changed"]
    lines += [f"{key} holds {when}" for key, when in answer["later"].items()]
    out.result(answer, lines, as_json=args.json)
    return exits.OK


def _keys(name: str, config: settings.Config) -> Iterator[dict[str, Any]]:
    """One key; of a table those that are given, one by one."""
    value, told = getattr(config, name), settings.KEYS[name]
    common = {"unit": told.unit, "heeded": told.heeded}
    if value == settings.default(name):
        shown = None if told.unset else value
        yield {"key": name, "value": shown, "unset": told.unset, "default": True, **common}
        return
    for path, leaf in _leaves(value, name):
        yield {"key": path, "value": leaf, "unset": "", "default": False, **common}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, object]]:
    """What is given, in tables one by one."""
    if path.endswith(".env"):
        yield from ((f"{path}.{variable}", _HIDDEN) for variable in value)
    elif isinstance(value, dict) or dataclasses.is_dataclass(value):
        parts = value if isinstance(value, dict) else _given(value)
        for name, part in parts.items():
            yield from _leaves(part, f"{path}.{name}")
    else:
        yield path, value


def _given(value: Any) -> dict[str, Any]:
    found = {one: getattr(value, one.name) for one in dataclasses.fields(value)}
    return {one.name: part for one, part in found.items() if part != settings.blank(one)}


def _shown(key: dict[str, Any]) -> str:
    if key["value"] is None:
        return str(key["unset"])
    return _HIDDEN if key["value"] == _HIDDEN else json.dumps(key["value"], ensure_ascii=False)
