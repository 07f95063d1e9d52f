"""Work from Beads."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from orchctl.errors import RefusedError
from orchctl.pm.beads import Beads, place
from orchctl.pm.beads_cli import Bd
from orchctl.pm.work_item import WorkItem
from tests.orchctl.pm.fake_bd import FakeBd

FAILURES = (
    *("failed", "rejected", "wontfix", "won't fix", "canceled", "cancelled", "abandoned"),
    *("blocked", "error", "timeout", "aborted"),
)


@pytest.fixture
def beads(fake: FakeBd, tmp_path: Path) -> Beads:
    """Return a Beads list, with the default for failures."""
    return Beads(Bd(tmp_path), closes_failed=False)


def ended(status: str, reason: str | None = None) -> dict[str, Any]:
    """Return an agent that ended with this status."""
    return {"id": "agent-007", "status": status, "reason": reason}


def test_the_beads_directory_is_searched_upward(tmp_path: Path) -> None:
    (tmp_path / "a/b").mkdir(parents=True)
    assert place(tmp_path / "a/b") is None
    (tmp_path / ".beads").mkdir()
    assert place(tmp_path / "a/b") == tmp_path / ".beads"


def test_an_issue_is_read_as_a_work_item(fake: FakeBd, beads: Beads) -> None:
    fake.say(
        {
            "id": "bd-1",
            "title": " Sign in ",
            "description": "With e-mail.",
            "design": "As in RFC 1.",
            "acceptance_criteria": "A test passes.",
            "labels": ["backend", 7],
            "priority": 0,
            "dependency_count": 0,
        },
        {"id": "bd-2", "title": "\ud800", "description": None, "labels": None, "priority": "high"},
    )
    assert beads.board().ready == [
        WorkItem(
            id="bd-1",
            title="Sign in",
            description="With e-mail.\n\nAs in RFC 1.",
            acceptance="A test passes.",
            labels=("backend",),
            priority=0,
        ),
        WorkItem(id="bd-2", title="?"),
    ]


def test_epics_are_not_work_items(fake: FakeBd, beads: Beads) -> None:
    fake.say({"id": "bd-1", "issue_type": "epic"}, {"id": "bd-2", "issue_type": "chore"}, {"id": "bd-3"})
    assert [item.id for item in beads.board().ready] == ["bd-2", "bd-3"]


def test_a_claim_is_repeatable_but_fails_for_claimed_or_closed_issues(fake: FakeBd, beads: Beads) -> None:
    fake.say({"id": "bd-1"}, {"id": "bd-2"}, {"id": "bd-3", "status": "closed"}, rivals=["bd-2"])
    assert beads.take(WorkItem("bd-1", "x"))
    assert fake.issue("bd-1")["status"] == "in_progress"
    assert beads.take(WorkItem("bd-1", "x"))  # for `bd` this is the same somebody
    assert not beads.take(WorkItem("bd-2", "x"))
    assert not beads.take(WorkItem("bd-3", "x"))


def test_a_claim_that_fails_with_an_error_raises_that_error(fake: FakeBd, beads: Beads) -> None:
    fake.say({"id": "bd-1"}, modes={"update": "error"})
    with pytest.raises(RefusedError, match="database is locked"):
        beads.take(WorkItem("bd-1", "x"))


def test_a_completed_issue_is_closed_without_a_word_that_means_failure(fake: FakeBd, beads: Beads) -> None:
    fake.say({"id": "bd-fix-timeout-error", "title": "Fix the blocked error"})
    assert beads.finish("bd-fix-timeout-error", ended("completed")) == "closed"
    issue = fake.issue("bd-fix-timeout-error")
    assert issue["status"] == "closed"
    assert "agent-007" in issue["close_reason"]
    assert not [word for word in FAILURES if word in issue["close_reason"].lower()]
    assert len(issue["close_reason"]) >= 20  # what `validation.on-close` wants


def test_a_failed_issue_is_reopened_unassigned_with_a_note(fake: FakeBd, beads: Beads) -> None:
    fake.say({"id": "bd-1", "status": "in_progress", "assignee": "me"})
    assert beads.finish("bd-1", ended("failed", "exit code 1")) == "open"
    issue = fake.issue("bd-1")
    assert (issue["status"], issue["assignee"]) == ("open", "")
    assert issue["notes"] == "orchctl pm: agent-007 ended as failed: exit code 1"


def test_an_issue_settled_by_its_developer_stays_unchanged(fake: FakeBd, beads: Beads) -> None:
    fake.say({"id": "bd-1", "status": "closed", "close_reason": "mine"}, {"id": "bd-2", "status": "deferred"})
    assert beads.finish("bd-1", ended("failed")) == "closed"
    assert beads.finish("bd-2", ended("failed")) == "deferred"
    assert fake.issue("bd-1")["close_reason"] == "mine"


@pytest.mark.parametrize("status", ["failed", "timed-out", "cancelled", "lost"])
def test_a_failed_issue_is_closed_as_failed_on_request(fake: FakeBd, tmp_path: Path, status: str) -> None:
    fake.say({"id": "bd-1", "status": "in_progress"})
    assert Beads(Bd(tmp_path), closes_failed=True).finish("bd-1", ended(status)) == "closed"
    assert [word for word in FAILURES if word in fake.issue("bd-1")["close_reason"]]


def test_a_close_error_is_ignored_only_for_a_closed_issue(fake: FakeBd, beads: Beads, tmp_path: Path) -> None:
    fake.say({"id": "bd-1", "status": "closed"}, modes={"close": "error"})
    assert beads.finish("bd-1", ended("completed")) == "closed"
    fake.say({"id": "bd-1", "status": "in_progress"}, modes={"close": "error"})
    with pytest.raises(RefusedError, match="database is locked"):
        beads.finish("bd-1", ended("completed"))


@pytest.mark.parametrize("form", ["raw", "shown"])
def test_the_blockers_of_an_issue_are_read(fake: FakeBd, beads: Beads, form: str) -> None:
    kinds = ("blocks", "parent-child", "conditional-blocks", "related", "waits-for")
    raw = [{"issue_id": "bd-9", "depends_on_id": f"bd-{kind}", "type": kind} for kind in kinds]
    dependencies = [{"id": f"bd-{kind}", "title": "x", "dependency_type": kind} for kind in kinds]
    issue_fields = {"dependencies": raw if form == "raw" else dependencies}
    fake.say({"id": "bd-9", "title": "x", **issue_fields}, {"id": "bd-8", "title": "x"})
    assert beads.before(WorkItem("bd-9", "x")) == ("bd-blocks", "bd-conditional-blocks", "bd-waits-for")
    assert beads.before(WorkItem("bd-8", "x")) == ()


def test_a_closed_issue_is_not_open(fake: FakeBd, beads: Beads) -> None:
    fake.say({"id": "bd-1", "title": "x", "status": "in_progress"}, {"id": "bd-2", "title": "x", "status": "closed"})
    assert (beads.is_open("bd-1"), beads.is_open("bd-2")) == (True, False)
