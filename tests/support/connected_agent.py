"""An agent that is connected, waits for a word, and then waits for its children: `connected_agent.py GO ANSWER`."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from orchd.instance.home import Home
from tests.support.raw import Raw

if __name__ == "__main__":
    go, answer = map(Path, sys.argv[1:])
    with Raw(Home(Path(os.environ["ORCHD_HOME"]))) as raw:
        raw.ask("limit")
        answer.write_text("there\n")
        go.read_text()
        answer.write_text(raw.code("wait", {"scope": "children"}))
