"""`orchctl config init|show|check|path|reload`: the configuration file, and the values in force."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.daemon.probe import is_running
from orchctl.errors import RefusedError
from orchctl.render import text
from orchctl.terminal import console
from orchd.instance import config as settings
from orchd.instance import home as homes
from orchd.instance.home import Home, default_home
from orchd.instance.system.private_file import write_private
from orchd.protocol.errors import WireError

COMMAND, FILE, DEFAULT = "command", "config.toml", "default"
_PATIENCE = 5.0  # seconds for the daemon to answer
_HIDDEN = "(not shown)"  # of variables, which may be secrets


def path(args: SimpleNamespace) -> int:
    """Print the path of the file, which may not exist."""
    file = Home(default_home()).config
    console.result({"config": str(file), "exists": file.exists()}, [text.clean_line(str(file))], as_json=args.json)
    return exit_codes.OK


def init(args: SimpleNamespace) -> int:
    """Write a file in which every key is a commented line with its meaning; a file that exists stays as it is."""
    from orchctl.daemon import config_example

    file = Home(default_home()).config
    if args.print:
        console.result(
            {"config": None, "text": config_example.text()}, config_example.text().splitlines(), as_json=args.json
        )
        return exit_codes.OK
    Home(default_home()).create()
    try:
        write_private(file, config_example.text().encode(), is_new=True)
    except FileExistsError:
        message = f"{file} already exists: edit it, or print a complete example with `orchctl config init --print`"
        raise RefusedError(message, code="config-exists") from None
    console.result({"config": str(file)}, [text.clean_line(str(file))], as_json=args.json)
    return exit_codes.OK


def valid_config(home: Home) -> settings.Config:
    """Return the configuration in the file. Raises RefusedError with all problems of an invalid file."""
    try:
        return settings.read(home.config)
    except settings.SettingsError as error:
        problems = [problem._asdict() for problem in error.problems]
        raise RefusedError(f"{error}; correct it", code="bad-config", details={"problems": problems}) from None


def show(args: SimpleNamespace) -> int:
    """Print each key with the value in force and where it comes from: `command`, `config.toml` or `default`.

    With `--json` `{config, daemon, keys: [{key, value, unset, default, source, in_file, unit, takes_effect}]}`;
    `in_file` is the value in the file where that is not in force.
    """
    home = Home(default_home())
    config = valid_config(home)
    answer: dict[str, Any] | None = None  # what is in force in the daemon, if a daemon runs and has the operation
    if is_running(home):
        with Client(home, starts=False) as client:
            try:
                answer = client.call("config", patience=_PATIENCE)
            except WireError as error:
                if error.code != "unknown-op":
                    raise
    keys = [key for name in settings.KEYS for key in _keys(name, config, answer)]
    rows = []
    for key in keys:
        value = json.dumps(key["value"], ensure_ascii=False)
        value = str(key["unset"]) if key["value"] is None else _HIDDEN if key["value"] == _HIDDEN else value
        pending = ""
        if "in_file" in key:
            in_file = "nothing" if key["in_file"] is None else json.dumps(key["in_file"], ensure_ascii=False)
            pending = f"config.toml contains {in_file}, takes effect {key['takes_effect']}"
        rows.append([text.clean(cell) for cell in (key["key"], value, key["unit"], key["source"], pending)])
    lines = [*text.aligned(rows)]
    if answer is None:
        lines.append(
            "no daemon is running: the next daemon reads these values; a limit set by `orchctl limit` takes precedence"
        )
    shown = {"config": str(home.config), "daemon": answer is not None, "keys": keys}
    console.result(shown, lines, as_json=args.json)
    return exit_codes.OK


def check(args: SimpleNamespace) -> int:
    """Print a line for each error, or `{config, exists, valid, problems}`; exit code 1 when there are any.

    Without a file the defaults are in force, and are valid.
    """
    file = homes.absolute(args.file) if args.file else Home(default_home()).config
    if args.file and file.exists() and not file.is_file():
        what = "a directory" if file.is_dir() else "not a regular file"
        raise RefusedError(f"{file} is {what}; give the path of a config.toml", code="no-config")
    problems = []
    try:
        settings.read(file)
    except settings.SettingsError as error:
        problems = error.problems
    if args.file and not file.exists():
        raise RefusedError(f"no such file: {file}; give the path of a config.toml", code="no-config")
    value = {
        "config": str(file),
        "exists": file.exists(),
        "valid": not problems,
        "problems": [problem._asdict() for problem in problems],
    }
    state = "is valid" if file.exists() else "does not exist; the defaults are in force"
    lines = [f"error: {problem.message}" for problem in problems]
    lines.append(f"{file} is invalid, errors: {len(problems)}" if problems else f"{file} {state}")
    console.result(value, map(text.clean_line, lines), as_json=args.json)
    return exit_codes.REFUSED if problems else exit_codes.OK


def reload(args: SimpleNamespace) -> int:
    """Print the keys that changed, and when the others take effect."""
    with Client(starts=False) as client:
        answer = client.call("reload")
    changed = ", ".join(answer["changed"])
    lines = [f"changed: {changed}" if changed else "nothing changed"]
    lines += [f"{key} takes effect {when}" for key, when in answer["later"].items()]
    console.result(answer, lines, as_json=args.json)
    return exit_codes.OK


def _keys(name: str, config: settings.Config, answer: dict[str, Any] | None) -> Iterator[dict[str, Any]]:
    """Yield the key `name`; of a table each key that is given."""
    in_file, about = getattr(config, name), settings.KEYS[name]
    common: dict[str, Any] = {"unit": about.unit, "takes_effect": about.effective}
    value = in_file if answer is None else answer["values"].get(name, in_file)
    is_command = answer is not None and answer["by_command"] and name in settings.LIMITS
    if answer is not None and name == "resident" and not is_command and in_file is None:
        value = None if value == settings.resident_of(config) else value  # it follows from the limit
    is_default = value == settings.default(name) and not is_command
    source = COMMAND if is_command else DEFAULT if is_default else FILE
    if value != in_file and not (is_command and in_file == settings.default(name)):
        common |= {"in_file": in_file, "takes_effect": settings.COMMAND if is_command else about.effective}
    common |= {"default": is_default, "source": source}
    if is_default:
        yield {"key": name, "value": None if about.unset else value, "unset": about.unset, **common}
        return
    for path, leaf in _leaves(value, name):
        yield {"key": path, "value": leaf, "unset": about.unset if leaf is None else "", **common}


def _leaves(value: Any, path: str) -> Iterator[tuple[str, object]]:
    """Yield the path and value of each key that is given in `value`."""
    if path.endswith(".env"):
        yield from ((f"{path}.{variable}", _HIDDEN) for variable in value)
    elif isinstance(value, dict) or dataclasses.is_dataclass(value):
        if isinstance(value, dict):
            parts = value
        else:
            fields = {field: getattr(value, field.name) for field in dataclasses.fields(value)}
            parts = {field.name: part for field, part in fields.items() if part != settings.blank(field)}
        for name, part in parts.items():
            yield from _leaves(part, f"{path}.{name}")
    else:
        yield path, value
