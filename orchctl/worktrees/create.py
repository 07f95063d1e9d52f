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
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import NoReturn

from orchctl.errors import ClientError, RefusedError
from orchctl.render.text import listed
from orchctl.worktrees.bases import Tip, merge, start, tip_of, tips
from orchctl.worktrees.checks import Checkout, changes, check_branches, checkout_of, filling_of, head, unseen
from orchctl.worktrees.filling import check_out, copy_ignored, fill_submodules, set_up, warn
from orchctl.worktrees.git import ELSEWHERE, Git
from orchctl.worktrees.heads import HEADS, elsewhere, listed_at, place_of
from orchd.ids import number_of
from orchd.instance import environment, formats
from orchd.instance.system import atomic_file as whole
from orchd.instance.system import open_file as opening
from orchd.protocol import branches, schema

FAILED = 1
_VERSION = 1  # of a record
_NOT_FOUND, _NOT_RUNNABLE = 127, 126  # as a shell says it


@dataclass(frozen=True, slots=True)
class Record:
    """A worktree as it was asked of git."""

    repository: str  # the directory that all worktrees of one repository share
    branch: str
    start: str  # the commit that the branch began at
    origin: str | None  # the branch that was checked out there; None when none was
    is_made: bool = False  # whether git was done with it
    checkout: str | None = None  # the top of the working tree that it was asked for in
    merged: tuple[str, ...] = ()  # the merge commits that it began with, which nobody worked on
    is_filled: bool = True  # whether submodules, copies and the set-up are done, so that the agent may have begun
    copied: dict[str, str] = field(default_factory=dict)  # the digest of each file that was copied, by its path


_KEYS = {one.name for one in fields(Record)}  # a newer version may write more


def record_path(worktree: Path) -> Path:
    """Where the record of a worktree is."""
    return worktree.with_name(f"{worktree.name}.json")


def all_in(directory: Path) -> list[tuple[Path, Record]]:
    """Every worktree of a home that has a record, in the order of their agents."""
    found = [(path.with_suffix(""), read(path.with_suffix(""))) for path in directory.glob("agent-*.json")]
    known = [(path, record) for path, record in found if record is not None]
    return sorted(known, key=lambda one: number_of(one[0].name))


def read(worktree: Path) -> Record | None:
    """The record of a worktree; None when there is none that makes sense."""
    try:
        whole = dict(json.loads(opening.read_file(record_path(worktree))))
        formats.check(record_path(worktree), whole, _VERSION, "move the file away: the worktree stays")
        return schema.build(Record, {key: value for key, value in whole.items() if key in _KEYS})
    except formats.NewerFormatError as error:
        raise RefusedError(str(error), code="newer-format") from None
    except (OSError, ValueError, TypeError):
        return None


def located(path: Path, record: Record) -> Record:
    """The record, with the repository that the worktree names now when that of the record is gone."""
    if Path(record.repository).is_dir() or not (path / ".git").is_file():
        return record
    common = Git(path).maybe("rev-parse", "--git-common-dir")
    return record if common is None else replace(record, repository=str((path / common).resolve()))


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
        directory = _made(Path(env[environment.ENV_WORKTREE]), env)
        directory.mkdir(parents=True, exist_ok=True)  # git keeps no empty directories
        os.chdir(directory)
    except (ClientError, OSError) as error:
        return _given_up(" ".join(str(error).split()), env)
    env["PWD"] = str(directory)
    for name in (*ELSEWHERE, environment.ENV_BASE, environment.ENV_BEFORE):
        env.pop(name, None)
    if env.get(environment.ENV_RUNNER):
        return None
    env.pop(environment.ENV_REPORT, None)  # a command reports nothing: its exit code decides
    return _become(argv)


def _given_up(why: str, env: Mapping[str, str]) -> int:
    sys.stderr.write(f"{why}\n")
    if env.get(environment.ENV_REPORT):
        from orchd.instance import runner_report

        runner_report.write(Path(env[environment.ENV_REPORT]), runner_report.Report("failed", reason=why[:1000]))
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
    is_first = int(env.get(environment.ENV_ATTEMPT, 1)) == 1
    with held(path.parent, is_alone=False):
        record = read(path)
        if (is_first and record is not None) or (record is None and path.exists()):
            what = f"{path} is there already and not this agent's; `orchctl worktrees list --all` shows what it holds"
            raise RefusedError(what, code="worktree-taken")
        if record is None or not record.is_made or not (path / ".git").exists():
            record = _made_whole(path, checkout, record, env)
    if not record.is_filled:  # it may take long, and others can make and remove worktrees meanwhile
        _fill(path, checkout, record, env)
    return path / checkout.inside


