"""A `bd` that keeps its issues in a file: the real program's commands and forms as far as orchctl uses them."""

from __future__ import annotations

import json
import os
import stat
import sys
from pathlib import Path
from typing import Any

PROGRAM = Path(__file__).with_name("bd_program.py")


class FakeBd:
    """A directory with a `.beads`, and a `bd` on the PATH of `env`."""

    def __init__(self, directory: Path, env: dict[str, str]) -> None:
        self.place = directory / ".beads"
        self.place.mkdir(parents=True)
        (directory / "bin").mkdir()
        program = directory / "bin/bd"
        program.write_text(f'#!/bin/sh\nexec {sys.executable} -S {PROGRAM} {self.place} "$@"\n')
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        env["PATH"] = f"{directory / 'bin'}:{env['PATH']}"
        self.say()

    def say(self, *issues: dict[str, Any], **state: Any) -> None:
        """Set the state."""
        issue_rows = [
            {"status": "open", "priority": 2, "issue_type": "task", "created_at": "2026-01-01T00:00:00Z", **issue}
            for issue in issues
        ]
        self._write({"issues": issue_rows, **state})

    def change(self, **state: Any) -> None:
        """Change this part of the state."""
        self._write({**self._state(), **state})

    def _write(self, state: dict[str, Any]) -> None:
        draft = self.place / "state.json.test"
        draft.write_text(json.dumps(state))
        os.replace(draft, self.place / "state.json")

    def _state(self) -> dict[str, Any]:
        state: dict[str, Any] = json.loads((self.place / "state.json").read_text())
        return state

    def issue(self, issue_id: str) -> dict[str, Any]:
        """Return an issue as it is now."""
        (issue,) = [issue for issue in self._state()["issues"] if issue["id"] == issue_id]
        return dict(issue)

    def calls(self, *verb: str) -> list[list[str]]:
        """Return the arguments of every call so far, or of the calls that begin with these words."""
        path = self.place / "calls"
        all_of_them = [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []
        return [words for words in all_of_them if tuple(words[: len(verb)]) == verb]

    @property
    def has_overlapped(self) -> bool:
        """Return whether two calls ran at once."""
        return (self.place / "overlap").exists()
