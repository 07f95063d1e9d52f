"""Files for the output of a command."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.terminal import output_file


def test_a_failed_write_names_the_file(tmp_path: Path) -> None:
    for name in ("/dev/full", str(tmp_path / "none/x.svg")):
        with pytest.raises(OSError, match=name) as caught:
            output_file.write(name, "text")
        assert caught.value.filename == name


def test_the_text_is_utf_8(tmp_path: Path) -> None:
    output_file.write(str(tmp_path / "x"), "ü\udc80", errors="replace")
    assert (tmp_path / "x").read_bytes() == "ü?".encode()
