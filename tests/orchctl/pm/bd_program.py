"""The program behind `FakeBd`: `bd_program.py PLACE [WORD]...`."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import sys
from pathlib import Path
from typing import Any, NoReturn

PLACE = Path(sys.argv[1])
WORDS = [word for word in sys.argv[2:] if word != "--json"]


def reply(state: dict[str, Any], answer: object) -> None:
    """Print the answer in the requested form."""
    print(json.dumps({"schema_version": 1, "data": answer} if state.get("envelope") else answer, indent=2))  # noqa: T201


def fail(text: str) -> NoReturn:
    """Fail as `bd update` does: a line, then an object."""
    failed = [{"id": WORDS[1], "error": text}]
    answer = {"schema_version": 1, "error": "1 of 1 issues failed to update", "failed": failed}
    sys.exit(f"Error updating: {text}\n{json.dumps(answer)}")


def misbehave(mode: str | None) -> None:
    """Hang with a child, print a greeting, or report that the database is locked."""
    if mode == "hang":
        os.fork()
        signal.pause()
    if mode == "garbage":
        sys.stdout.write("Welcome to bd!\n")
        sys.exit(0)
    if mode == "error":
        sys.exit(json.dumps({"schema_version": 1, "error": "database is locked", "code": "locked"}, indent=1))


def update(state: dict[str, Any], issue: dict[str, Any]) -> None:
    """Do `bd update ID --claim`, or set the values of the other options."""
    if "--claim" not in WORDS:
        options = dict(zip(WORDS[2::2], WORDS[3::2], strict=True))
        issue.update(status=options["--status"], assignee=options["--assignee"], notes=options["--append-notes"])
        return
    if issue["id"] in state.get("rivals", []):
        issue.update(status="in_progress", assignee="somebody else")
        keep(state)
    if issue.get("assignee", "") not in ("", "me"):
        fail(f"issue already claimed by {issue['assignee']}")
    if issue["status"] not in ("open", "in_progress"):
        fail(f"issue not claimable: status {issue['status']}")
    issue.update(status="in_progress", assignee="me")


def keep(state: dict[str, Any]) -> None:
    """Write the state to the file."""
    draft = PLACE / "state.json.new"
    draft.write_text(json.dumps(state))
    draft.rename(PLACE / "state.json")


def main() -> None:
    """Note the call, check that no other call runs, and execute it."""
    with (PLACE / "calls").open("a") as calls:
        calls.write(json.dumps(sys.argv[2:]) + "\n")
    with (PLACE / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            (PLACE / "overlap").touch()
        state = json.loads((PLACE / "state.json").read_text())
        misbehave(state.get("modes", {}).get(WORDS[0]))
        issues = {issue["id"]: issue for issue in state["issues"]}
        if WORDS[0] == "ready":
            free = [issue for issue in state["issues"] if issue["status"] == "open"]
            reply(
                state,
                [
                    issue
                    for issue in free
                    if all(issues[needed]["status"] == "closed" for needed in issue.get("needs", []))
                ],
            )
            return
        issue = issues.get(WORDS[1]) or fail("no issue found")
        if WORDS[0] == "update":
            update(state, issue)
        elif WORDS[0] == "close":
            issue.update(status="closed", close_reason=WORDS[WORDS.index("--reason") + 1])
        keep(state)
        reply(state, [issue])


if __name__ == "__main__":
    main()
