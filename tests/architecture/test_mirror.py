"""Every module has its test file, and every test file its module."""

from __future__ import annotations

from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# What a module with another name, or none, is tested by.
ELSEWHERE = {
    "orchd/dag.py": "tests/test_dag.py",
    "orchd/__main__.py": "tests/shell/test_main.py",
    "orchd/errors.py": "tests/shell/test_faults.py",
    "orchd/wire/variables.py": "tests/shell/test_command.py",
    "orchd/wire/locks.py": "tests/shell/test_local.py",
    "orchd/wire/runners.py": "tests/shell/test_translate.py",
    "orchd/reading.py": "tests/shell/test_store.py",
    "orchd/parts.py": "tests/shell/test_daemon.py",
    "orchd/core/__init__.py": "",
    "orchd/core/composition/__init__.py": "",
    "orchd/procs/__init__.py": "",
    "orchd/wire/__init__.py": "",
    "orchd/__init__.py": "",
}
FOLDERS = {
    "orchd/core": "tests/core",
    "orchd/core/composition": "tests/core/composition",
    "orchd/wire": "tests/wire",
    "orchd/procs": "tests/shell",
    "orchd": "tests/shell",
}
MODULES = sorted(str(path.relative_to(ROOT)) for path in (ROOT / "orchd").rglob("*.py"))


def expected(module: str) -> str:
    """Where the tests of a module are; nothing for one that says nothing."""
    if module in ELSEWHERE:
        return ELSEWHERE[module]
    path = Path(module)
    return f"{FOLDERS[str(path.parent)]}/test_{path.stem}.py"


def test_a_module_without_tests_would_be_seen() -> None:
    assert not (ROOT / expected("orchd/core/nothing_yet.py")).exists()
    assert expected("orchd/procs/shim.py") == "tests/shell/test_shim.py"


@pytest.mark.parametrize("module", MODULES)
def test_every_module_has_its_test_file(module: str) -> None:
    assert (ROOT / expected(module)).exists(), expected(module)


@pytest.mark.parametrize("module", [module for module, tests in ELSEWHERE.items() if not tests])
def test_what_has_no_test_file_does_nothing(module: str) -> None:
    lines = (ROOT / module).read_text().splitlines()
    assert not [line for line in lines if line.startswith(("def ", "class "))]
