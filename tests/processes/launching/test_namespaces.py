"""A daemon in other namespaces than the one that started the agents which run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from orchd.errors import OrchdError
from orchd.instance.home import Home
from orchd.network.callers import check_namespaces
from orchd.processes.attempt_files import files_of


@pytest.fixture
def home(home_directory: Path) -> Home:
    """One whose last daemon was here."""
    new_home = Home(home_directory)
    new_home.create()
    check_namespaces(new_home)
    return new_home


def recorded(home: Home, **changes: str) -> dict[str, Any]:
    """Change the record of the namespaces; the content before."""
    record: dict[str, Any] = json.loads(home.namespaces.read_text())
    home.namespaces.write_text(json.dumps(record | changes))
    return record


def test_namespaces_are_recorded_in_a_private_file(home: Home) -> None:
    assert set(recorded(home)) == {"boot", "pid", "user", "mnt"}
    assert home.namespaces.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("kind", ["pid", "user"])
def test_a_daemon_is_refused_while_agents_run_in_other_namespaces(home: Home, kind: str) -> None:
    (home.agents / "agent-002.1.exit").write_text("ended\n")
    own = recorded(home, **{kind: f"{kind}:[1]"})
    alive = files_of(home, "agent-001", 1).open_record()
    with open(alive, "ab"):
        with pytest.raises(
            OrchdError, match=rf"another {kind} namespace \(agent-001\.1\.exit is locked\), .* start it"
        ):
            check_namespaces(home)
        assert recorded(home)[kind] == f"{kind}:[1]"
    check_namespaces(home)
    assert recorded(home) == own


@pytest.mark.parametrize("changes", [{"boot": "another", "pid": "pid:[1]"}, {"mnt": "mnt:[1]"}])
def test_a_daemon_starts_after_a_reboot_or_in_another_mount_namespace(home: Home, changes: dict[str, str]) -> None:
    own = recorded(home, **changes)
    alive = files_of(home, "agent-001", 1).open_record()
    with open(alive, "ab"):
        check_namespaces(home)
    assert recorded(home) == own


@pytest.mark.parametrize("content", [None, "", "[]", "{}", "no json"])
def test_a_home_with_a_missing_or_damaged_namespace_record_opens(home: Home, content: str | None) -> None:
    own = recorded(home)
    home.namespaces.unlink()
    if content is not None:
        home.namespaces.write_text(content)
    alive = files_of(home, "agent-001", 1).open_record()
    with open(alive, "ab"):
        check_namespaces(home)
    assert recorded(home) == own
