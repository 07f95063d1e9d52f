"""The pictures of the terminal in docs/images, drawn from a recorded fleet by the code that draws for a terminal.

`python docs/pictures.py record NAME...` records the fleet of the running daemon anew; NAME has a high load.
"""

from __future__ import annotations

import html
import json
import re
import sys
import time
from collections.abc import Callable
from io import StringIO
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from rich.console import Console
from rich.text import Text

from orchctl.client import Client, pages
from orchctl.history.log_tail import tail
from orchctl.render.status_tree import Look, picture
from orchctl.terminal import top_view

IMAGES = Path(__file__).parent / "images"
FLEET = IMAGES / "fleet.json"
_WIDTH, _HEIGHT = 100, 17


def status() -> list[str]:
    """Return the lines of `orchctl status` with colours."""
    fleet = json.loads(FLEET.read_text())
    return picture(fleet["answer"], fleet["now"], Look(_WIDTH, has_colours=True))


def top() -> list[str]:
    """Return the lines of `orchctl top` with colours."""
    fleet = json.loads(FLEET.read_text())
    with TemporaryDirectory() as name:
        for agent in fleet["answer"]["agents"]:
            path = Path(name) / agent["id"]
            path.write_text(fleet["last_lines"].get(agent["id"], ""))
            agent["log"] = str(path)
        size = top_view.Size(_WIDTH, _HEIGHT, Look(_WIDTH, has_colours=True, is_whole=True))
        return top_view.page(fleet["answer"], fleet["loads"], fleet["selected"], "", fleet["now"], size)


PICTURES: dict[str, tuple[str, Callable[[], list[str]]]] = {
    "terminal-status.svg": ("orchctl status", status),
    "terminal-top.svg": ("orchctl top", top),
}


def drawn(title: str, lines: list[str]) -> str:
    """Return the lines as an SVG picture of a terminal, which loads nothing from the network."""
    console = Console(record=True, width=_WIDTH, file=StringIO(), legacy_windows=False)
    console.print(Text.from_ansi("\n".join(lines)), no_wrap=True)
    svg = console.export_svg(title=title, unique_id="orchd")
    return re.sub(r"@font-face \{.*?\}\s*", "", svg, flags=re.DOTALL)


def shown(svg: str) -> str:
    """Return the text of a picture without its spaces: what it says, whichever version of Rich drew it."""
    body = svg.partition('-matrix">')[2]
    return re.sub(r"\s", "", html.unescape("".join(re.findall(r"<text [^>]*>([^<]*)</text>", body))))


def said(lines: list[str]) -> str:
    """Return the text of lines with colours without its spaces."""
    return re.sub(r"\s", "", Text.from_ansi("\n".join(lines)).plain)


def draw() -> None:
    """Write each picture that no longer shows what the code prints."""
    for name, (title, make) in PICTURES.items():
        path, lines = IMAGES / name, make()
        if not path.is_file() or shown(path.read_text()) != said(lines):
            path.write_text(drawn(title, lines))


def record(busy: list[str]) -> None:
    """Write the fleet of the running daemon, with the last line of each log, to docs/images/fleet.json."""
    with Client(starts=False) as client:
        answer: dict[str, Any] = pages.status(client, {"ids": [], "all": False})
    agents = answer["agents"]
    last_lines = {agent["id"]: next(iter(tail(agent["log"], 1)), "") for agent in agents if agent["log"]}
    for agent in agents:
        agent.update(cwd="/home/me/shop", log="")
    answer["daemon"] = {"disk_full": False}
    loads = {agent["id"]: 38.0 if agent["name"] in busy else 2.0 for agent in agents if agent["pid"]}
    fleet = {
        "now": time.clock_gettime(time.CLOCK_REALTIME),
        "selected": agents[0]["id"],
        "loads": loads,
        "last_lines": last_lines,
        "answer": answer,
    }
    FLEET.write_text(json.dumps(fleet, indent=1) + "\n")


if __name__ == "__main__":
    if sys.argv[1:2] == ["record"]:
        record(sys.argv[2:])
    draw()
