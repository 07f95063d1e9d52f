"""The packages that each package may import, and the calls that only some modules may make."""

from __future__ import annotations

import ast
import sys
from collections import defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orchd.dag import cycle_in

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
    "difflib",  # the nearest name, for messages
    "heapq",
    "itertools",
    "typing",
}
# what of the daemon's package the client may import
SHARED = ("orchd.protocol", "orchd.instance", "orchd.dag")
# Floors from the top: a package imports only from floors below its own.
FLOORS = {
    "orchd": (
        ("__main__",),
        ("daemon",),
        ("server", "session_files"),
        ("retention",),
        ("views",),
        ("network", "store"),
        ("processes", "monitors"),
        ("core", "errors"),
        ("instance",),
        ("dag", "protocol"),
    ),
    "orchctl": (
        ("__main__",),
        ("cli",),
        ("commands",),
        ("pm",),
        ("runs", "tasks", "runners", "exit_codes"),
        ("plans",),
        ("exporters", "spawn"),
        ("timeline", "terminal"),
        ("history",),
        ("worktrees", "doctor"),
        ("client", "composition"),
        ("daemon", "skills"),
        ("render", "errors"),
    ),
}
LOCAL = "orchd.processes"
# Only these, besides the package itself, may know that an attempt is a process of this machine.
KNOW_PROCESSES = {
    "orchd/daemon/full_disk.py",
    "orchd/daemon/performer.py",
    "orchd/daemon/wiring.py",
    "orchd/network/callers.py",
    "orchd/server/context.py",
    "orchd/server/operations/logs.py",
    "orchd/server/waits.py",
    "orchd/views/agents.py",
}
# These are about processes and machines, not about attempts.
ABOUT_THE_MACHINE = (f"{LOCAL}.linux.descriptors", f"{LOCAL}.linux.procfs", f"{LOCAL}.resource_limits")


def sources(folder: str) -> list[Path]:
    """Every module below `folder`."""
    modules = sorted(path for path in (ROOT / folder).rglob("*.py") if "scripts" not in path.parts)
    assert modules, folder
    return modules


def imports(text: str) -> Iterator[str]:
    """The modules that a source imports, wherever it does; a name imported from a package is a module if it is one."""
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "imports are absolute"
            module = node.module or ""
            for name in node.names:
                path = ROOT / f"{module}.{name.name}".replace(".", "/")
                is_module = path.with_suffix(".py").exists() or path.is_dir()
                yield f"{module}.{name.name}" if is_module else module


def strangers(text: str, allowed: set[str]) -> list[str]:
    """The imports that are of none of the packages `allowed`."""
    return [name for name in imports(text) if not any(f"{name}.".startswith(f"{top}.") for top in allowed)]


def upward(package: str, entry: str, text: str) -> list[str]:
    """The imports of a module of `entry` that are not from a floor below, nor from its own package."""
    floor = {name: number for number, names in enumerate(FLOORS[package]) for name in names}
    own = [name.split(".")[1] for name in imports(text) if name.startswith(f"{package}.")]
    return [name for name in own if name != entry and floor[name] <= floor[entry]]


def graph_of(package: str, unit: Callable[[Path], Path]) -> dict[str, set[str]]:
    """The imports between the units of a package: `unit` is the unit of a module."""
    graph: defaultdict[str, set[str]] = defaultdict(set)
    for path in sources(package):
        module = path.relative_to(ROOT).with_suffix("")
        here = unit(module.parent if module.name == "__init__" else module)
        for name in imports(path.read_text()):
            there = unit(Path(name.replace(".", "/")))
            if name.startswith(f"{package}.") and here not in (there, *there.parents) and there not in here.parents:
                graph[str(here)].add(str(there))
    return {module: {other for other in graph[module] if other in graph} for module in list(graph)}


def folder(module: Path) -> Path:
    """The folder of a module; a module that lies in no folder of its package is a unit of its own."""
    return module if len(module.parts) == 2 or (ROOT / module).is_dir() else module.parent


def entries(package: str) -> list[tuple[str, Path]]:
    """Every module of a package with the entry that it belongs to; the package's own file belongs to none."""
    top = ROOT / package
    modules = [path for path in sources(package) if path != top / "__init__.py"]
    return [(path.relative_to(top).with_suffix("").parts[0], path) for path in modules]


