"""Real use leaves no file on the machine that another user could open, and no socket but the two of the daemon."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from tests.conftest import Instance, until
from tests.orchctl import repos
from tests.support.machine import descriptors

LISTENS = 0x10000  # __SO_ACCEPTON in the flags of /proc/net/unix


def open_to_others(directory: Path) -> dict[str, str]:
    """Everything below a directory, itself included, that others have any right to."""
    paths = [directory, *directory.rglob("*")]
    modes = {path: stat.S_IMODE(path.lstat().st_mode) for path in paths if not path.is_symlink()}
    return {str(path): f"{mode:o}" for path, mode in modes.items() if mode & 0o077}


@pytest.fixture
def used(stopped: Instance, tmp_path: Path) -> Instance:
    """An instance that a client began, whose umask hides nothing, with a bit of everything in it."""
    stopped.env.update(repos.SETTINGS)
    repo = repos.repository(tmp_path / "repo")
    before = os.umask(0)
    try:
        ids = stopped.ctl("spawn", "--worktree", "--", "sh", "-c", "echo x >new; mkdir -p out", cwd=repo).split()
        ids += stopped.ctl("spawn", "--runner", "mock", "--goal", "g", "--result", str(repo / "r.md"), cwd=repo).split()
        ids += stopped.ctl("spawn", "--retries", "1", "--", "false", cwd=repo).split()
        part = {"skillName": "api", "command": ["true"], "runner": "command"}
        composition = {"name": "team", "executionMode": "hybrid", "subSkills": [part]}
        (repo / "composition.json").write_text(json.dumps(composition))
        stopped.ctl("run", "composition.json", cwd=repo)
    finally:
        os.umask(before)
    stopped.ctl("wait", *ids, code=1)
    return stopped


def test_state_files_in_home_and_project_are_closed_to_other_users(used: Instance, tmp_path: Path) -> None:
    names = {path.name for path in used.directory.rglob("*")}
    assert {"orchd.db", "daemon.log", "orchd.sock", "events.sock", "agent-001.1.log", "agent-003.2.exit"} <= names
    worktree = used.home.worktrees / "agent-001"
    assert (worktree / "new").is_file()
    # what agents make has the umask of their caller, and lies below the home, which is closed
    assert {path for path in open_to_others(used.directory) if not Path(path).is_relative_to(worktree)} == set()
    assert stat.S_IMODE(used.directory.stat().st_mode) == 0o700

    project = tmp_path / "repo"
    until((project / ".agent/sessions/latest.yaml").exists)
    assert (project / "r.md").is_file()
    for directory in (".agent/sessions", ".claude/state"):  # prompts are written by the client, as its umask has it
        assert open_to_others(project / directory) == {}
    assert stat.S_IMODE((project / "r.md").stat().st_mode) == 0o666


def test_the_daemon_listens_on_its_two_sockets_and_nowhere_else(instance: Instance) -> None:
    instance.ctl("wait", instance.spawn("true"))
    pid = instance.daemon.pid
    inodes = {what[8:-1] for what in descriptors(pid).values() if what.startswith("socket:[")}
    known = {}
    for line in Path(f"/proc/{pid}/net/unix").read_text().splitlines()[1:]:
        _, _, _, flags, _, _, inode, *path = line.split(maxsplit=7)
        known[inode] = (bool(int(flags, 16) & LISTENS), "".join(path))
    assert inodes <= known.keys(), "a socket that is none of this machine's alone"
    listening = {path for inode, (listens, path) in known.items() if inode in inodes and listens}
    assert listening == {str(instance.home.socket), str(instance.home.events)}
