"""`orchctl run-status`: one run with its members. It never starts a daemon."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.render.runs import run_lines
from orchctl.runs.request import result_path
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the run and a line for each member, or `{run, agents}`."""
    with Client(starts=False) as client:
        answer = pages.run(client, args.run)
    lines = run_lines(answer, time.clock_gettime(time.CLOCK_REALTIME), _written(answer["run"]))
    console.result(answer, lines, as_json=args.json)
    return exit_codes.OK


def _written(run: dict[str, Any]) -> dict[str, str]:
    """The results that are there, by the paths of their members."""
    if not run["results"]:
        return {}
    files = {one["path"]: result_path(Path(run["results"]), one["path"]) for one in run["members"]}
    return {path: str(file) for path, file in files.items() if file.is_file()}
