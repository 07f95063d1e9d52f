"""Who may import whom, and what nobody may do. The house, as a test."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PURE = {
    "__future__",
    "bisect",
    "collections",
    "contextlib",
    "dataclasses",
    "enum",
    "functools",
    "graphlib",
    "typing",
} | {
    "difflib",  # the nearest name, for messages
    "itertools",  # pairs
    "heapq",  # events in the order of their times
}
CLIENT = {"orchd.wire", "orchd.core.composition", "orchd.dag"}  # what of the daemon's package the client may import
LOCAL = "orchd.procs"
# Only these, besides the package itself, may know that an attempt is a process of this machine.
KNOW_PROCESSES = {"callers.py", "parts.py", "queries.py", "shell.py", "views.py", "waits.py"}


def sources(folder: str) -> list[Path]:
    """Every module below `folder`."""
    found = sorted((ROOT / folder).rglob("*.py"))
    assert found, folder
    return found


def imports(text: str) -> Iterator[str]:
    """The modules that a source imports, wherever it does."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            yield node.module or ""


def strangers(text: str, allowed: set[str]) -> list[str]:
    """The imports that are of none of the packages `allowed`."""
    return [name for name in imports(text) if not any(name == one or name.startswith(f"{one}.") for one in allowed)]


def test_a_stranger_is_seen() -> None:
    text = "import os.path\nfrom time import time\ndef f():\n    import orchd.store\n"
    assert strangers(text, PURE | {"orchd.core", "orchd.dag"}) == ["os.path", "time", "orchd.store"]


@pytest.mark.parametrize("path", sources("orchd/core"), ids=lambda path: path.name)
def test_the_core_imports_nothing_that_can_touch_the_world(path: Path) -> None:
    assert strangers(path.read_text(), PURE | {"orchd.core", "orchd.dag"}) == []


@pytest.mark.parametrize("path", sources("orchctl"), ids=lambda path: path.name)
def test_the_client_imports_of_the_daemon_only_the_wire_and_compositions(path: Path) -> None:
    assert {name for name in imports(path.read_text()) if name.split(".")[0] == "orchd"} <= CLIENT


@pytest.mark.parametrize("path", sources("orchd/wire"), ids=lambda path: path.name)
def test_the_wire_imports_nothing_else_of_the_daemon(path: Path) -> None:
    own = [name for name in imports(path.read_text()) if name.split(".")[0] == "orchd"]
    assert [name for name in own if not name.startswith("orchd.wire")] == []


@pytest.mark.parametrize("path", sources("orchd"), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_those_who_must_know_that_an_attempt_is_a_process(path: Path) -> None:
    if path.parent.name != "procs" and path.name not in KNOW_PROCESSES:
        assert [name for name in imports(path.read_text()) if name.startswith(LOCAL)] == []


@pytest.mark.parametrize("path", sources("orchd"), ids=lambda path: str(path.relative_to(ROOT)))
def test_one_thread_and_no_event_loop_but_ours(path: Path) -> None:
    names = {name.split(".")[0] for name in imports(path.read_text())}
    waits_for_the_disk = {"threading"} if path.name == "commits.py" else set()
    assert not names & {"asyncio", "threading", "concurrent", "multiprocessing", "subprocess"} - waits_for_the_disk


@pytest.mark.parametrize("path", sources("orchd"), ids=lambda path: str(path.relative_to(ROOT)))
def test_only_the_entry_knows_what_time_it_is(path: Path) -> None:
    if path.name != "__main__.py":
        assert "time" not in imports(path.read_text())
        assert "datetime.now" not in path.read_text()


def test_the_packages_themselves_are_empty() -> None:
    assert (ROOT / "orchd/__init__.py").read_text() == ""
    assert (ROOT / "orchctl/__init__.py").read_text() == ""


def test_what_the_core_may_import_is_of_the_standard_library() -> None:
    assert sys.stdlib_module_names | {"__future__"} >= PURE
