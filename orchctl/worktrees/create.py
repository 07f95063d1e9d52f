"""Creates worktrees and their records, in the program between shim and agent, so that no daemon waits for git.

Beside each worktree, `<home>/worktrees/agent-001`, is a record, `agent-001.json`, of data that git does not store: that
it belongs to orchd and where its branch began. It is written before git creates anything, so that remains of a crash
are known.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping, MutableMapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path

from orchctl.errors import ClientError, RefusedError
from orchctl.render.text import listed
from orchctl.worktrees.bases import Tip, merge, start, tip_of, tips
from orchctl.worktrees.checks import Checkout, changes, check_branches, checkout_of, filling_of, head, unseen
from orchctl.worktrees.filling import check_out, copy_ignored, fill_submodules, set_up, warn
from orchctl.worktrees.git import ELSEWHERE, Git
from orchctl.worktrees.heads import HEADS, elsewhere, listed_at, place_of
from orchd.instance import environment, formats
from orchd.instance.system import atomic_file as whole
from orchd.instance.system import open_file as opening
from orchd.protocol import branches, schema
from orchd.protocol.ids import number_of

FAILED = 1
_VERSION = 1  # of a record
_NOT_FOUND, _NOT_RUNNABLE = 127, 126  # as a shell says it


@dataclass(frozen=True, slots=True)
class WorktreeRecord:
    """A worktree as it was requested from git."""

    repository: str  # the directory that all worktrees of the repository share
    branch: str
    start: str  # the commit that the branch began at
    origin: str | None  # the branch that was checked out there; None when the HEAD was detached
    is_made: bool = False  # whether git was done with it
    checkout: str | None = None  # the top of the working tree that it was requested in
    merged: tuple[str, ...] = ()  # the merge commits that it began with, which are no work of the agent
    is_filled: bool = True  # whether submodules, copies and the set-up are done, so that the agent may have begun
    copied: dict[str, str] = field(default_factory=dict)  # the digest of each file that was copied, by its path


_KEYS = {key.name for key in fields(WorktreeRecord)}  # a newer version may write more


def record_path(worktree: Path) -> Path:
    """Return the path of the record of a worktree."""
    return worktree.with_name(f"{worktree.name}.json")


def all_in(directory: Path) -> list[tuple[Path, WorktreeRecord]]:
    """List the worktrees of a home that have a record, in the order of their agents."""
    records = [(path.with_suffix(""), read(path.with_suffix(""))) for path in directory.glob("agent-*.json")]
    worktrees = [(path, record) for path, record in records if record is not None]
    return sorted(worktrees, key=lambda row: number_of(row[0].name))


def read(worktree: Path) -> WorktreeRecord | None:
    """Return the record of a worktree; None when none can be read. Raises RefusedError (`newer-format`)."""
    try:
        whole = dict(json.loads(opening.read_file(record_path(worktree))))
        formats.check(record_path(worktree), whole, _VERSION, "move the file elsewhere: the worktree is kept")
        return schema.parse(WorktreeRecord, {key: value for key, value in whole.items() if key in _KEYS})
    except formats.NewerFormatError as error:
        raise RefusedError(str(error), code="newer-format") from None
    except (OSError, ValueError, TypeError):
        return None


def located(path: Path, record: WorktreeRecord) -> WorktreeRecord:
    """Return the record, with the repository that the worktree names now when that of the record is gone."""
    if Path(record.repository).is_dir() or not (path / ".git").is_file():
        return record
    common = Git(path).maybe("rev-parse", "--git-common-dir")
    return record if common is None else replace(record, repository=str((path / common).resolve()))


def write(worktree: Path, record: WorktreeRecord) -> None:
    """Write the record atomically."""
    content = json.dumps({formats.FIELD: _VERSION, **asdict(record)}).encode()
    whole.write(record_path(worktree), content, mode=0o600)


@contextmanager
def lock_worktrees(directory: Path, *, is_alone: bool) -> Iterator[None]:
    """Lock the worktrees in `directory` against removal; `is_alone`: also against new worktrees."""
    import fcntl

    directory.mkdir(mode=0o700, parents=True, exist_ok=True)
    lock = opening.open_file(directory / "lock", os.O_RDWR | os.O_CREAT)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX if is_alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(lock)


def enter(env: MutableMapping[str, str], argv: Sequence[str]) -> int | None:
    """Create the worktree that `env` names and change to it.

    Returns None when the runner is to continue there, and an exit code on failure. Without a runner it does not
    return: this process becomes the command `argv`.
    """
    try:
        directory = _make(Path(env[environment.ENV_WORKTREE]), env)
        directory.mkdir(parents=True, exist_ok=True)  # git keeps no empty directories
        os.chdir(directory)
    except (ClientError, OSError) as error:
        why = " ".join(str(error).split())
        sys.stderr.write(f"{why}\n")
        if env.get(environment.ENV_REPORT):
            from orchd.instance import runner_report

            runner_report.write(
                Path(env[environment.ENV_REPORT]), runner_report.RunnerReport("failed", reason=why[:1000])
            )
        return FAILED
    env["PWD"] = str(directory)
    for name in (*ELSEWHERE, environment.ENV_BASE, environment.ENV_BEFORE):
        env.pop(name, None)
    if env.get(environment.ENV_RUNNER):
        return None
    env.pop(environment.ENV_REPORT, None)  # a command reports nothing: its exit code decides
    # this process becomes the command, so that no other process is between the command and its shim
    import signal

    for number in (signal.SIGPIPE, signal.SIGXFSZ):  # Python ignores them, and what is ignored stays so in the command
        signal.signal(number, signal.SIG_DFL)
    sys.stderr.flush()
    try:
        os.execv(argv[0], list(argv))  # noqa: S606 - the agent's own command
    except OSError as error:
        sys.stderr.write(f"cannot run {argv[0]!r} in {Path.cwd()}: {error.strerror}; is it committed?\n")
        return _NOT_FOUND if isinstance(error, FileNotFoundError) else _NOT_RUNNABLE


def _make(path: Path, env: Mapping[str, str]) -> Path:
    """Create the worktree at `path`, or its missing parts.

    Returns the directory in it that corresponds to the current directory.
    """
    checkout = checkout_of(Path.cwd())
    is_first = int(env.get(environment.ENV_ATTEMPT, 1)) == 1
    with lock_worktrees(path.parent, is_alone=False):
        record = read(path)
        if (is_first and record is not None) or (record is None and path.exists()):
            what = f"{path} already exists and does not belong to this agent; see `orchctl worktrees list --all`"
            raise RefusedError(what, code="worktree-taken")
        if record is None or not record.is_made or not (path / ".git").exists():
            before = [] if record is not None and record.is_made else _dependency_tips(path, checkout, env)
            if record is None:
                branch = branches.branch_of(env.get(environment.ENV_NAME, ""))
                record = _create_branch(path, checkout, branch, env.get(environment.ENV_BASE), before)
            record = _add(path, Git(checkout.top), record, before)
    if not record.is_filled:  # it may take long, so others can make and remove worktrees meanwhile
        home = Path(env.get(environment.ENV_HOME) or path.parents[1])
        wanted = filling_of(home / "config.toml", checkout)
        fill_submodules(path, wanted)
        record = replace(record, copied=record.copied | copy_ignored(checkout.top, path, wanted.copy))
        write(path, record)
        if wanted.setup is not None:
            set_up(path, wanted.setup, checkout.top, env)
        write(path, replace(record, is_filled=True))
    return path / checkout.inside


def _dependency_tips(path: Path, checkout: Checkout, env: Mapping[str, str]) -> list[Tip]:
    """Return the work of the dependencies of this agent that have worktrees of the same repository.

    Raises RefusedError (`commits-elsewhere`) when it is not clear which commits are their work.
    """
    git = Git(checkout.top)
    before = []
    for agent_id in filter(None, env.get(environment.ENV_BEFORE, "").split(",")):
        tree = path.with_name(agent_id)
        record = read(tree)
        if record is None or record.repository != str(checkout.repository):
            continue
        place = place_of(git, tree)
        entry = listed_at(git, place)
        head = elsewhere(git, entry, record.branch, record.start, record.origin)
        before += tips(git, [record.branch]) if head is None else [tip_of(agent_id, head)]
        if head is not None:
            warn(f"{agent_id} has {head.text}; this worktree starts with them")
        left = changes(Git(place), "--untracked-files=normal") if (place / ".git").exists() else []
        if left:
            warn(f"{agent_id} left uncommitted work, which this worktree does not have: {listed(left)}")
    return list(dict.fromkeys(before))


def _create_branch(path: Path, checkout: Checkout, branch: str, base: str | None, before: list[Tip]) -> WorktreeRecord:
    """Write the record of a worktree and create its branch. Raises RefusedError when that is impossible."""
    git = Git(checkout.top)
    if base is None:
        base = head(checkout)
        for text in unseen(checkout):
            warn(text)
    check_branches(checkout, {branch: branch.partition("/")[2]})
    origin = git.ask("rev-parse", "--abbrev-ref", "HEAD")
    record = WorktreeRecord(
        repository=str(checkout.repository),
        branch=branch,
        start=start(git, base, before),
        origin=None if origin == "HEAD" else origin,
        checkout=str(checkout.top),
        is_filled=False,
    )
    write(path, record)
    try:
        git.tell("update-ref", HEADS + branch, record.start, "0" * len(record.start))  # only when it is not there
    except RefusedError as error:
        record_path(path).unlink(missing_ok=True)
        if git.maybe("rev-parse", "--quiet", "--verify", HEADS + branch) is None:
            raise RefusedError(f"the branch {branch} cannot be created: {error.message}", code=error.code) from None
        what = f"the branch {branch} cannot be created: {error.message}; give the agent another --name"
        raise RefusedError(what, code="branch-taken") from None
    return record


def _add(path: Path, git: Git, record: WorktreeRecord, before: list[Tip]) -> WorktreeRecord:
    """Let git add the worktree, over the remains of an attempt that failed before its agent began.

    Raises RefusedError; a failed merge leaves nothing, and a retry starts from the beginning.
    """
    forced = () if record.is_made else ("--force", "--force")
    if forced or not path.exists():
        _clear(path, git, forced)
    is_there = git.is_true("show-ref", "--verify", "--quiet", HEADS + record.branch)  # it may have been deleted
    where = [str(path), record.branch] if is_there else ["-b", record.branch, str(path), record.start]
    with _lock_repository(Path(record.repository)):
        git.tell("worktree", "add", "--no-checkout", *where)
    check_out(path)  # without the lock, as it takes long
    if before:
        try:
            merged = merge(path, record.branch, before)
        except RefusedError:
            _clear(path, git, ("--force", "--force"))
            with suppress(RefusedError):
                git.tell("update-ref", "-d", HEADS + record.branch)
            record_path(path).unlink(missing_ok=True)
            raise
        record = replace(record, merged=merged)
    record = replace(record, is_made=True, is_filled=False, copied={})
    write(path, record)
    return record


def _clear(path: Path, git: Git, forced: Sequence[str]) -> None:
    """Remove the remains of a worktree, so that it can be created."""
    import shutil

    with suppress(RefusedError):  # git rarely knows of one
        git.tell("worktree", "remove", *forced, str(path))
    if forced:
        shutil.rmtree(path, ignore_errors=True)


@contextmanager
def _lock_repository(directory: Path) -> Iterator[None]:
    """Lock the directory against other processes of orchd: git fails while another worktree is being created."""
    import fcntl

    lock = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
