"""The colours of all pictures, light and dark: tests require a contrast of 4.5 for every text."""

from __future__ import annotations

from collections.abc import Callable, Mapping

LIGHT = {
    "paper": "#ffffff", "ink": "#1f2328", "faint": "#59636e", "grid": "#d1d9e0", "lane": "#f3f5f7", "pm": "#2f6fdb",
    "composite": "#7d4ed8", "sub-skill": "#0b8577", "bad": "#cf3535", "again": "#a05d00", "cut": "#68717b",
    "limit": "#a40e26", "queue": "#b86e00", "name": "#ffffff", "busy": "#2f6fdb",
}  # fmt: skip
DARK = {
    "paper": "#0d1117", "ink": "#e6edf3", "faint": "#9aa4af", "grid": "#2d343c", "lane": "#161b22", "pm": "#5a97f5",
    "composite": "#ab86f2", "sub-skill": "#34b8a6", "bad": "#f47067", "again": "#dca23b", "cut": "#8b949e",
    "limit": "#ff8a80", "queue": "#dca23b", "name": "#0d1117", "busy": "#5a97f5",
}  # fmt: skip


def sheet(rules: str, coloured: Callable[[Mapping[str, str]], str]) -> str:
    """Return rules of CSS with colours: light unless the reader prefers dark."""
    return f"{rules}{coloured(LIGHT)}@media (prefers-color-scheme:dark){{{coloured(DARK)}}}"


def style() -> str:
    """Return the CSS of a timeline."""
    rules = (
        "text{font:12px system-ui,sans-serif}.big{font-size:18px;font-weight:600}.end{text-anchor:end}"
        ".mid{text-anchor:middle}.name,.small{font-size:11px}.area{fill-opacity:.55}"
        ".limit{fill:none;stroke-width:1.5;stroke-dasharray:6 4}.grid{stroke-width:1}.wait{fill:none;stroke-width:1.2}"
        ".fold{fill:none;stroke-width:1.2;stroke-dasharray:3 3}"
    )
    return sheet(rules, _coloured)


def _coloured(colours: Mapping[str, str]) -> str:
    lined = {"grid": "stroke", "limit": "stroke"}
    rules = "".join(f".{name}{{{lined.get(name, 'fill')}:{colour}}}" for name, colour in colours.items())
    return f"{rules}.limited{{fill:{colours['limit']}}}.wait,.fold{{stroke:{colours['faint']}}}"
