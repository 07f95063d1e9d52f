"""Attributes that a shim, and with it its agent, gets, and attributes that it cannot get."""

from __future__ import annotations

import os
import resource
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchd.core.state.agents import ProcessAttributes
from orchd.processes.launching import attributes
from orchd.processes.launching.attributes import apply, filled, staged_limits

ALL = ProcessAttributes(0o022, 3, "batch", "0", (("nofile", 100, 200),))


@pytest.fixture
def pid() -> Iterator[int]:
    """A process that may be changed."""
    with subprocess.Popen(["sleep", "600"]) as process:
        yield process.pid
        process.kill()


def test_unset_attributes_get_the_default() -> None:
    assert filled(None, ALL) == ALL
    assert filled(ProcessAttributes(), ALL) == ALL
    assert filled(ALL, ProcessAttributes(0, 0, "other", "1", (("core", 0, 0),))) == ALL
    assert filled(ProcessAttributes(umask=0), ALL).umask == 0
    assert filled(ProcessAttributes(nice=0), ALL).nice == 0


def test_process_attributes_are_set_on_the_process(pid: int) -> None:
    assert apply(pid, ALL) is None
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (100, 200)
    assert os.getpriority(os.PRIO_PROCESS, pid) == 3
    assert os.sched_getscheduler(pid) == os.SCHED_BATCH
    assert os.sched_getaffinity(pid) == {0}


def test_unset_attributes_are_left_unchanged_on_the_process(pid: int) -> None:
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE), os.sched_getaffinity(pid)
    assert apply(pid, ProcessAttributes(umask=0)) is None
    assert (resource.prlimit(pid, resource.RLIMIT_NOFILE), os.sched_getaffinity(pid)) == before


@pytest.mark.parametrize(
    ("limit", "staged", "shims"),
    [
        (("nofile", 100, 200), "", (100, 200)),
        (("nofile", 10, 200), f"{resource.RLIMIT_NOFILE}:10:200", (200, 200)),
        (("nofile", 10, 20), f"{resource.RLIMIT_NOFILE}:10:20", None),
        (("core", 0, 0), "", None),
    ],
)
def test_a_limit_too_low_for_a_shim_is_set_only_on_its_agent(
    pid: int, limit: tuple[str, int, int], staged: str, shims: tuple[int, int] | None
) -> None:
    before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    attributes = ProcessAttributes(limits=(limit,))
    assert staged_limits(attributes) == staged
    assert apply(pid, attributes) is None
    assert resource.prlimit(pid, resource.RLIMIT_NOFILE) == (shims or before)


def test_setting_attributes_of_an_ended_process_is_no_error() -> None:
    with subprocess.Popen(["true"]) as ended_process:
        ended_process.wait(10)
        assert apply(ended_process.pid, ALL) is None


def test_forbidden_attributes_are_set_as_far_as_possible_and_reported(
    pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As for a daemon that is not root's."""
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (64, 128))
    real = resource.prlimit

    def prlimit(pid: int, number: int, limits: tuple[int, int] | None = None) -> tuple[int, int]:
        if limits is None:
            return real(pid, number)
        if limits[1] == -1 or limits[1] > real(pid, number)[1]:
            raise PermissionError
        return real(pid, number, limits)

    def refused(*_: object) -> None:
        raise PermissionError

    def impossible(*_: object) -> None:
        raise OSError

    monkeypatch.setattr(resource, "prlimit", prlimit)
    monkeypatch.setattr(os, "setpriority", refused)
    monkeypatch.setattr(os, "sched_setscheduler", refused)
    monkeypatch.setattr(os, "sched_setaffinity", impossible)
    attributes = ProcessAttributes(0, -5, "idle", "7", (("nofile", 100, 20000),))
    assert apply(pid, attributes) == (
        "nofile 100 (hard 20000): its hard limit is 128; scheduling policy idle: permission denied; "
        f"nice -5: it is {os.getpriority(os.PRIO_PROCESS, pid)}; CPUs 7: none of them is available"
    )
    assert real(pid, resource.RLIMIT_NOFILE) == (100, 128)
    assert "unlimited" in str(apply(pid, ProcessAttributes(limits=(("nofile", -1, -1),))))
    assert real(pid, resource.RLIMIT_NOFILE) == (128, 128)


def test_nonexistent_cpus_are_reported(pid: int) -> None:
    last = max(os.sched_getaffinity(pid)) + 1
    assert apply(pid, ProcessAttributes(cpus=f"0-{last + 1}")) == f"CPUs 0-{last + 1}: 2 of them are not available"


def test_a_limit_name_maps_to_its_rlimit_number() -> None:
    assert attributes._number("nofile") == resource.RLIMIT_NOFILE


def test_a_forbidden_oom_score_is_reported_and_a_negative_score_is_ignored(
    pid: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    score = Path(f"/proc/{pid}/oom_score_adj")
    before = score.read_text()
    assert apply(pid, ProcessAttributes(oom_score_adj=-300)) is None
    assert score.read_text() == before
    assert apply(pid, ProcessAttributes(oom_score_adj=900)) is None
    assert score.read_text().strip() == "900"

    def write_text(path: Path, *_: object, **__: object) -> int:
        raise PermissionError(path)

    monkeypatch.setattr(Path, "write_text", write_text)
    assert apply(pid, ProcessAttributes(oom_score_adj=800)) == "oom_score_adj 800: it is 900"
