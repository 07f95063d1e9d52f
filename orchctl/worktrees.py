"""Git worktrees of agents: made by the program between shim and agent, so that no daemon waits for git.

Beside each worktree, `<home>/worktrees/agent-001`, stands a record, `agent-001.json`, of what git does not keep: that
it is ours and where its branch began. It is written before git is asked to make anything, so that what a death leaves
behind is known.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import NoReturn

from orchctl.errors import ClientError, RefusedError
from orchctl.git import ELSEWHERE, Git
from orchctl.worktree_checks import Checkout, check_branches, check_clean, checkout_of
from orchd.wire import branches, formats, opening, shapes, variables, whole

FAILED = 1
_VERSION = 1  # of a record
_HEADS = "refs/heads/"
_NOT_FOUND, _NOT_RUNNABLE = 127, 126  # as a shell says it


@dataclass(frozen=True, slots=True)
class Record:
    """A worktree as it was asked of git."""

    repository: str  # the directory that all worktrees of one repository share
    branch: str
    start: str  # the commit that the branch began at
    origin: str | None  # the branch that was checked out there; None when none was
    is_made: bool = False  # whether git was done with it, so that the agent may have begun


def record_path(worktree: Path) -> Path:
    """Where the record of a worktree is."""
    return worktree.with_name(f"{worktree.name}.json")


def all_in(directory: Path) -> list[tuple[Path, Record]]:
    """Every worktree of a home that has a record, in the order of their agents."""
    found = [(path.with_suffix(""), read(path.with_suffix(""))) for path in directory.glob("agent-*.json")]
    known = [(path, record) for path, record in found if record is not None]
    return sorted(known, key=lambda one: int(one[0].name.rpartition("-")[2]))


def read(worktree: Path) -> Record | None:
    """The record of a worktree; None when there is none that makes sense."""
    try:
        whole = dict(json.loads(opening.read_file(record_path(worktree))))
        formats.check(record_path(worktree), whole, _VERSION, "move the file away: the worktree stays")
        whole.pop(formats.FIELD, None)
        return shapes.build(Record, whole)
    except formats.NewerFormatError as error:
        raise RefusedError(str(error), code="newer-format") from None
    except (OSError, ValueError, TypeError):
        return None


def write(worktree: Path, record: Record) -> None:
    """Keep the record, whole or not at all."""
    content = json.dumps({formats.FIELD: _VERSION, **asdict(record)}).encode()
    whole.write(record_path(worktree), content, mode=0o600)


@contextmanager
def held(directory: Path, *, is_alone: bool) -> Iterator[None]:
    """Nobody removes worktrees of this home meanwhile; `is_alone`: nobody makes any either."""
    import fcntl

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = opening.open_file(directory / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(lock)


def entered(env: MutableMapping[str, str], argv: Sequence[str]) -> int | None:
    """Make the worktree that `env` names and go there.

    Returns None when the runner is to go on there, and an exit code when that failed. Without a runner it does not
    return: this process becomes the command `argv`.
    """
    try:
        directory = _made(Path(env[variables.ENV_WORKTREE]), env)
        directory.mkdir(parents=True, exist_ok=True)  # git keeps no empty directories
        os.chdir(directory)
    except (ClientError, OSError) as error:
        return _given_up(" ".join(str(error).split()), env)
    env["PWD"] = str(directory)
    for name in ELSEWHERE:
        env.pop(name, None)
    if env.get(variables.ENV_RUNNER):
        return None
    return _become(argv)


def _given_up(why: str, env: Mapping[str, str]) -> int:
    sys.stderr.write(f"{why}\n")
    if env.get(variables.ENV_REPORT):
        from orchd.wire import reports

        reports.write(Path(env[variables.ENV_REPORT]), reports.Report("failed", reason=why[:1000]))
    return FAILED


def _become(argv: Sequence[str]) -> int:
    """Be the command, in this very process: one less that stands between it and its shim."""
    import signal

    for one in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what is ignored stays so in the command
        signal.signal(one, signal.SIG_DFL)
    sys.stderr.flush()
    try:
        _exec(argv)
    except OSError as error:
        sys.stderr.write(f"cannot run {argv[0]!r} in {Path.cwd()}: {error.strerror}; is it committed?\n")
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUNNABLE


def _exec(argv: Sequence[str]) -> NoReturn:
    os.execv(argv[0], list(argv))  # noqa: S606 - the agent's own command


def _made(path: Path, env: Mapping[str, str]) -> Path:
    """The directory in the worktree at `path` that corresponds to the current one."""
    checkout = checkout_of(Path.cwd())
    is_first = int(env.get(variables.ENV_ATTEMPT, 1)) == 1
    with held(path.parent, is_alone=False):
        record = read(path)
        if (is_first and record is not None) or (record is None and path.exists()):
            what = f"{path} is there already and not this agent's; `orchctl worktrees list --all` shows what it holds"
            raise RefusedError(what, code="worktree-taken")
        if record is None:
            record = _begun(path, checkout, branches.branch_of(env.get(variables.ENV_NAME, "")))
        if not record.is_made or not (path / ".git").exists():
            _finish(path, Git(checkout.top), record)
    return path / checkout.inside


def _begun(path: Path, checkout: Checkout, branch: str) -> Record:
    """A record of what is to be made, when it can be."""
    check_clean(checkout)
    check_branches(checkout, {branch: branch.partition("/")[2]})
    git = Git(checkout.top)
    origin = git.ask("rev-parse", "--abbrev-ref", "HEAD")
    record = Record(
        repository=str(checkout.repository),
        branch=branch,
        start=git.ask("rev-parse", "HEAD"),
        origin=None if origin == "HEAD" else origin,
    )
    write(path, record)
    try:
        git.tell("update-ref", _HEADS + branch, record.start, "0" * len(record.start))  # only when it is not there
    except RefusedError as error:
        record_path(path).unlink(missing_ok=True)
        what = f"the branch {branch} cannot be begun: {error.message}; give the agent another --name"
        raise RefusedError(what, code="branch-taken") from None
    return record


def _finish(path: Path, git: Git, record: Record) -> None:
    """Let git make it, over what an attempt left that did not get so far as to begin."""
    import shutil

    forced = () if record.is_made else ("--force", "--force")
    if forced or not path.exists():
        with suppress(RefusedError):  # git rarely knows of one
            git.tell("worktree", "remove", *forced, str(path))
    if forced:
        shutil.rmtree(path, ignore_errors=True)
    is_there = git.is_true("show-ref", "--verify", "--quiet", _HEADS + record.branch)  # somebody may have deleted it
    where = [str(path), record.branch] if is_there else ["-b", record.branch, str(path), record.start]
    with _alone_with(Path(record.repository)):
        git.tell("worktree", "add", "--no-checkout", *where)
    Git(path).tell("checkout", "--quiet", "--force")  # what takes long, all at once
    write(path, replace(record, is_made=True))


@contextmanager
def _alone_with(directory: Path) -> Iterator[None]:
    """No other of us does this to the directory meanwhile: a git that makes a worktree trips over one half made."""
    import fcntl

    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