def name_of(path: object) -> str | None:
    """The id of a test by its module."""
    return str(path.relative_to(ROOT)) if isinstance(path, Path) else None


def test_a_disallowed_import_is_detected() -> None:
    text = "import os.path\nfrom time import time\ndef f():\n    import orchd.store\n"
    assert strangers(text, PURE | {"orchd.core"}) == ["os.path", "time", "orchd.store"]


def test_an_import_from_a_floor_above_is_detected() -> None:
    assert upward("orchd", "store", "from orchd.core import inputs\nfrom orchd.store.rows import row\n") == []
    assert upward("orchd", "store", "def f():\n    from orchd.views import agents\n") == ["views"]
    assert upward("orchd", "store", "from orchd.network.peers import Peer\n") == ["network"]


@pytest.mark.parametrize("path", sources("orchd/core"), ids=name_of)
def test_the_core_imports_only_pure_modules(path: Path) -> None:
    assert strangers(path.read_text(), PURE | {"orchd.core", "orchd.dag", "orchd.protocol.ids"}) == []


@pytest.mark.parametrize("name", ["dag", "protocol/ids"])
def test_graphs_and_ids_import_only_pure_modules(name: str) -> None:
    assert strangers((ROOT / f"orchd/{name}.py").read_text(), PURE) == []


@pytest.mark.parametrize(("entry", "path"), entries("orchd"), ids=name_of)
def test_the_daemon_imports_only_from_floors_below(entry: str, path: Path) -> None:
    assert upward("orchd", entry, path.read_text()) == []
    assert [name for name in imports(path.read_text()) if name.split(".")[0] == "orchctl"] == []


@pytest.mark.parametrize(("entry", "path"), entries("orchctl"), ids=name_of)
def test_the_client_imports_only_from_floors_below(entry: str, path: Path) -> None:
    assert upward("orchctl", entry, path.read_text()) == []


@pytest.mark.parametrize("path", sources("orchctl"), ids=name_of)
def test_the_client_imports_only_shared_modules_of_the_daemon(path: Path) -> None:
    of_the_daemon = [name for name in imports(path.read_text()) if name.split(".")[0] == "orchd"]
    assert [name for name in of_the_daemon if not f"{name}.".startswith(tuple(f"{top}." for top in SHARED))] == []


@pytest.mark.parametrize("package", FLOORS)
@pytest.mark.parametrize("unit", [folder, lambda module: module], ids=["folders", "modules"])
def test_no_import_cycle_exists_between_folders_or_modules(package: str, unit: Callable[[Path], Path]) -> None:
    graph = graph_of(package, unit)
    assert len(graph) > len(FLOORS[package])
    assert cycle_in(graph) is None


@pytest.mark.parametrize("path", sources("orchd"), ids=name_of)
def test_only_listed_modules_import_the_process_implementation(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    if not name.startswith("orchd/processes/") and name not in KNOW_PROCESSES:
        local = [module for module in imports(path.read_text()) if module.startswith(LOCAL)]
        assert [module for module in local if module not in ABOUT_THE_MACHINE] == []


@pytest.mark.parametrize("path", sources("orchd"), ids=name_of)
def test_no_module_imports_concurrency_libraries_but_the_commit_thread(path: Path) -> None:
    names = {name.split(".")[0] for name in imports(path.read_text())}
    waits_for_the_disk = {"threading"} if path.name == "commit_thread.py" else set()
    assert not names & {"asyncio", "threading", "concurrent", "multiprocessing", "subprocess"} - waits_for_the_disk


@pytest.mark.parametrize("path", sources("orchd"), ids=name_of)
def test_only_the_entry_module_reads_the_clock(path: Path) -> None:
    if path.name != "__main__.py":
        assert "time" not in imports(path.read_text())
        assert "datetime.now" not in path.read_text()


def test_the_package_init_files_are_empty() -> None:
    assert (ROOT / "orchd/__init__.py").read_text() == ""
    assert (ROOT / "orchctl/__init__.py").read_text() == ""


def test_the_modules_allowed_to_the_core_are_of_the_standard_library() -> None:
    assert sys.stdlib_module_names | {"__future__"} >= PURE
