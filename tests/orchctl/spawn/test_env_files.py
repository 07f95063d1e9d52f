"""Files of variables."""

from __future__ import annotations

from pathlib import Path

import pytest

from orchctl.errors import UsageError
from orchctl.spawn import env_files


def test_a_value_is_the_text_after_the_first_equals_sign(tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b'# keys\n\nA=1\r\nB= x = "y" \nC=\n  # more\nD=\xff\nX-Y=1\n')
    (tmp_path / "b").write_text("A=2")
    assert env_files.read(["a"], tmp_path) == {"A": "1", "B": ' x = "y" ', "C": "", "D": "\udcff", "X-Y": "1"}
    assert env_files.read(["a", "b"], tmp_path)["A"] == "2"


@pytest.mark.parametrize("line", ["hush", "export A=hush", "=hush", "A B=hush", "A=hu\0sh"])
def test_an_error_names_the_line_and_never_prints_its_content(tmp_path: Path, line: str) -> None:
    (tmp_path / "a").write_text(f"A=1\n{line}\n")
    with pytest.raises(UsageError, match="a, line 2 is not KEY=VALUE") as caught:
        env_files.read(["a"], tmp_path)
    assert "hu" not in str(caught.value)


def test_a_missing_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--env-file none cannot be read: No such file"):
        env_files.read(["none"], tmp_path)
