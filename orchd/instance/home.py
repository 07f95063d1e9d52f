"""The home directory of an instance: its daemon, its state and its sockets."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from orchd.instance.environment import ENV_HOME
from orchd.instance.system.spread_directory import make_directory

# sockaddr_un.sun_path holds 108 bytes with its NUL, and libzmq refuses the last one of them (unix(7)).
MAX_SOCKET_PATH = 106


class HomeError(Exception):
    """The home cannot be used; the message says why and what to do."""


def default_home() -> Path:
    """Return `$ORCHD_HOME`, or the user's state directory by the XDG rules."""
    if given := os.environ.get(ENV_HOME):
        return absolute(given)
    from platformdirs import user_state_path  # only the outside of an agent gets here: ORCHD_HOME is set inside

    try:
        directory = user_state_path("orchd")
    except RuntimeError:  # versions differ: others leave the ~ as it is
        directory = Path("~")
    if not directory.is_absolute():
        raise HomeError(
            f"uid {os.getuid()} has no home directory: HOME is not set, and the password database has no entry; "
            f"set HOME or {ENV_HOME}"
        )
    return directory


def absolute(given: str | Path) -> Path:
    """Return `given` as an absolute path. Raises HomeError for a relative path in a deleted directory."""
    try:
        return Path(given).absolute()
    except FileNotFoundError:
        raise HomeError(
            f"{given} is relative, and the current directory was deleted; set {ENV_HOME} to an absolute path"
        ) from None


class Home:
    """The paths of one instance, all computed from its directory alone, so that every shell reaches the same daemon."""

    def __init__(self, directory: Path) -> None:
        """Raise HomeError for a path that is not UTF-8: sockets and JSON cannot name it."""
        if (shown := os.fsencode(directory).decode("utf-8", "backslashreplace")) != str(directory):
            raise HomeError(f"the path of the home is not valid UTF-8: {shown}; set {ENV_HOME} to another directory")
        self.directory = directory
        self.database = directory / "orchd.db"
        self.lock = directory / "orchd.lock"
        self.start_lock = directory / "start.lock"
        self.log = directory / "daemon.log"
        self.agents = directory / "agents"
        self.environments = directory / "env"
        self.inputs = directory / "inputs"  # standard inputs that clients sent
        self.retry = directory / "retry"  # what agents that did not complete were given
        self.bin = directory / "bin"
        self.worktrees = directory / "worktrees"
        self.config = directory / "config.toml"
        self.server_key = directory / "server.key"  # what this daemon proves to other machines that it is
        self.keys = directory / "keys.json"  # of clients on other machines that may connect
        self.service = directory / "service"  # which service the daemon is; see orchd.instance.service
        self.namespaces = directory / "namespaces"  # of the last daemon; see orchd.processes.launching.namespaces
        self.reserve = directory / "reserve"  # room on the disk that `orchctl prune` gives back first
        self.tag = hashlib.sha256(os.fsencode(directory)).hexdigest()[:12]

    @property
    def sockets(self) -> Path:
        """Return the directory of both sockets: the home, or if that is too deep, one in the runtime directory."""
        longest = self.directory / "events.sock"
        if len(os.fsencode(longest)) <= MAX_SOCKET_PATH:
            return self.directory
        # a short directory that depends on the user alone, not on variables that differ between shells
        uid = os.getuid()
        run = Path(f"/run/user/{uid}")
        if not run.is_dir() or not os.access(run, os.W_OK):
            run = Path(f"/tmp/orchd-{uid}")  # noqa: S108 - checked in _make_private: owned by us, closed to others
        return run / f"orchd-{self.tag}"

    @property
    def socket(self) -> Path:
        """Return the path of the request socket (ROUTER)."""
        return self.sockets / "orchd.sock"

    @property
    def events(self) -> Path:
        """Return the path of the event socket (PUB)."""
        return self.sockets / "events.sock"

    def create(self) -> None:
        """Create the directories, private to this user. Raises HomeError when that fails."""
        self._check_foreign()
        if self.sockets != self.directory:
            _make_private(self.sockets.parent)  # its owner could put another socket in the place of ours
        for directory in (self.directory, self.sockets, self.agents, self.environments, self.bin):
            _make_private(directory, has_many_files=directory == self.agents)
            check_writable(directory)
        self.check()

    def _check_foreign(self) -> None:
        """Raise HomeError for a directory of other programs that other users can read, as /etc: it would be closed."""
        try:
            is_open = stat.S_IMODE(self.directory.stat().st_mode) & 0o077
            names = {path.name for path in self.directory.iterdir()} if is_open else set()
        except OSError:  # there is none; another fault is reported when it is used
            return
        if names and names.isdisjoint((self.lock.name, self.database.name, self.config.name)):
            raise HomeError(
                f"{self.directory} has files of other programs, and other users have access; set {ENV_HOME} to another "
                "directory"
            )

    def check(self) -> None:
        """Raise HomeError for the first path of `misplaced`."""
        for path, expected in self.misplaced():
            raise HomeError(f"{path} is not {expected}; remove it, or set {ENV_HOME} to another directory")

    def misplaced(self) -> Iterator[tuple[Path, str]]:
        """Return the paths that have another file type than a daemon needs, and the type that it needs.

        Other libraries would block on a FIFO, and follow a link.
        """
        directories = (self.directory, self.sockets, self.agents, self.environments, self.bin)
        files = (self.lock, self.start_lock, self.database, self.log, self.namespaces, self.reserve)
        kinds: tuple[tuple[tuple[Path, ...], Callable[[int], bool], str], ...] = (
            (directories, stat.S_ISDIR, "a directory"),
            (files, stat.S_ISREG, "a regular file"),
            ((self.socket, self.events), stat.S_ISSOCK, "a socket"),
        )
        for paths, is_kind, expected in kinds:
            for path in dict.fromkeys(paths):
                try:
                    mode = os.stat(path, follow_symlinks=expected == "a directory").st_mode  # noqa: PTH116
                except OSError:  # there is none; another fault is reported where the file is opened
                    continue
                if not is_kind(mode):
                    yield path, expected


