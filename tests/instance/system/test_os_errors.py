"""Errors of the system as texts."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from orchd.instance.system import atomic_file, open_file, os_errors, private_file


def error_of(number: int, path: str | None = None) -> OSError:
    return OSError(number, os.strerror(number), path)


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (error_of(errno.ENOSPC), "No space left on device. Free disk space, and run the command again"),
        (error_of(errno.EACCES, "/x"), "Permission denied: /x. Change its permissions, or give another path"),
        (
            error_of(errno.ENOENT, "/proc/none/x"),
            "No such file or directory: /proc/none/x. Create its directory, or give ",
        ),
        (error_of(errno.ENOENT, "/proc/x"), "No such file or directory: /proc/x. Give another path"),
        (error_of(errno.ECONNREFUSED), "Connection refused"),
        (OSError("without a number"), "without a number"),
    ],
)
def test_an_error_is_a_sentence_without_its_number(error: OSError, sentence: str) -> None:
    assert os_errors.sentence(error).startswith(sentence)
    assert "Errno" not in os_errors.sentence(error)


def test_a_wrong_kind_of_file_keeps_its_own_way_out(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="is in the place") as caught:
        open_file.read_file(tmp_path)
    what = "a directory is in the place of the file"
    assert os_errors.sentence(caught.value) == f"{what}: {tmp_path}. Move it away, or give another path"
    assert os_errors.summary(caught.value) == f"{what}; move it away, or give another path"


def test_summaries_of_other_errors_are_their_messages() -> None:
    assert os_errors.summary(ValueError("wrong")) == "wrong"
    with pytest.raises(UnicodeDecodeError) as caught:
        b"\xff".decode()
    assert os_errors.summary(caught.value) == "it is not UTF-8; save it as UTF-8"


@pytest.mark.parametrize("write", [atomic_file.write, private_file.write_private])
def test_a_failed_write_names_the_file_and_no_draft(write: object, tmp_path: Path) -> None:
    assert callable(write)
    path = tmp_path / "none" / "file"
    with pytest.raises(FileNotFoundError) as caught:
        write(path, b"x")
    assert caught.value.filename == str(path)
