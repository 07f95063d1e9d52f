"""The drill: the service is restarted as a newer version, which changes the database, with everything at work."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Iterator

import pytest

from orchd.store import migrations
from tests.conftest import DEADLINE, until
from tests.installation import PROGRAM
from tests.systemd.box import Box, Installed

pytestmark = [pytest.mark.slow, pytest.mark.timeout(180)]
APP = "/run/ann/drill/app"
BOOK = "/run/ann/drill/book"
GO = "/run/ann/drill/go"
BEGIN = f"echo $ORCHD_AGENT >> {BOOK}"
SCHEMA = migrations.newest()
MARKED = "grep -haz ^ORCHD_AGENT= /proc/[0-9]*/environ 2> /dev/null"
LOOK = "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute('PRAGMA user_version').fetchone()[0])"


def install(box: Box, which: str) -> None:
    """Put that version in the place of the other one."""
    box.run(sys.executable, PROGRAM, APP, which, who="ann")


@pytest.fixture
def older(plain: Installed) -> Iterator[Installed]:
    """The service of an installation of its own."""
    plain.box.run("mkdir", "/run/ann/drill", who="ann")
    install(plain.box, "older")
    plain.box.run(f"{APP}/bin/orchctl", "service", "install", "--user", "--enable", who="ann", env=plain.env)
    yield plain
    install(plain.box, "newer")  # only it can end what is left
    plain.end()
    plain.box.run("rm", "-r", "/run/ann/drill")


def schema(service: Installed, name: str) -> int:
    """The layout of a database in the home."""
    return int(service.box.run(sys.executable, "-c", LOOK, f"{service.home}/{name}"))


def begun(service: Installed) -> list[str]:
    """The agents that signed the book."""
    return service.box.run("sh", "-c", f"cat {BOOK}", code=None).split()


def living(service: Installed) -> set[str]:
    """The agents that have a process, by /proc alone."""
    return set(re.findall(r"=(agent-\d+)", service.box.run("sh", "-c", MARKED, code=None)))


def test_seven_running_and_twenty_queued_agents_survive_an_upgrade(older: Installed) -> None:
    box = older.box
    first = [older.spawn("sh", "-c", f"{BEGIN}; until [ -e {GO} ]; do sleep 0.05; done") for _ in range(7)]
    lines = [json.dumps({"command": ["sh", "-c", BEGIN]}) for _ in range(20)]
    box.run("sh", "-c", f"cat > /run/ann/drill/batch <<'END'\n{chr(10).join(lines)}\nEND")
    later = older.ctl("spawn", "--batch", "/run/ann/drill/batch").split()
    until(lambda: len(begun(older)) == 7)
    waiting = older.begin("wait", *first, *later)
    pids = {agent["id"]: agent["pid"] for agent in older.agents(*first)}
    assert schema(older, "orchd.db") == SCHEMA

    install(box, "newer")
    old = older.shows("MainPID")
    older.systemctl("restart", older.unit)
    assert older.shows("MainPID") not in ("0", old)
    assert json.loads(older.ctl("daemon", "status", "--json"))["version"] == "0.2.0"
    assert schema(older, "orchd.db") == SCHEMA + 1
    assert schema(older, f"orchd.db.schema-{SCHEMA}") == SCHEMA
    until(lambda: older.shows("StatusText") == "slots 7/7 in use, 7/28 alive, 20 queued")
    assert {agent["id"]: agent["pid"] for agent in older.agents(*first)} == pids
    assert {agent["status"] for agent in older.agents(*later)} == {"queued"}
    assert sorted(begun(older)) == sorted(living(older)) == first

    box.run("touch", GO)
    assert waiting.wait(DEADLINE) == 0, waiting.communicate()
    waiting.communicate()
    assert sorted(begun(older)) == sorted([*first, *later])
    ended = older.agents(*first, *later)
    assert {(agent["status"], agent["attempt"]) for agent in ended} == {("completed", 1)}
    events = [json.loads(line) for line in older.ctl("events", "--since", "0", "--json").splitlines()]
    assert [event["agent"] for event in events if event["event"] == "attempt-admitted"] == [*first, *later]
    assert f" from schema {SCHEMA} to {SCHEMA + 1}; " in older.says()

    install(box, "older")
    older.set("RestartSec=50ms")
    older.systemctl("restart", older.unit, code=1)
    until(lambda: older.shows("ActiveState") == "failed")
    assert f"and copy {older.home}/orchd.db.schema-{SCHEMA}, left by this version" in older.says("--priority=crit")