def _made_whole(path: Path, checkout: Checkout, record: Record | None, env: Mapping[str, str]) -> Record:
    """Make what is not there yet, or not all of it."""
    before = [] if record is not None and record.is_made else _before(path, checkout, env)
    if record is None:
        branch = branches.branch_of(env.get(environment.ENV_NAME, ""))
        record = _begun(path, checkout, branch, env.get(environment.ENV_BASE), before)
    return _finish(path, Git(checkout.top), record, before)


def _fill(path: Path, checkout: Checkout, record: Record, env: Mapping[str, str]) -> None:
    """Fill it as config.toml and the checkout say. A later attempt does again what this one does not come to do."""
    home = Path(env.get(environment.ENV_HOME) or path.parents[1])
    wanted = filling_of(home / "config.toml", checkout)
    fill_submodules(path, wanted)
    record = replace(record, copied=record.copied | copy_ignored(checkout.top, path, wanted.copy))
    write(path, record)
    if wanted.setup is not None:
        set_up(path, wanted.setup, checkout.top, env)
    write(path, replace(record, is_filled=True))


def _before(path: Path, checkout: Checkout, env: Mapping[str, str]) -> list[Tip]:
    """What the agents have committed that it comes after, of those with worktrees of the same repository.

    Raises RefusedError (`commits-elsewhere`) when it is not clear which commits are their work.
    """
    git = Git(checkout.top)
    found = []
    for one in filter(None, env.get(environment.ENV_BEFORE, "").split(",")):
        tree = path.with_name(one)
        record = read(tree)
        if record is None or record.repository != str(checkout.repository):
            continue
        place = place_of(git, tree)
        entry = listed_at(git, place)
        head = elsewhere(git, entry, record.branch, record.start, record.origin)
        found += tips(git, [record.branch]) if head is None else [tip_of(one, head)]
        if head is not None:
            warn(f"{one} has {head.text}; this worktree begins with them")
        left = changes(Git(place), "--untracked-files=normal") if (place / ".git").exists() else []
        if left:
            warn(f"{one} left work that it did not commit, and this worktree does not have it: {listed(left)}")
    return list(dict.fromkeys(found))


def _begun(path: Path, checkout: Checkout, branch: str, base: str | None, before: list[Tip]) -> Record:
    """A record of what is to be made, when it can be."""
    git = Git(checkout.top)
    if base is None:
        base = head(checkout)
        for text in unseen(checkout):
            warn(text)
    check_branches(checkout, {branch: branch.partition("/")[2]})
    origin = git.ask("rev-parse", "--abbrev-ref", "HEAD")
    record = Record(
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
            raise RefusedError(f"the branch {branch} cannot be begun: {error.message}", code=error.code) from None
        what = f"the branch {branch} cannot be begun: {error.message}; give the agent another --name"
        raise RefusedError(what, code="branch-taken") from None
    return record


def _finish(path: Path, git: Git, record: Record, before: list[Tip]) -> Record:
    """Let git make it, over what an attempt left that did not get so far as to begin."""
    forced = () if record.is_made else ("--force", "--force")
    if forced or not path.exists():
        _clear(path, git, forced)
    is_there = git.is_true("show-ref", "--verify", "--quiet", HEADS + record.branch)  # somebody may have deleted it
    where = [str(path), record.branch] if is_there else ["-b", record.branch, str(path), record.start]
    with _alone_with(Path(record.repository)):
        git.tell("worktree", "add", "--no-checkout", *where)
    check_out(path)  # what takes long, all at once
    if before:
        record = replace(record, merged=_merged(path, git, record, before))
    record = replace(record, is_made=True, is_filled=False, copied={})
    write(path, record)
    return record


def _clear(path: Path, git: Git, forced: Sequence[str]) -> None:
    """Remove what is there of a worktree, so that it can be made."""
    import shutil

    with suppress(RefusedError):  # git rarely knows of one
        git.tell("worktree", "remove", *forced, str(path))
    if forced:
        shutil.rmtree(path, ignore_errors=True)


def _merged(path: Path, git: Git, record: Record, before: list[Tip]) -> tuple[str, ...]:
    """The merges that it begins with. Raises RefusedError; then nothing of it is left, and a retry begins anew."""
    try:
        return merge(path, record.branch, before)
    except RefusedError:
        _clear(path, git, ("--force", "--force"))
        with suppress(RefusedError):
            git.tell("update-ref", "-d", HEADS + record.branch)
        record_path(path).unlink(missing_ok=True)
        raise


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
