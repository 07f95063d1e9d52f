"""Paths that agents can write are opened by orchd/wire/opening.py and the modules that replace files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.test_layers import ROOT, sources

METHODS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "touch"}
# What each of these opens is not a file that an agent can replace, or is given by the person who typed the command.
OPENERS = {
    "orchd/wire/opening.py": "the functions for it",
    "orchd/wire/whole.py": "a new file, which then replaces what was there",
    "orchd/wire/private.py": "a new file, which then replaces what was there; directories",
    "orchd/migrations.py": "a new file, which then replaces what was there",
    "orchd/daemon.py": "the method of another object",
    "orchd/remote.py": "the method of another object",
    "orchd/procs/handle.py": "the method of another object",
    "orchd/procs/files.py": "a new record, made with O_EXCL; /proc",
    "orchd/procs/launch.py": "the standard input that the caller chose, without blocking; directories; /proc",
    "orchd/procs/programs.py": "the program that the caller chose, without blocking",
    "orchd/procs/procfs.py": "/proc",
    "orchd/procs/attributes.py": "/proc",
    "orchd/procs/namespaces.py": "/proc",
    "orchd/procs/unrecorded.py": "/proc",
    "orchd/presence.py": "/proc",
    "orchd/ports.py": "/dev/null",
    "orchctl/inside.py": "/proc",
    "orchctl/runners/leftovers.py": "/proc",
    "orchctl/attributes.py": "/proc",
    "orchd/callers.py": "/proc",
    "orchd/wire/cgroups.py": "/proc",
    "orchd/procs/watch.py": "/sys/fs/cgroup",
    "orchd/procs/weighing.py": "/proc",
    "orchd/procs/controllers.py": "/sys/fs/cgroup",
    "orchd/procs/cgroups.py": "/proc and /sys/fs/cgroup",
    "orchd/procs/suspension.py": "/sys/fs/cgroup",
    "orchctl/doctor/strays.py": "/proc",
    "orchctl/doctor/machine.py": "/proc and /sys/fs/cgroup",
    "orchctl/exits.py": "/dev/null",
    "orchctl/runners/cli.py": "/dev/null",
    "orchctl/pm/journal.py": "directories",
    "orchctl/worktrees.py": "directories",
    "orchctl/far.py": "the person's own configuration, outside every project",
    "orchctl/units.py": "files of this package",
    "orchctl/composition/structure.py": "files of this package",
    "orchctl/installing.py": "files of this package",
    "orchctl/examples.py": "files of this package",
    "orchctl/commands/service.py": "the person's own units",
    "orchctl/inputs.py": "a pipe that the command line names",
    "orchctl/listing.py": "a file or pipe that the command line names",
    "orchctl/envfiles.py": "a file or pipe that the command line names",
    "orchctl/composition/jsonfiles.py": "a file or pipe that the command line names",
    "orchctl/commands/trace.py": "a file or pipe that the command line names",
    "orchctl/commands/plan.py": "a file or pipe that the command line names",
    "orchctl/commands/timeline.py": "a file or pipe that the command line names",
    "orchctl/commands/tasks_merge.py": "a file or pipe that the command line names",
    "orchctl/commands/tasks.py": "a file or pipe that the command line names; a new one, made with O_EXCL",
}


def openings(text: str) -> Iterator[str]:
    """The calls in a source that open a path."""
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        if isinstance(node.func, ast.Name) and node.func.id == "open":
            yield "open"
        elif isinstance(node.func, ast.Attribute) and node.func.attr in METHODS:
            yield node.func.attr


def test_an_opening_is_seen() -> None:
    text = "import os\nos.open('x', 0)\nwith open('x') as f: f.read()\npath.read_text()\nopened('x')\n"
    assert sorted(openings(text)) == ["open", "open", "read_text"]


@pytest.mark.parametrize("path", [*sources("orchd"), *sources("orchctl")], ids=lambda path: str(path.relative_to(ROOT)))
def test_paths_that_agents_can_write_are_opened_in_one_way(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    if not name.startswith("orchctl/skills/"):  # programs that run without this package
        assert bool(list(openings(path.read_text()))) == (name in OPENERS)
