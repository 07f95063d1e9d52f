"""Filling a new worktree: the files of its commit, submodules, copies of ignored files, the set-up command.

All steps are part of the attempt. Harmless problems are lines in the agent's log.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

from orchctl.errors import RefusedError
from orchctl.render.text import clean_line
from orchctl.worktrees.git import FAILED, NO_HOOKS, Git
from orchctl.worktrees.settings import PROJECT, Filling
from orchd.instance import environment
from orchd.instance.system import open_file as opening

_GITLINK = "160000"  # the mode of a submodule in an index


def warn(text: str) -> None:
    """Write a line to the agent's log."""
    sys.stderr.write(f"{clean_line(text)}\n")
    sys.stderr.flush()


def check_out(path: Path) -> None:
    """Write the files of the branch. A hook that fails is a warning; raises RefusedError when files are missing."""
    try:
        Git(path).tell("checkout", "--quiet", "--force")
    except RefusedError as error:
        if error.code != FAILED:
            raise
        Git(path, options=NO_HOOKS).tell("checkout", "--quiet", "--force")  # it fails too unless a hook was the reason
        warn(f"a git hook failed; the worktree is complete without it: {error.message}")


def fill_submodules(path: Path, filling: Filling) -> None:
    """Fill all submodules when `filling` has them; otherwise warn about empty submodules. Raises RefusedError."""
    git = Git(path)
    empty = [name for name in submodules(git) if not (path / name / ".git").exists()]
    if not empty:
        return
    if not filling.submodules:
        what = f"the submodules are empty here: {', '.join(empty)}; `submodules = true` of the table [worktree]"
        warn(f"{what} in config.toml or {PROJECT} fills them")
        return
    try:
        git.tell("submodule", "update", "--init", "--recursive", "--quiet")
    except RefusedError as error:
        raise RefusedError(f"the submodules cannot be filled: {error.message}", code="submodules-failed") from None


def submodules(git: Git) -> Iterator[str]:
    """List the directories of the submodules that the index of a working tree names, filled or not."""
    for line in git.entries("ls-files", "--stage"):
        about, _, name = line.partition("\t")
        if about.startswith(_GITLINK):
            yield name


def copy_ignored(source: Path, target: Path, patterns: Iterable[str]) -> dict[str, str]:
    """Copy files that git ignores from a working tree to another, unless they exist there.

    Returns the digest of each file that was copied, by its path from the top. Raises OSError and RefusedError.
    """
    specs = [f":(top,glob){pattern}" for pattern in patterns]
    if not specs:
        return {}
    others = ("ls-files", "--others", "--exclude-standard")
    git = Git(source)
    for name in git.entries(*others, "--", *specs):
        warn(f"{name} is not copied: git does not ignore it, so `git add --all` would commit it")
    copied = {}
    for name in git.entries(*others, "--ignored", "--", *specs):
        if name.endswith("/"):
            warn(f"{name} is not copied: it is a git repository")
        elif _copy(source / name, target / name, target):
            copied[name] = digest(target / name)
    return copied


def _copy(source: Path, target: Path, top: Path) -> bool:
    """Copy a file to a path below `top`; False when the path exists. A link is copied as a link."""
    if not target.parent.resolve().is_relative_to(top.resolve()):  # the worktree has a link where the checkout has none
        warn(f"{source} is not copied: its directory is outside the worktree")
        return False
    if os.path.lexists(target):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_symlink():
        target.symlink_to(source.readlink())
        return True
    try:
        with (
            os.fdopen(opening.open_file(source, os.O_RDONLY), "rb") as content,
            os.fdopen(opening.open_file(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL), "wb") as copy,
        ):
            shutil.copyfileobj(content, copy)
    except FileNotFoundError:  # it was there when git looked
        return False
    shutil.copystat(source, target)
    return True


def digest(path: Path) -> str:
    """Return the digest of a file's content, or of the path that a link leads to. Raises OSError."""
    if path.is_symlink():
        return f"link:{hashlib.sha256(os.fsencode(path.readlink())).hexdigest()}"
    with os.fdopen(opening.open_file(path, os.O_RDONLY), "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def set_up(path: Path, command: str, checkout: Path, env: Mapping[str, str]) -> None:
    """Run the set-up command at the top of the worktree, with its output in the log. Raises RefusedError."""
    import subprocess

    warn(f"setup: {command}")
    hidden = (environment.ENV_REPORT, environment.ENV_BASE, environment.ENV_BEFORE)
    variables = {name: value for name, value in env.items() if name not in hidden}
    process = subprocess.run(
        ["/bin/sh", "-c", command],
        cwd=path,
        env={**variables, "PWD": str(path), environment.ENV_CHECKOUT: str(checkout)},
        stdin=subprocess.DEVNULL,  # an agent's prompt is on it
        check=False,
    )
    if process.returncode:
        how = f"exit code {process.returncode}" if process.returncode > 0 else f"signal {-process.returncode}"
        what = f"the set-up of the worktree failed with {how}: `{command}`; see the log, the files in {path}"
        raise RefusedError(what, code="setup-failed")
