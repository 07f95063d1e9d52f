"""Paths that agents can write are opened by orchd/instance/system/open_file.py and the modules that replace files."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.architecture.test_layers import ROOT, sources

METHODS = {"open", "read_text", "read_bytes", "write_text", "write_bytes", "touch"}
# What each of these opens is not a file that an agent can replace, or is given by the person who typed the command.
OPENERS = {
    "orchd/instance/system/open_file.py": "the functions for it",
    "orchd/instance/system/atomic_file.py": "a new file, which then replaces what was there",
    "orchd/instance/system/private_file.py": "a new file, which then replaces what was there; directories",
    "orchd/instance/system/spread_directory.py": "the home itself, as a directory",
    "orchd/store/migrations.py": "a new file, which then replaces what was there",
    "orchd/daemon/lifecycle.py": "the method of another object",
    "orchd/network/remote.py": "the method of another object",
    "orchd/processes/attempt.py": "the method of another object",
    "orchd/processes/attempt_files.py": "a new record, made with O_EXCL; /proc",
    "orchd/processes/shims/launch.py": "the standard input of the caller, without blocking; directories; /proc",
    "orchd/processes/launching/programs.py": "the program that the caller chose, without blocking",
    "orchd/processes/linux/procfs.py": "/proc",
    "orchd/processes/launching/attributes.py": "/proc",
    "orchd/processes/launching/namespaces.py": "/proc",
    "orchd/processes/unrecorded.py": "/proc",
    "orchd/daemon/presence.py": "/proc",
    "orchd/network/sockets.py": "/dev/null",
    "orchctl/daemon/inside.py": "/proc",
    "orchctl/runners/harness/leftovers.py": "/proc",
    "orchctl/spawn/attributes.py": "/proc",
    "orchd/network/callers.py": "/proc",
    "orchd/instance/system/own_cgroup.py": "/proc",
    "orchd/processes/linux/exit_watch.py": "/sys/fs/cgroup",
    "orchd/processes/linux/memory_sampler.py": "/proc",
    "orchd/processes/linux/controllers.py": "/sys/fs/cgroup",
    "orchd/processes/linux/cgroups.py": "/proc and /sys/fs/cgroup",
    "orchd/processes/suspension.py": "/sys/fs/cgroup",
    "orchctl/doctor/orphans.py": "/proc",
    "orchctl/doctor/machine.py": "/proc and /sys/fs/cgroup",
    "orchctl/exit_codes.py": "/dev/null",
    "orchctl/runners/harness/supervise.py": "/dev/null",
    "orchctl/pm/journal.py": "directories",
    "orchctl/worktrees/create.py": "directories",
    "orchctl/client/remote.py": "the person's own configuration, outside every project",
    "orchctl/daemon/units.py": "files of this package",
    "orchctl/composition/schema.py": "files of this package",
    "orchctl/skills/install.py": "files of this package",
    "orchctl/cli/version.py": "files of this package",
    "orchctl/spawn/batch.py": "files of this package",
    "orchctl/commands/daemon/service.py": "the person's own units",
    "orchctl/spawn/inputs.py": "a pipe that the command line names",
    "orchctl/spawn/json_lines.py": "a file or pipe that the command line names",
    "orchctl/spawn/env_files.py": "a file or pipe that the command line names",
    "orchctl/composition/json_reader.py": "a file or pipe that the command line names",
    "orchctl/terminal/output_file.py": "a file or pipe that the command line names",
    "orchctl/commands/work/tasks.py": "a file or pipe that the command line names; a new one, made with O_EXCL",
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


def test_a_call_that_opens_a_path_is_detected() -> None:
    text = "import os\nos.open('x', 0)\nwith open('x') as f: f.read()\npath.read_text()\nopened('x')\n"
    assert sorted(openings(text)) == ["open", "open", "read_text"]


@pytest.mark.parametrize("path", [*sources("orchd"), *sources("orchctl")], ids=lambda path: str(path.relative_to(ROOT)))
def test_only_listed_modules_open_paths_directly(path: Path) -> None:
    name = str(path.relative_to(ROOT))
    if not name.startswith("orchctl/skills/"):  # programs that run without this package
        assert bool(list(openings(path.read_text()))) == (name in OPENERS)