def way_out(error: OSError) -> str:
    """Return what to do about a home that cannot be written, as an imperative sentence."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return "free some space there: `orchctl prune` deletes finished agents and their logs"
    if error.errno == errno.EROFS:
        return f"mount it writable, or set {ENV_HOME} to a writable directory"
    if error.errno in (errno.EMFILE, errno.ENFILE):
        return "raise `ulimit -n`, or end other processes"
    return f"make it writable for you, or set {ENV_HOME} to a writable directory"


def _make_private(directory: Path, *, has_many_files: bool = False) -> None:
    """Create a directory, new levels with mode 0700; an existing one must be ours and closed to others."""
    try:
        if has_many_files:
            make_directory(directory)
        for level in (*reversed(directory.parents), directory):
            if not level.exists():
                level.mkdir(mode=0o700, exist_ok=True)
        status = directory.stat()
        if stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid() and stat.S_IMODE(status.st_mode) & 0o077:
            directory.chmod(0o700)
    except OSError as error:
        raise HomeError(f"cannot create {directory}: {error.strerror}; {way_out(error)}") from None
    if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
        raise HomeError(f"{directory} is not a directory that you own; set {ENV_HOME} to your own directory")


def check_writable(directory: Path) -> None:
    """Raise HomeError when no file can be made in `directory`: access(2) also reports a read-only file system."""
    if not os.access(directory, os.W_OK | os.X_OK, effective_ids=True):
        code = errno.EROFS if os.statvfs(directory).f_flag & os.ST_RDONLY else errno.EACCES
        error = OSError(code, os.strerror(code))
        raise HomeError(f"cannot write in {directory}: {error.strerror}; {way_out(error)}")
