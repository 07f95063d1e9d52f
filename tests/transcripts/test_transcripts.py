"""Stories that anyone can read: what was told to the core (`> ...`) and what it made of it.

A line begins with an agent's name where the agent is what it is about. `ORCHD_REWRITE=1` accepts what the core says
now; the diff is the review.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.transcripts.transcript_runner import TranscriptRunner

STORIES = sorted(Path(__file__).parent.glob("*.txt"))


def line_of(text: str) -> str:
    """The story with the core's answers after each line that tells it something."""
    runner, lines = TranscriptRunner(), []
    for line in text.splitlines():
        if line.startswith("> "):
            lines += ["", line, *runner.tell(line[2:])]
        elif line.startswith("#"):
            lines += ["", line] if lines and not lines[-1].startswith("#") else [line]
    return "\n".join(lines).lstrip("\n") + "\n"


@pytest.mark.parametrize("path", STORIES, ids=lambda path: path.stem)
def test_a_transcript_matches_the_replies_of_the_core(path: Path) -> None:
    text = path.read_text()
    if os.environ.get("ORCHD_REWRITE"):
        path.write_text(line_of(text))
    assert line_of(text) == path.read_text()
