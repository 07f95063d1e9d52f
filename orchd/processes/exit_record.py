"""Reads how an attempt ended from its exit record and its runner's report."""

from __future__ import annotations

import os

from orchd.core.inputs import Exited
from orchd.core.state.agents import AgentId, Note, Oom, Outcome, Report
from orchd.core.state.spending import Spent
from orchd.instance import runner_report
from orchd.instance.system.open_file import open_file
from orchd.processes.attempt import RunningAttempt
from orchd.processes.linux import controllers
from orchd.processes.linux.procfs import BOOT, SHORTAGE, read_process
from orchd.processes.shims.script import ExitRecord, boot_of, parse_record

_LONGEST_RECORD = 4096  # bytes, several times what a shim can write
_KILLED = (None, 137)  # how a process may end that the kernel has killed


def exit_of(
    key: tuple[AgentId, int], handle: RunningAttempt, record: ExitRecord, kills: controllers.OomKillCounter
) -> Exited:
    """Return the exit of an attempt whose shim has reported or ended."""
    report = report_in(handle.files.report) if handle.reports else None
    cgroup = handle.tree.cgroup
    oom = controllers.oom(cgroup.path) if cgroup is not None and cgroup.is_bound else None
    was_killed = record.code in _KILLED or (record.code and handle.reports)
    if oom is None and was_killed and kills.now() > handle.kills:
        oom = Oom.MACHINE
    peak, escaped = handle.memory_peak(), handle.tree.escaped()
    outcome = Outcome(record.code, record.cpu_seconds, handle.rss_bytes, report, oom, peak, escaped)
    note = record.note
    if note is None and record.code is None:
        what = "kept from running" if handle.is_shim_killed else "killed"
        note = f"its supervising shell was {what}, so its exit code is unknown"
    return Exited(*key, outcome, is_tree_gone=True, note=note)


def report_in(path: str) -> Report | None:
    """Read the report of a runner as a value of the core."""
    report = runner_report.read(path)
    if report is None:
        return None
    spent = Spent(
        report.input_tokens,
        report.output_tokens,
        report.cache_read_tokens,
        report.cache_write_tokens,
        report.cost_usd or 0.0,
        int(report.cost_usd is None),
    )
    return Report(
        None if report.status == "completed" else report.reason or report.status,
        spent,
        report.cost_source,
        report.session_id,
        report.model,
        report.turns,
        report.retry_at if report.status == "rate-limited" else None,
        tuple(Note(*note) for note in report.notes),
    )


def text_of(path: str) -> str:
    """Return the text of a record; empty if it is gone or an agent replaced it. Raises OSError when the machine
    cannot read files now."""
    try:
        descriptor = open_file(path, os.O_RDONLY)
    except OSError as error:
        if error.errno in SHORTAGE:
            raise
        return ""
    try:
        return os.read(descriptor, _LONGEST_RECORD).decode("ascii", "replace")
    finally:
        os.close(descriptor)


def record_of(handle: RunningAttempt) -> ExitRecord:
    """Return the entry of an attempt in its exit record. Raises OSError as `text_of` does."""
    return parse_record(text_of(handle.files.record), handle.files.name)


def is_left_alone(record: str, pid: int) -> bool:
    """Return whether the pid of an ended shim still names its session: no process has had it since, nor since a boot.

    While a session has members the kernel gives its number to no other process.
    """
    return boot_of(text_of(record)) == BOOT.decode() and read_process(pid) is None
