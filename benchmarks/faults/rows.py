"""The table: each fault, how often it is tried, and the bug that it must catch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import NamedTuple

from benchmarks.faults import (
    agents,
    clients,
    commands,
    disks,
    files,
    killing,
    layer,
    limits,
    machine,
    outsiders,
    power,
    shims,
)
from benchmarks.faults.planting import Plant
from benchmarks.faults.tally import Tally


class Row(NamedTuple):
    """One fault. `why_not` returns what is missing here to try it, or nothing; `least` tries are always made."""

    name: str
    fault: str
    tries: int
    trying: Callable[[Tally], Iterator[None]]
    plant: Plant
    why_not: Callable[[], str] = lambda: ""
    least: int = 1


ENGINE, LOCAL = "orchd/daemon/engine.py", "orchd/processes/local.py"
_ANSWERS = "        answers = self._shell.promised(turn.effects)\n"
GATES_EARLY = Plant(
    "gates are opened before the commit",
    ENGINE,
    _ANSWERS,
    f"{_ANSWERS}        [self._shell.do(one) for one in turn.effects if type(one) is Release]\n",
)
TOLD_EARLY = Plant(
    "clients are answered before the commit",
    ENGINE,
    _ANSWERS,
    f'{_ANSWERS}        [self._shell.do(one) for one in turn.effects if type(one).__name__ == "Answer"]\n',
)
ADOPTION = "            self._guard.begin(key)\n            return Adopted(*key)"
FORGOTTEN = Plant(
    "agents alive after a crash count as never run",
    LOCAL,
    ADOPTION,
    ADOPTION.replace("Adopted", "NeverRan"),
)
UNBEGUN = Plant(
    "an attempt that had not begun counts as lost",
    "orchd/processes/shims/script.py",
    "if last not in (_SHUT_OUT, _NEVER):",
    "if last != _SHUT_OUT:",
)
TREES = Plant(
    "the rest of a process tree is not checked",
    "orchd/processes/linux/process_tree.py",
    "return not self.members()",
    "return True",
)
IMPATIENT = Plant("clients give up after 3 s", "orchctl/client/client.py", "PATIENCE = 30.0 ", "PATIENCE = 3.0 ")

UNSYNCED = Plant(
    "commits are not synced", "orchd/store/database.py", "PRAGMA synchronous = FULL", "PRAGMA synchronous = OFF"
)
UNHEARD = Plant(
    "a failed commit counts as successful",
    "orchd/store/commit_thread.py",
    "            except sqlite3.Error as error:\n                self._error = error\n",
    "            except sqlite3.Error:\n                pass\n",
)
LATE = Plant(
    "a start that failed for lack of descriptors or processes is not retried",
    "orchd/processes/failed_start.py",
    "is_passing=error.errno not in _PERMANENT",
    "is_passing=False",
)
CALENDAR = Plant(
    "deadlines use the wall clock", "orchd/__main__.py", "time.clock_gettime(time.CLOCK_BOOTTIME)", "time.time()"
)
SMOOTH = Plant(
    "every end is reported as a success",
    "orchd/processes/shims/script.py",
    'echo "$_orchd_name $?"',
    'echo "$_orchd_name 0"',
)
CRASHING = Plant(
    "a malformed request is not an error", "orchd/server/requests.py", "except ShapeError as", "except KeyError as"
)
UNBOUNDED = Plant(
    "replies are kept without a bound",
    "orchd/network/connections.py",
    "_REPLIES_KEPT = 1200 ",
    "_REPLIES_KEPT = 1 << 60 ",
    Plant(
        "requests of a client that does not read are accepted",
        "orchd/network/connections.py",
        "_REPLIES_WAITING = 64 ",
        "_REPLIES_WAITING = 1 << 60 ",
    ),
)
FEW_FILES = Plant(
    "the daemon does not raise its limit of open files",
    "orchd/processes/linux/descriptors.py",
    "    if before[0] < before[1]:",
    "    if before[0] > before[1]:",
)
NOT_GONE = Plant(
    "an agent whose waiting client died is still shown as waiting",
    "orchd/server/waits.py",
    "            if agent is not None:\n                gone.append",
    "            if agent is not None and not agent:\n                gone.append",
)
MILD = Plant(
    "SIGTERM is sent again instead of SIGKILL",
    "orchd/processes/linux/process_tree.py",
    "send(process, signal.SIGKILL)",
    "send(process, signal.SIGTERM)",
)
OPEN_RECORD = Plant(
    "agents inherit the descriptor of their exit record",
    "orchd/processes/shims/script.py",
    "exec 3<&- 4>&-; eval",
    "exec 3<&-; eval",
)
RETURNING = "orchd/core/handlers/returning.py"
UNFROZEN = Plant(
    "an agent whose waiting client died runs at once",
    RETURNING,
    "    elif _may_work(turn.state, agent):",
    "    elif agent:",
)
UNWITHHELD = Plant(
    "a wait that times out is answered at once",
    RETURNING,
    "may_overdraw = not state.is_strict and (",
    "may_overdraw = (",
)
UNNOTICED = Plant(
    "work beside a wait is not detected",
    "orchd/monitors/background_work.py",
    "if seen.has_worked and before.has_worked:",
    "if seen.has_worked and before.has_worked and not agent:",
)
UNLENT = Plant(
    "no slot is lent in a stall",
    "orchd/core/handlers/stalls.py",
    "        for may_use_reserve in (False, True)\n",
    "        for may_use_reserve in ()\n",
)
UNWOKEN = Plant(
    "a stopped shim is not resumed",
    "orchd/processes/linux/process_tree.py",
    "send(shim, signal.SIGCONT)",
    "send(shim, signal.SIGURG)",
)
INSIDE = Plant(
    "only processes in its cgroup count as an agent's",
    "orchd/processes/linux/process_tree.py",
    "members = self._near(inside)\n",
    "members = self._near(inside) if self.cgroup is None else inside\n",
)
ONCE = Plant(
    "a shim enters its directory once instead of for each agent",
    "orchd/processes/shims/script.py",
    """\
