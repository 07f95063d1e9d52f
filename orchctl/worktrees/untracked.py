"""Finds the work in a tree that git does not track and that would be lost with the tree.

Ignored files count as work unless they can be recreated: they are unchanged copies, a pattern of the configuration
covers them, a tool has marked their directory, or tools create files of this name.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatch
from pathlib import Path
from typing import NamedTuple

from orchctl.worktrees.checks import changes
from orchctl.worktrees.filling import digest, submodules
from orchctl.worktrees.git import Git

# Directories and files that package managers, interpreters and test tools make again by themselves.
_CACHES = frozenset(
    {"node_modules", "bower_components", "__pycache__", "__pypackages__", ".pytest_cache", ".mypy_cache", ".ruff_cache"}
    | {".tox", ".nox", ".eggs", ".hypothesis", ".gradle", ".next", ".nuxt", ".svelte-kit", ".turbo", ".parcel-cache"}
    | {".terraform", ".dart_tool", ".ipynb_checkpoints"}
)
_REMAINS = ("*.pyc", "*.pyo", "*.egg-info", ".DS_Store", "Thumbs.db", ".coverage", "*.tsbuildinfo", ".eslintcache")
# A directory with one of these was made by a tool: https://bford.info/cachedir/, and virtual environments of Python.
_MARKS = ("CACHEDIR.TAG", "pyvenv.cfg")
_BOOKS = (".agent/sessions", ".claude/state")  # the daemon writes them again


class Holdings(NamedTuple):
    """Untracked work in a tree, as paths from its top."""

    files: list[str]  # ignored; of each ignored directory the first that counts
    repositories: list[str]  # nested ones, with their submodules' commits and files


class IgnoredRules(NamedTuple):
    """Knowledge about the ignored files of a worktree."""

    copied: Mapping[str, str] = {}  # digests, by path
    patterns: tuple[str, ...] = ()  # of git: what can be made again


class _Known(NamedTuple):
    """The known ignored files of the tree `top`, with the patterns resolved to files."""

    top: Path
    copied: Mapping[str, str]
    covered: frozenset[str]  # files that the patterns cover


def of_tree(path: Path, given: IgnoredRules = IgnoredRules()) -> Holdings:  # noqa: B008 - it never changes
    """Return the untracked work in the tree at `path`. Raises RefusedError where git cannot tell."""
    git = Git(path)
    files: list[str] = []
    repositories: list[str] = []
    globs = [f":(top,glob){pattern}" for pattern in given.patterns]
    known = _Known(path, given.copied, frozenset(_ignored(git, "--", *globs) if globs else ()))
    for name in _ignored(git, "--directory"):
        holdings = _of_entry(known, name.rstrip("/"))
        repositories += holdings.repositories
        files += sorted(holdings.files)[:1]
    repositories += nested(git.entries("ls-files", "--others", "--exclude-standard"))
    for name in submodules(git):  # `lib/new.c` for a file in the submodule, `lib` for commits
        tree = path / name
        if not (tree / ".git").exists():
            repositories += [name] if tree.is_dir() and any(tree.iterdir()) else []
            continue
        inside = of_tree(tree)
        # a submodule without a git directory of its own has its commits in `lost_modules`
        repositories += [name] if (tree / ".git").is_dir() and _has_own_commits(Git(tree)) else []
        inner = (*changes(Git(tree), "--untracked-files=all"), *inside.files, *inside.repositories)
        repositories += [f"{name}/{entry}" for entry in inner]
    return Holdings(files, repositories)


def _ignored(git: Git, *words: str) -> list[str]:
    """List ignored files; with `--directory`, whole ignored directories as such."""
    return git.entries("ls-files", "--others", "--ignored", "--exclude-standard", *words)


def lost_modules(directory: Path, start: Iterable[str]) -> list[str]:
    """List the submodules with commits that no remote has, of a git directory to be removed with its worktree.

    `start`: the commits of submodules that the worktree began with.
    """
    lost = []
    modules = directory / "modules"
    for place, directories, files in os.walk(modules):
        if "HEAD" in files and "config" in files:
            directories[:] = [name for name in directories if name == "modules"]
            git = Git(Path(place), options=(f"--git-dir={place}", "-c", "core.bare=true"))
            if _has_own_commits(git, start):
                lost.append(str(Path(place).relative_to(modules)))
    return sorted(lost)


def _has_own_commits(git: Git, start: Iterable[str] = ()) -> bool:
    """Whether there are commits that no remote had when it was last fetched, or any when there is no remote."""
    if git.maybe("rev-parse", "--verify", "--quiet", "refs/stash") is not None:
        return True
    ends = ["--branches", *(["HEAD"] if git.maybe("rev-parse", "--verify", "--quiet", "HEAD") else [])]
    return bool(git.ask("rev-list", "--ignore-missing", "--max-count=1", *ends, "--not", "--remotes", *start))


def _of_entry(known: _Known, entry: str) -> Holdings:
    """Return the work in an ignored file or directory. Links are not followed."""
    path = known.top / entry
    if path.is_symlink() or not path.is_dir():
        return Holdings([entry] if _counts(known, path) else [], [])
    unread: list[OSError] = []
    files: list[str] = []
    repositories: list[str] = []
    again = {str(path)} if _is_made_again(known.top, path) else set()
    for place, directories, names in os.walk(path, onerror=unread.append):
        here = Path(place)
        if ".git" in directories or ".git" in names:
            repositories.append(str(here.relative_to(known.top)))
            directories.clear()
        elif place in again:
            again |= {f"{place}/{name}" for name in directories}
        else:
            again |= {f"{place}/{name}" for name in directories if _is_made_again(known.top, here / name)}
            links = [name for name in directories if (here / name).is_symlink()]
            paths = [here / name for name in (*names, *links)]
            files += [str(file.relative_to(known.top)) for file in paths if _counts(known, file)]
    return Holdings([*files, *(str(error.filename) for error in unread)], repositories)


def _is_made_again(top: Path, directory: Path) -> bool:
    if directory.name in _CACHES or directory.name.endswith(".egg-info"):
        return True
    return str(directory.relative_to(top)) in _BOOKS or any((directory / mark).is_file() for mark in _MARKS)


def _counts(known: _Known, path: Path) -> bool:
    """Whether a file counts as work; a file that cannot be read does."""
    name = str(path.relative_to(known.top))
    if name in known.covered or any(fnmatch(path.name, pattern) for pattern in _REMAINS):
        return False
    try:
        return name not in known.copied or digest(path) != known.copied[name]
    except OSError:
        return True


def unseen(git: Git, path: Path) -> Iterator[str]:
    """List existing files that git is set not to check (`skip-worktree`, `assume-unchanged`)."""
    for line in git.entries("ls-files", "-v"):
        if (line[:1] == "S" or line[:1].islower()) and os.path.lexists(path / line[2:]):
            yield line[2:]


def nested(names: Iterable[str]) -> list[str]:
    """Return the repositories among untracked paths: git lists each as a directory, without its contents."""
    return [name for name in names if name.endswith("/")]


def described(top: Path, name: str) -> str:
    """Return a path below `top`, with the number of its commits where it is a repository whose commits are there."""
    if not (top / name / ".git").is_dir():
        return name
    git = Git(top / name)
    heads = ["HEAD"] if git.maybe("rev-parse", "--quiet", "--verify", "HEAD") else []
    count = git.maybe("rev-list", "--count", "--all", *heads)
    return f"{name} (a repository with {'unknown' if count is None else count} commit{'s' * (count != '1')})"
