"""Logs within a bound: the part that is kept, the wakeups, and an agent that goes on writing."""

from __future__ import annotations

import errno
import json
import os
import select
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchd.instance.system.sparse import gap_after
from orchd.processes.linux import log_trimmer
from orchd.processes.linux.log_trimmer import LONGEST_REST, Trimmer
from tests.conftest import Instance, until

MOST = 1 << 20


class Writer:
    """A log as an agent has it open, and what keeps it within its bound, at a time that the test says."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self.trimmer: Trimmer[str] = Trimmer(lambda: self.now)
        self.trimmer.reconfigure(MOST)
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        self.trimmer.begin("a", str(path))

    def write(self, count: int) -> None:
        """So many bytes, in lines that say where they are."""
        size = os.fstat(self.file).st_size
        os.write(self.file, b"".join(b"%07d\n" % (size // 8 + number) for number in range(count // 8)))

    def look(self, seconds: float = LONGEST_REST) -> None:
        """Time goes by."""
        self.now += seconds
        self.trimmer.look()

    def kept(self) -> int:
        """Bytes that can be read."""
        with self.path.open("rb") as file:
            gap = gap_after(file.fileno(), 0)
        return self.path.stat().st_size - (gap.end - gap.start if gap else 0)

    def is_woken(self) -> bool:
        """Whether the loop would wake up."""
        return bool(select.select([self.trimmer.fileno()], [], [], 0)[0])


@pytest.fixture
def writer(tmp_path: Path) -> Iterator[Writer]:
    new_writer = Writer(tmp_path / "log")
    yield new_writer
    os.close(new_writer.file)


def test_trimmer_keeps_head_and_tail_and_frees_the_rest_on_disk(writer: Writer) -> None:
    for _ in range(10):
        writer.write(MOST)
        writer.look()
        assert writer.kept() <= MOST
        assert writer.path.stat().st_blocks * 512 <= MOST
    with writer.path.open("rb") as file:
        gap = gap_after(file.fileno(), 0)
        assert gap is not None
        assert gap.start == MOST // 4
        assert (MOST // 2, gap_after(file.fileno(), gap.end)) == ((10 * MOST - gap.end) // 4096 * 4096, None)
        head = os.pread(file.fileno(), gap.start, 0)
        tail = os.pread(file.fileno(), MOST, gap.end)
    numbers = [int(line) for line in (head + tail).splitlines()]
    assert numbers == [*range(gap.start // 8), *range(gap.end // 8, 10 * MOST // 8)]


def test_trimmer_removes_nothing_up_to_the_limit(writer: Writer) -> None:
    writer.write(MOST)
    writer.look()
    assert writer.kept() == MOST
    writer.write(8)
    writer.look()
    assert writer.kept() <= 3 * MOST // 4 + 4096 + 8


def test_a_quiet_log_is_not_checked_until_it_is_written_again(writer: Writer) -> None:
    assert writer.trimmer.next_deadline() == LONGEST_REST
    writer.look()
    assert (writer.trimmer.next_deadline(), writer.is_woken()) == (None, False)
    writer.write(8)
    assert writer.is_woken()
    writer.look(60)
    due = writer.trimmer.next_deadline()
    assert due is not None
    assert writer.now < due <= writer.now + LONGEST_REST
    assert not writer.is_woken()
    writer.write(8)
    assert not writer.is_woken()  # it is looked at anyway
    writer.look()
    assert writer.trimmer.next_deadline() == writer.now + LONGEST_REST
    writer.look()
    assert (writer.trimmer.next_deadline(), writer.is_woken()) == (None, False)


def test_a_log_that_is_quiet_at_its_end_is_no_longer_watched(writer: Writer) -> None:
    writer.look()
    writer.trimmer.end("a")
    assert not writer.is_woken()
    writer.write(8)
    assert not writer.is_woken()
    assert (writer.trimmer.next_deadline(), writer.trimmer._quiet) == (None, {})


def test_a_log_written_just_before_its_end_is_trimmed_and_unwatched(writer: Writer) -> None:
    writer.look()
    writer.write(2 * MOST)
    writer.trimmer.end("a")
    assert not writer.is_woken()
    assert writer.trimmer._quiet == {}
    writer.look(0)
    assert writer.kept() <= MOST
    assert writer.trimmer.next_deadline() is None


def test_ending_a_log_does_not_drop_the_events_of_another_log(writer: Writer, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.touch()
    writer.trimmer.begin("b", str(other))
    writer.look()
    other.write_bytes(b"x")
    writer.trimmer.end("a")
    due = writer.trimmer.next_deadline()
    assert due is not None
    assert writer.now < due <= writer.now + LONGEST_REST


def test_a_log_file_with_two_names_is_watched_until_both_have_ended(writer: Writer, tmp_path: Path) -> None:
    (tmp_path / "other").hardlink_to(writer.path)
    writer.trimmer.begin("b", str(tmp_path / "other"))
    writer.look()
    writer.trimmer.end("a")
    writer.write(8)
    assert writer.is_woken()
    writer.look()
    writer.trimmer.end("b")
    assert writer.trimmer._quiet == {}


def test_a_log_that_grows_faster_is_checked_sooner(writer: Writer) -> None:
    writer.write(8)
    writer.look()
    assert writer.trimmer.next_deadline() == writer.now + LONGEST_REST
    writer.write(MOST)
    writer.look(0.5)
    due = writer.trimmer.next_deadline()
    assert due == pytest.approx(writer.now + 0.125, abs=0.01)  # at that pace a quarter of the bound
    writer.write(20 * MOST)
    writer.look(0.125)
    due = writer.trimmer.next_deadline()
    assert due == pytest.approx(writer.now + 0.02)


def test_an_oversized_log_is_trimmed_in_pieces(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_trimmer, "_PIECE", MOST)
    writer.write(5 * MOST)
    writer.look()
    assert writer.kept() == 4 * MOST
    assert writer.trimmer.next_deadline() == writer.now
    for _ in range(3):
        writer.look(0)
    assert writer.kept() <= MOST
    assert writer.trimmer.next_deadline() != writer.now


def test_a_log_is_trimmed_after_its_end_too(writer: Writer) -> None:
    writer.write(3 * MOST)
    writer.trimmer.end("a")
    assert writer.trimmer.next_deadline() == writer.now
    writer.look(0)
    assert writer.kept() <= MOST
    assert writer.trimmer.next_deadline() is None
    writer.trimmer.end("a")
    writer.trimmer.begin("a", str(writer.path))
    writer.look()
    writer.trimmer.end("a")
    assert writer.trimmer.next_deadline() is None


def test_a_restarted_daemon_extends_the_existing_gap(writer: Writer) -> None:
    writer.write(3 * MOST)
    writer.look()
    kept_before = writer.kept()
    again: Trimmer[str] = Trimmer(lambda: writer.now)
    again.reconfigure(MOST)
    again.begin("a", str(writer.path))
    writer.now += LONGEST_REST
    again.look()
    assert writer.kept() == kept_before
    writer.write(MOST)
    writer.now += LONGEST_REST
    again.look()
    assert writer.kept() <= MOST
    # a bound that is lowered takes of the head too, and one that is raised gives nothing back
    again.reconfigure(MOST // 4)
    writer.write(8)
    writer.now += LONGEST_REST
    again.look()
    again.reconfigure(8 * MOST)
    writer.write(2 * MOST)
    writer.now += LONGEST_REST
    again.look()
    with writer.path.open("rb") as file:
        gap = gap_after(file.fileno(), 0)
        assert gap is not None
        assert gap.start == MOST // 16
        assert gap_after(file.fileno(), gap.end) is None


def test_trimmer_leaves_symlinks_fifos_and_missing_logs_alone(writer: Writer, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_bytes(b"x" * 3 * MOST)
    writer.path.unlink()
    writer.path.symlink_to(other)
    writer.look()
    assert other.stat().st_blocks * 512 >= 3 * MOST
    writer.path.unlink()
    writer.look()
    writer.look()
    assert writer.trimmer.next_deadline() is None
    os.mkfifo(writer.path)
    writer.trimmer.end("a")
    writer.look()


def test_a_file_system_without_hole_punching_is_reported_once(writer: Writer, caplog: pytest.LogCaptureFixture) -> None:
    writer.trimmer._libc = Refusing()  # type: ignore[assignment]  # as a file system that has no such thing
    for _ in range(3):
        writer.write(2 * MOST)
        writer.look()
    assert [record.message for record in caplog.records] == [
        f"cannot limit the size of {writer.path}: Operation not supported; logs here grow without limit"
    ]
    assert writer.kept() == 6 * MOST


class Refusing:
    """A C library on a file system that cannot punch holes."""

    @staticmethod
    def fallocate(*_: object) -> int:
        import ctypes
        import errno

        ctypes.set_errno(errno.EOPNOTSUPP)
        return -1


class Blind:
    """An inotify that watches nothing, as when the user has no watches left."""

    def watch(self, *_: object) -> int:
        raise OSError(errno.ENOSPC, "No space left on device")

    def events(self) -> list[int]:
        return []


def test_an_open_log_is_polled_if_inotify_is_unavailable(writer: Writer) -> None:
    writer.trimmer._inotify = Blind()  # type: ignore[assignment]
    for _ in range(3):
        writer.look()
        assert writer.trimmer.next_deadline() == writer.now + LONGEST_REST


def test_a_flooded_log_stays_within_the_limit_across_a_daemon_crash(
    stopped: Instance,
) -> None:
    stopped.configure(f"log_bytes = {MOST}\n")
    stopped.start()
    agent_id = stopped.spawn("sh", "-c", "echo first; exec yes")
    path = Path(stopped.agent(agent_id)["log"])

    def is_bounded(beyond: int) -> bool:
        status = path.stat()
        return status.st_size > beyond and status.st_blocks * 512 < status.st_size // 2

    until(lambda: is_bounded(8 * MOST))
    stopped.kill()
    size = path.stat().st_size
    until(lambda: path.stat().st_size > size + 8 * MOST)
    stopped.start()
    until(lambda: is_bounded(size + 16 * MOST))
    stopped.ctl("cancel", agent_id)
    stopped.ctl("wait", agent_id, code=1)
    until(lambda: path.stat().st_blocks * 512 <= MOST)
    output = stopped.ctl("logs", agent_id)
    assert output.startswith("first\ny\n")
    assert output.count("bytes omitted here") == 1
    assert "\0" not in output
    assert len(output) < MOST + 100
    assert stopped.ctl("logs", agent_id, "--lines", "2") == output[-len("y\nTerminated\n") :]
    note_size = len("[orchd: 1,000,000,000 bytes omitted here]\n\n")
    place = json.loads(stopped.ctl("logs", agent_id, "--json"))
    assert place["left_out"] == pytest.approx(path.stat().st_size - len(output), abs=note_size)