while read -r _orchd_line <&3 && eval "$_orchd_line"; do
if [ "$_orchd_stop" ]; then (exit 143); else (
cd -P -- "$_orchd_cwd" ||""",
    """\
cd -P -- "$_orchd_cwd"
while read -r _orchd_line <&3 && eval "$_orchd_line"; do
if [ "$_orchd_stop" ]; then (exit 143); else (
true ||""",
)
INHERITED = Plant(
    "a connection outlives the process that opened it",
    "orchd/network/sockets.py",
    "not isinstance(identity, Outside)) and not peer.is_alive():",
    "not isinstance(identity, Outside)) and not peer:",
)
ANYWHERE = Plant(
    "a daemon serves in any pid namespace",
    "orchd/processes/launching/namespaces.py",
    'alive = next((path for path in home.agents.glob("*.exit") if is_locked(path)), None) if other else None',
    "alive = None",
)
ANY_FILE = Plant(
    "any file in the place of a log is opened",
    "orchd/processes/attempt_files.py",
    "            descriptor = open_file(self.log, flags)\n            status",
    "            descriptor = os.open(self.log, flags | os.O_CLOEXEC, 0o600)\n            status",
)
UNMISSED = Plant(
    "the daemon does not check that the database still exists",
    "orchd/daemon/presence.py",
    "        if not self._has_database():\n",
    "        if self._has_database() is None:\n",
    Plant(
        "a truncated database is written to",
        "orchd/store/database.py",
        "            if now < size:\n",
        "            if now < 0:\n",
    ),
)
UNCOUNTED = Plant(
    "connections are not counted",
    "orchd/network/connections.py",
    "return len(self._by_number) < self.most and self._has_share(identity)",
    "return True",
)
_GCC = layer.is_missing

ROWS = (
    Row("kill-point", "SIGKILL of the daemon at each named point", 39, killing.at_points, GATES_EARLY, least=13),
    Row(
        "kill-follow",
        "SIGKILL of the daemon while shims serve more attempts",
        24,
        killing.of_followers,
        UNBEGUN,
        least=8,
    ),
    Row("kill-random", "SIGKILL of the daemon at random, under load", 60, killing.at_random, FORGOTTEN, least=20),
    Row(
        "kill-write",
        "SIGKILL of the daemon before its n-th change to a file",
        60,
        killing.between_writes,
        TOLD_EARLY,
        _GCC,
        least=15,
    ),
    Row("kill-shim", "SIGKILL of shims", 8, killing.of_shims, TREES),
    Row("kill-client", "SIGKILL of the client in every command", 150, commands.killed, NOT_GONE, least=56),
    Row("stop", "SIGSTOP of the daemon for 10 s", 3, killing.stopped, IMPATIENT),
    Row("power", "power loss between any two writes, in three ways", 3000, power.cut, UNSYNCED, _GCC, least=650),
    Row("disk-full", "no space from the n-th change on", 40, disks.FULL, UNHEARD, _GCC, least=10),
    Row("disk-error", "an I/O error at the n-th change", 60, disks.BROKEN, UNHEARD, _GCC, least=15),
    Row("disk-small", "a disk of 8 MiB, filled by the log of an agent", 6, disks.small, UNHEARD, disks.cannot_mount),
    Row("no-processes", "forks that fail", 8, machine.without_processes, LATE, _GCC),
    Row("no-files", "no free descriptors, or a few", 26, machine.without_files, LATE, least=13),
    Row("clock", "the wall clock jumps a day forward and back", 5, machine.clocks, CALENDAR, _GCC),
    Row("nonsense", "malformed frames", 100_000, clients.nonsense, CRASHING, least=100000),
    Row("listeners", "slow and dead subscribers, clients that never read", 3, clients.listeners, UNBOUNDED),
    Row("thousand", "1,000 clients at once", 3000, clients.thousand, FEW_FILES),
    Row(
        "no-memory",
        "agents that the kernel kills for memory",
        5,
        machine.without_memory,
        SMOOTH,
        machine.no_memory_groups,
    ),
    Row("crowds", "agents that leave 500 processes", 4, agents.crowds, TREES),
    Row("deaf", "agents that ignore every signal", 6, agents.deaf, MILD),
    Row("closers", "agents that write to and close all descriptors", 6, agents.closers, OPEN_RECORD),
    Row("patricides", "agents that kill their shim", 6, agents.shim_killers, TREES),
    Row("wait-killed", "SIGKILL of clients of waits while no slot is free", 4, limits.killed, UNFROZEN),
    Row("wait-late", "waits that time out while no slot is free", 4, limits.late, UNWITHHELD),
    Row("wait-beside", "agents that work beside their wait while no slot is free", 4, limits.beside, UNNOTICED),
    Row("polled", "agents that poll for agents queued behind them", 4, limits.polled, UNLENT),
    Row("shims", "shims stopped, frozen, moved to another cgroup", 6, shims.kept_from_running, UNWOKEN),
    Row(
        "elsewhere", "processes that leave the cgroup of their agent", 6, shims.elsewhere, INSIDE, shims.without_cgroups
    ),
    Row(
        "directories", "directories that are replaced under a queue", 6, shims.directories, ONCE, shims.without_cgroups
    ),
    Row("pretenders", "agents and connections that pretend to be others", 4, outsiders.pretenders, INHERITED),
    Row(
        "namespaces",
        "a daemon in another pid namespace",
        4,
        outsiders.namespaces,
        ANYWHERE,
        outsiders.cannot_unshare,
    ),
    Row("idle", "silent connections until no descriptor is left", 6, outsiders.idle, UNCOUNTED),
    Row("logs", "FIFOs, links and directories in the place of logs", 6, files.in_the_place_of_logs, ANY_FILE),
    Row("database", "a database that is removed or replaced", 6, files.database, UNMISSED),
)
