"""Captured environments: private, shared by content, deleted when no agent needs them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchd.store.environments import Environments
from tests.support.machine import full, needs_root, tmpfs

NAMES = st.binary(min_size=1, max_size=6).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"_").replace(b"=", b"_")))
VALUES = st.binary(max_size=12).map(lambda raw: os.fsdecode(raw.replace(b"\0", b"_")))


@pytest.fixture
def environments(tmp_path: Path) -> Environments:
    """An empty directory of environments."""
    return Environments(tmp_path)


def test_equal_environments_share_one_private_file(environments: Environments, tmp_path: Path) -> None:
    digest = environments.keep({"SECRET": "s3cr3t", "A": "1"})
    assert environments.keep({"A": "1", "SECRET": "s3cr3t"}) == digest
    (file,) = tmp_path.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "s3cr3t" not in file.name


@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_the_next_daemon_reads_a_kept_environment(
    tmp_path_factory: pytest.TempPathFactory, variables: dict[str, str]
) -> None:
    directory = tmp_path_factory.mktemp("env")
    digest = Environments(directory).keep(variables)
    assert Environments(directory).get(digest) == variables


def test_an_unused_environment_is_deleted(environments: Environments, tmp_path: Path) -> None:
    used, unused = environments.keep({"A": "1"}), environments.keep({"A": "2"})
    environments.drop_all_but({used})
    assert [path.name for path in tmp_path.iterdir()] == [used]
    with pytest.raises(FileNotFoundError):
        environments.get(unused)
    assert environments.get(used) == {"A": "1"}


def test_unused_files_of_an_earlier_daemon_are_swept(environments: Environments, tmp_path: Path) -> None:
    used, unused = environments.keep({"A": "1"}), environments.keep({"A": "2"})
    (tmp_path / "torn.new").touch()
    Environments(tmp_path).sweep({used})
    assert [path.name for path in tmp_path.iterdir()] == [used]
    assert unused != used


def test_unused_environments_are_reported_before_the_sweep(environments: Environments, tmp_path: Path) -> None:
    alone, used = environments.keep({"A": "1"}), environments.keep({"A": "2"})
    packed, needed = environments.keep_all({"A": "3"}, [{"B": "1"}, {"B": "2"}])
    (tmp_path / "half.pack").write_bytes(b"\x92")
    later = Environments(tmp_path)
    assert later.left({used, needed}) == {alone, packed, "half.pack"}
    assert later.get(packed) == {"A": "3", "B": "1"}
    assert len(list(tmp_path.iterdir())) == 4


def test_an_existing_environment_is_not_rewritten(environments: Environments, tmp_path: Path) -> None:
    digest = environments.keep({"A": "1"})
    before = (tmp_path / digest).stat().st_mtime_ns
    assert Environments(tmp_path).keep({"A": "1"}) == digest
    assert (tmp_path / digest).stat().st_mtime_ns == before


CHANGES = st.lists(st.dictionaries(NAMES, VALUES, max_size=2), max_size=4)


@given(st.dictionaries(NAMES, VALUES, max_size=3), CHANGES)
def test_environments_of_one_request_share_a_file_the_next_daemon_reads(
    tmp_path_factory: pytest.TempPathFactory, base: dict[str, str], changes: list[dict[str, str]]
) -> None:
    directory = tmp_path_factory.mktemp("env")
    digests = Environments(directory).keep_all(base, changes)
    assert len(list(directory.iterdir())) == bool(changes)
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in directory.iterdir())
    later = Environments(directory)
    later.sweep(set(digests))
    assert [later.get(digest) for digest in digests] == [{**base, **change} for change in changes]
    assert [later.keep({**base, **change}) for change in changes] == digests
    assert len(list(directory.iterdir())) == bool(changes)


def test_a_pack_is_deleted_with_its_last_used_environment_by_any_daemon(
    environments: Environments, tmp_path: Path
) -> None:
    first, second, third = environments.keep_all({"A": "1"}, [{}, {"B": "2"}, {"A": "3"}])
    (file,) = tmp_path.iterdir()
    environments.drop_all_but({second, third})
    with pytest.raises(FileNotFoundError):
        environments.get(first)
    assert environments.get(third) == {"A": "3"}
    later = Environments(tmp_path)
    later.sweep({third})
    assert list(tmp_path.iterdir()) == [file]
    with pytest.raises(FileNotFoundError):
        later.get(second)
    later.drop_all_but(set())
    assert list(tmp_path.iterdir()) == []


def test_a_request_stores_only_environments_missing_on_the_disk(environments: Environments, tmp_path: Path) -> None:
    digest = environments.keep({"A": "1", "B": "2"})
    later = Environments(tmp_path)
    assert later.keep_all({"A": "1"}, [{"B": "2"}, {"B": "3"}])[0] == digest
    assert len(list(tmp_path.iterdir())) == 2
    later.drop_all_but({digest})
    assert [path.name for path in tmp_path.iterdir()] == [digest]


@pytest.mark.parametrize("content", [b"", b"\x92\x80", b"\x92\x80\x01", b"\xff", b"A=1"])
def test_a_partial_pack_is_swept(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "abc.pack").write_bytes(content)
    Environments(tmp_path).sweep(set())
    assert list(tmp_path.iterdir()) == []


@needs_root
def test_a_full_disk_leaves_no_partial_environment(environments: Environments, tmp_path: Path) -> None:
    with tmpfs(tmp_path, "64k"):
        with full(tmp_path):
            with pytest.raises(OSError, match="No space left on device"):
                environments.keep({"A": "x" * 10_000})
            assert [path.name for path in tmp_path.iterdir()] == ["ballast"]
        assert environments.get(environments.keep({"A": "x" * 10_000})) == {"A": "x" * 10_000}
