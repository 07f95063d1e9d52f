"""Writes the parts of docs/ that are made from the code, between their markers, so that they cannot lie."""

from __future__ import annotations

import inspect
import json
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, get_args

sys.path.insert(0, str(Path(__file__).parent))
import man
import pictures

from orchctl.cli.help_text import GLOBAL, SHOW_HELP
from orchctl.commands.registry import COMMANDS
from orchctl.commands.spec import Argument, Option
from orchd.core.state.agents import OVER, Status
from orchd.core.state.events import AgentQueued, Event
from orchd.core.state.transitions import NEXT
from orchd.instance.config import KEYS, Key, default
from orchd.store import codec

DOCS = Path(__file__).parent
SCHEMA = DOCS.parent / "orchctl/schemas/skill-composition-schema.json"
TYPES = DOCS.parent / "orchctl/composition/types.py"


def states() -> str:
    """The table of transitions as a Mermaid diagram; events that change nothing but the agent itself are left out."""
    lines = ["```mermaid", "stateDiagram-v2"]
    arrows: dict[tuple[Status | None, Status], list[str]] = {}
    for (start, event), end in NEXT.items():
        if start is not end:
            arrows.setdefault((start, end), []).append(event.__name__)
    for (start, end), events in arrows.items():
        origin = "[*]" if start is None else _node(start)
        lines.append(f"    {origin} --> {_node(end)}: {', '.join(events)}")
    lines += [f"    {_node(status)} --> [*]" for status in Status if status in OVER]
    assert (None, AgentQueued) in NEXT
    return "\n".join([*lines, "```"])


def _node(status: Status) -> str:
    return status.value.replace("-", "_")


def commands() -> str:
    """The options of orchctl itself, then every command with its own, from the tables that the help is made of."""
    rows = [f"| {_flags(option)} | {about} |" for option, about in (*GLOBAL, SHOW_HELP)]
    lines = ["## Global options", "", "They stand before the command.", "", "| option | |", "|---|---|", *rows, ""]
    lines += ["## All commands", ""]
    return "\n".join([*lines, *(line for command in COMMANDS.values() for line in _command(command.words, command))])


def _flags(option: str) -> str:
    """Return `-h, --help` or `--profile NAME` with its flags as code."""
    return re.sub(r"-[\w-]+", lambda flag: f"`{flag[0]}`", option)


def _command(words: tuple[str, ...], command: object) -> Iterator[str]:
    arguments: tuple[Argument, ...] = command.arguments  # type: ignore[attr-defined]
    options: tuple[Option, ...] = command.options  # type: ignore[attr-defined]
    shown = " ".join(argument.metavar for argument in arguments)
    yield f"### orchctl {' '.join(words)} {shown}".rstrip()
    yield ""
    yield command.help  # type: ignore[attr-defined]
    yield ""
    if arguments or options:
        yield f"| {'argument' if not options else 'option' if not arguments else 'argument, option'} | |"
        yield "|---|---|"
        for argument in arguments:
            yield f"| `{argument.metavar}`{' (required)' if argument.required else ''} | {argument.help} |"
        for option in options:
            flags = ", ".join(f"`{flag}`" for flag in option.flags)
            value = f" {option.metavar}" if option.metavar else ""
            yield f"| {flags}{value}{' (repeatable)' if option.many else ''} | {option.help} |"
        yield ""


def keys() -> str:
    """The keys of a composition.json, from its schema."""
    return "\n".join(line for definition in _definitions() for line in _key_table(definition))


def _definitions() -> list[dict[str, Any]]:
    """The schemas of objects, each behind those it refers to."""
    schema = json.loads(SCHEMA.read_text())
    return [*schema["$defs"].values(), schema]


def _key_table(definition: dict[str, Any]) -> Iterator[str]:
    yield from (f"### {definition['title']}", "", definition["description"], "", "| key | type | |", "|---|---|---|")
    required = definition.get("required", ())
    for key, value in definition["properties"].items():
        name = f"`{key}`{' (required)' if key in required else ''}"
        yield f"| {name} | {_words(value)} | {value['description']} |"
    yield ""


def _words(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "enum" in value:
        return ", ".join(f"`{word}`" for word in value["enum"] if word is not None)
    names = value["type"] if isinstance(value["type"], list) else [value["type"]]
    inner = _words(value["items"]) if "items" in value else ""
    return " or ".join(f"{_WORDS[name]} {inner}".strip() for name in names if name != "null")


_WORDS = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "array": "list of",
    "object": "object of texts",
}


