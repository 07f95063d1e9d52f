"""Files of a newer version: each is refused in words that name it. Files of this version name theirs."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from orchctl.errors import RefusedError
from orchctl.pm import journal
from orchctl.skills import find
from orchctl.skills import install as installing
from orchctl.worktrees import create
from orchd.instance import runner_report
from orchd.network.keyring import Keyring, KeyringError
from orchd.protocol.remote_operations import KeyAuthorize
from tests.conftest import Instance

RECORD = create.WorktreeRecord("/r/.git", "agent/x", "0" * 40, "main")


def newer(path: Path, record: dict[str, object], version: int = 2) -> bytes:
    """Write it as the next version would. Returns what is in the file."""
    path.write_text(f"{json.dumps({**record, 'version': version})}\n")
    path.chmod(0o600)
    return path.read_bytes()


def test_a_keyring_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "keys.json"
    Keyring(path).authorize(KeyAuthorize("laptop", "a1" * 32, "user"), "now")
    record = json.loads(path.read_bytes())
    assert record.pop("version") == 1
    path.write_text(json.dumps(record))
    assert [record.name for record in Keyring(path).records()] == ["laptop"]
    content = newer(path, record)
    with pytest.raises(KeyringError, match=r"keys\.json has the version 2, but this orchd reads at most 1; install"):
        Keyring(path)
    assert path.read_bytes() == content


def test_a_worktree_record_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    worktree = tmp_path / "agent-001"
    create.write(worktree, RECORD)
    path = create.record_path(worktree)
    record = json.loads(path.read_bytes())
    assert record.pop("version") == 1
    path.write_text(json.dumps(record))
    assert create.read(worktree) == RECORD
    newer(path, record)
    with pytest.raises(RefusedError, match=r"agent-001\.json has the version 2"):
        create.read(worktree)


def test_a_journal_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    begun = journal.begun(tmp_path, "plan.md")
    path = begun.directory / "journal.jsonl"
    first = json.loads(path.read_text().splitlines()[0])
    assert first == {"version": 1, "source": "plan.md"}
    path.write_text('{"source": "plan.md"}\n')
    entry = journal.unfinished(tmp_path, "plan.md")
    assert entry is not None
    assert entry.source == "plan.md"
    newer(path, {"source": "plan.md"})
    with pytest.raises(RefusedError, match=r"journal\.jsonl has the version 2"):
        journal.unfinished(tmp_path, "plan.md")


def test_a_skill_manifest_of_a_newer_version_is_refused(tmp_path: Path) -> None:
    skill = next(path for path in find.SHIPPED.iterdir() if (path / find.SKILL).is_file())
    installing.install(skill, tmp_path, is_forced=False)
    path = tmp_path / installing.MANIFEST
    record = json.loads(path.read_bytes())
    assert record.pop("version") == 1
    path.write_text(json.dumps(record))
    assert {file.done for file in installing.install(skill, tmp_path, is_forced=False)} == {installing.CURRENT}
    newer(path, record)
    with pytest.raises(RefusedError, match=r"\.installed\.json has the version 2"):
        installing.install(skill, tmp_path, is_forced=False)


def test_reports_with_extra_keys_are_read_and_newer_versions_ignored(tmp_path: Path) -> None:
    path = tmp_path / "report"
    runner_report.write(path, runner_report.RunnerReport("completed", input_tokens=3))
    assert "version" not in json.loads(path.read_bytes())
    path.write_text('{"status": "completed", "version": 1, "input_tokens": 3, "color": "red"}')
    assert runner_report.read(str(path)) == runner_report.RunnerReport("completed", input_tokens=3)
    newer(path, {"status": "completed"}, runner_report.VERSION + 1)
    assert runner_report.read(str(path)) is None


def test_commands_print_the_schema_and_protocol_versions(instance: Instance) -> None:
    answer = json.loads(instance.ctl("daemon", "status", "--json"))
    assert isinstance(answer["schema"], int)
    assert answer["protocol"] == 1
    versions = f"(schema {answer['schema']}, protocol 1)"
    assert versions in instance.ctl("daemon", "status")
    assert "protocol 1)" in instance.ctl("--version")
    words = [sys.executable, "-m", "orchd", "--version"]
    assert versions in subprocess.run(words, capture_output=True, text=True, check=True).stdout
