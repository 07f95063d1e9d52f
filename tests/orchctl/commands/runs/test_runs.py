"""`orchctl runs`."""

from __future__ import annotations

import json
from pathlib import Path

from orchd.instance.home import Home
from orchd.protocol.frames import pack_result
from tests.conftest import Instance
from tests.orchctl.composition.files import after, composition, written
from tests.orchctl.conftest import Orchctl
from tests.orchctl.render import test_runs
from tests.orchctl.routers import router


def test_runs_prints_one_line_per_run_newest_first(orchctl: Orchctl, instance: Instance, tmp_path: Path) -> None:
    assert orchctl("runs") == (0, "no runs; `orchctl run FILE` starts one\n", "")
    written(tmp_path / "team.json", composition(after("a", command=["true"])))
    for _ in range(2):
        orchctl("run", "team.json")
    lines = orchctl("runs", "--all").out.splitlines()
    assert [line.split()[:3] for line in lines] == [["run-002", "team", "completed"], ["run-001", "team", "completed"]]
    listing = json.loads(orchctl("runs", "--json").out)
    assert [run["id"] for run in listing["runs"]] == ["run-002", "run-001"]


def test_runs_all_collects_every_page(orchctl: Orchctl, home: Home) -> None:
    pages = iter([([test_runs.run(id="run-002")], 2), ([test_runs.run()], None)])

    def reply(request_id: str) -> list[bytes]:
        runs_page, more = next(pages)
        return [pack_result(request_id, {"runs": runs_page, "more": more})]

    with router(home, reply):
        listing = json.loads(orchctl("runs", "--all", "--json").out)
    assert [run["id"] for run in listing["runs"]] == ["run-002", "run-001"]


def test_no_daemon_is_started(orchctl: Orchctl, stopped: Instance) -> None:
    assert orchctl("runs").code == 69
    assert not stopped.home.socket.exists()
