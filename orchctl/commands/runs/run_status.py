"""`orchctl run-status`: show a run with its members. It never starts a daemon."""

from __future__ import annotations

import time
from pathlib import Path
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client, pages
from orchctl.render.runs import run_lines
from orchctl.runs.request import result_path
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the run and a line for each member, or `{run, agents}`."""
    with Client(starts=False) as client:
        answer = pages.run(client, args.run)
    files: dict[str, str] = {}  # results that exist, by the paths of their members
    if answer["run"]["results"]:
        directory = Path(answer["run"]["results"])
        paths = {member["path"]: result_path(directory, member["path"]) for member in answer["run"]["members"]}
        files = {member: str(path) for member, path in paths.items() if path.is_file()}
    lines = run_lines(answer, time.clock_gettime(time.CLOCK_REALTIME), files)
    console.result(answer, lines, as_json=args.json)
    return exit_codes.OK