def types() -> str:
    """The dataclasses of a composition as Python, from its schema."""
    classes = "\n\n".join("\n".join(_class(definition)) for definition in _definitions())
    return f'''"""Types of a composition.json. Generated from its JSON Schema: change the schema, then `make docs`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

{classes}
'''


def _class(definition: dict[str, Any]) -> Iterator[str]:
    yield from ("", "@dataclass(frozen=True, slots=True)", f"class {definition['title']}:")
    yield from (f'    """{definition["description"]}"""', "")
    required = definition.get("required", ())
    for key, value in definition["properties"].items():
        name = re.sub("[A-Z]", lambda letter: f"_{letter[0].lower()}", key)
        yield f"    {name}: {_python_type(value)}{'' if key in required else _default(value)}"


def _python_type(value: dict[str, Any]) -> str:
    if "$ref" in value:
        return str(value["$ref"]).rpartition("/")[2]
    if "enum" in value:
        known = ", ".join(json.dumps(word) for word in value["enum"] if word is not None)
        return f"Literal[{known}]" + (" | None" if None in value["enum"] else "")
    names = value["type"] if isinstance(value["type"], list) else [value["type"]]
    return " | ".join(_PYTHON[name](value) for name in names)


_PYTHON: dict[str, Callable[[dict[str, Any]], str]] = {
    "string": lambda _: "str",
    "integer": lambda _: "int",
    "number": lambda _: "float",
    "boolean": lambda _: "bool",
    "null": lambda _: "None",
    "array": lambda value: f"tuple[{_python_type(value['items'])}, ...]",
    "object": lambda value: f"Mapping[str, {_python_type(value['additionalProperties'])}]",
}


def _default(value: dict[str, Any]) -> str:
    default = value["default"]
    if default == {}:
        return f" = field(default_factory={_python_type(value) if '$ref' in value else 'dict'})"
    if default == []:
        return " = ()"
    return f" = {json.dumps(default) if isinstance(default, str) else default}"


def configuration() -> str:
    """Every key of config.toml, from the dataclass that reads it."""
    rows = [
        f"| `{key}` | {told.unit} | {_unless(key, told)} | {told.about} | {told.effective} |"
        for key, told in KEYS.items()
    ]
    return "\n".join(["| key | unit | default | meaning | takes effect |", "|---|---|---|---|---|", *rows])


def _unless(key: str, told: Key) -> str:
    return told.unset or f"`{json.dumps(default(key))}`"


# The fields that orchd.store.codec.describe makes of other fields.
_FIELDS = {
    "agent-queued": ("name", "level", "parent", "session", "task_id"),
    "wait-began": ("targets", "any"),
    "run-began": ("run", "name"),
    "process-ended": ("attempt", "exit_code", "tokens", "cost_usd", "cost_source", "notes"),
}


def events() -> str:
    """The table of all events, from the classes that the core records."""
    rows = ["| event | meaning | fields |", "|---|---|---|"]
    for kind in get_args(Event):
        name = codec.EVENT_NAMES[kind]
        fields = _FIELDS.get(name) or tuple(
            shown
            for field in codec.EVENT_FIELDS[kind]
            for shown in (("max_tokens", "max_cost") if field == "budget" else (field,))
        )
        meaning = " ".join((inspect.getdoc(kind) or "").partition("\n\n")[0].split())
        rows.append(f"| `{name}` | {meaning} | {', '.join(f'`{field}`' for field in fields)} |")
    return "\n".join(rows)


MADE = {
    "reference/events.md": ("events", events),
    "reference/configuration.md": ("configuration", configuration),
    "internals/architecture.md": ("states", states),
    "reference/commands.md": ("commands", commands),
    "guides/compositions.md": ("keys", keys),
}


def written(text: str, name: str, part: str) -> str:
    """`text` with what stands between the markers of `name` replaced by `part`."""
    begin, end = f"<!-- made by generate.py: {name} -->\n", f"\n<!-- end of {name} -->"
    before, _, rest = text.partition(begin)
    _, _, after = rest.partition(end)
    return f"{before}{begin}{part}{end}{after}"


def main() -> int:
    """Rewrite every file that has such a part, and the file that is one."""
    TYPES.write_text(types())
    for file, (name, make) in MADE.items():
        path = DOCS / file
        path.write_text(written(path.read_text(), name, make()))
    man.write()
    pictures.draw()
    return 0


if __name__ == "__main__":
    sys.exit(main())
