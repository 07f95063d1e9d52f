"""The documents agree with the code."""

from __future__ import annotations

import importlib.util
import json
import re
from pathlib import Path
from typing import Any

import msgpack
import pytest
import zmq

from orchctl.commands.registry import COMMANDS
from orchd.core.admission.blocking import Rule
from tests.conftest import Instance

ROOT = Path(__file__).parents[2]
DOCUMENTS = sorted([ROOT / "README.md", *(ROOT / "docs").rglob("*.md")])


def script(name: str) -> Any:
    """A script of docs/, as a module."""
    spec = importlib.util.spec_from_file_location(name, ROOT / f"docs/{name}.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_parts_generated_from_the_code_are_up_to_date() -> None:
    module = script("generate")
    for file, (name, make) in module.MADE.items():
        text = (ROOT / "docs" / file).read_text()
        assert module.written(text, name, make()) == text, f"docs/{file} is stale: run `make docs`"


def test_manual_pages_are_up_to_date() -> None:
    man = script("generate").man
    for name, make in man.PAGES.items():
        assert (man.MAN / name).read_text() == make(), f"docs/man/{name} is stale: run `make docs`"


def test_pictures_of_the_terminal_show_what_the_code_prints() -> None:
    pictures = script("generate").pictures
    for name, (_, make) in pictures.PICTURES.items():
        svg = (pictures.IMAGES / name).read_text()
        assert pictures.shown(svg) == pictures.said(make()), f"docs/images/{name} is stale: run `make docs`"
        assert "http" not in svg.replace("http://www.w3.org/2000/svg", "").replace("https://www.textualize.io", "")


def test_the_recorded_fleet_has_the_keys_of_the_current_status(instance: Instance) -> None:
    instance.spawn("true")
    status = instance.status("--all")
    recorded = json.loads((ROOT / "docs/images/fleet.json").read_text())["answer"]
    assert recorded["agents"][0].keys() == status["agents"][0].keys()
    assert recorded["limit"].keys() == status["limit"].keys()


def test_the_composition_types_match_the_schema() -> None:
    module = script("generate")
    assert module.types() == module.TYPES.read_text(), "the types are stale: run `make docs`"


def test_every_example_of_the_protocol_is_answered_with_a_result(instance: Instance) -> None:
    examples = re.findall(r"```json\n(.*?)```", (ROOT / "docs/reference/protocol.md").read_text(), re.DOTALL)
    requests = [json.loads(line) for line in examples[-1].splitlines()]
    context = zmq.Context()
    dealer = context.socket(zmq.DEALER)
    dealer.connect(f"ipc://{instance.home.socket}")
    for request in requests:
        dealer.send(msgpack.packb(request))
        assert dealer.poll(30_000), request
        reply = msgpack.unpackb(dealer.recv())
        assert reply["ok"], (request, reply)
        assert reply["id"] == request["id"]
    context.destroy(linger=0)


def test_every_rule_that_blocks_an_agent_is_in_the_protocol() -> None:
    section = (ROOT / "docs/reference/protocol.md").read_text().partition("\n## Why\n")[2].partition("\n## ")[0]
    assert set(Rule) <= set(re.findall(r"`([a-z-]+)`", section))


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_file_a_document_names_exists(path: Path) -> None:
    named = re.findall(
        r"`((?:orchd(?!/(?:api|docs|tests|login|profile)`)|orchctl|tests|benchmarks|docs(?!/tasks/)|systemd)/[\w./-]+)`",
        path.read_text(),
    )
    named += [f"docs/{link}" for link in re.findall(r"\]\(docs/([\w./-]+)\)", path.read_text())]
    assert [name for name in named if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_test_a_document_names_exists(path: Path) -> None:
    for file, name in re.findall(r"`(tests/[\w/]+\.py)::(\w+)`", path.read_text()):
        assert f"def {name}(" in (ROOT / file).read_text(), f"{file}::{name}"


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_command_a_document_shows_exists(path: Path) -> None:
    commands = re.findall(r"^(?:\$ )?orchctl ([a-z][\w-]*)(?: (\w+))?", path.read_text(), re.MULTILINE)
    known = set(COMMANDS)
    assert [words for words in commands if words[0] not in known and " ".join(words) not in known] == []


def test_every_field_of_an_event_is_explained() -> None:
    page = (ROOT / "docs/reference/events.md").read_text()
    table, _, fields = page.partition("\n## Fields\n")
    shown = {
        name
        for row in re.findall(r"^\| `[a-z-]+` \|.*\| (.*) \|$", table, re.MULTILINE)
        for name in re.findall(r"`(\w+)`", row)
    }
    explained = {
        name for row in re.findall(r"^\| (`.*?) \|", fields, re.MULTILINE) for name in re.findall(r"`(\w+)`", row)
    }
    assert shown == explained
