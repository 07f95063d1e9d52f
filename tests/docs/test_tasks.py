"""docs/guides/tasks.md shows what happens: every command in it is run, in its order, and puts out what stands there."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import orchctl.tasks.task_file
from tests.conftest import Instance

TEXT = (Path(__file__).parents[2] / "docs/guides/tasks.md").read_text()
BLOCKS = re.findall(r"```\n(\$ .*?)```", TEXT, re.DOTALL)
SHOWN = [pair for block in BLOCKS for pair in re.findall(r"^\$ (.*)\n((?:(?!\$ ).*\n)*)", block, re.MULTILINE)]


def plain(text: str, directory: Path) -> str:
    """An output without the parts that change from run to run."""
    text = text.replace(str(directory), "/work/shop")
    return re.sub(r"\b\d+\.\d+s", "0.0s", text).strip()


def ran(command: str, instance: Instance, directory: Path) -> tuple[str, str]:
    """The output of a line of a shell."""
    places = instance.env["PATH"].split(os.pathsep)  # without the CLIs that the skill would be installed for
    directories = [
        directory for directory in places if not any(shutil.which(name, path=directory) for name in ("claude", "codex"))
    ]
    env = {**instance.env, "ORCHD_MOCK_SECONDS": "0.01", "PATH": os.pathsep.join(directories)}
    process = subprocess.run(
        ["bash", "-c", command], env=env, cwd=directory, capture_output=True, text=True, timeout=60, check=False
    )
    return process.stdout, process.stderr


def test_every_command_prints_what_the_page_shows(instance: Instance, tmp_path: Path) -> None:
    for command, expected in SHOWN:
        out, err = ran(command, instance, tmp_path)
        # a terminal shows both as they come: notes before the result of a run, and after that of a merge
        assert plain(expected, tmp_path) in (plain(out + err, tmp_path), plain(err + out, tmp_path)), command
    assert len(SHOWN) > 15


def test_every_key_is_explained() -> None:
    table = TEXT.split("| key | meaning |")[1].split("\n\n")[0]
    assert set(re.findall(r"`(\w+)`", re.sub(r"\|[^|]*\|$", "", table, flags=re.MULTILINE))) == set(
        orchctl.tasks.task_file.KEYS
    )
