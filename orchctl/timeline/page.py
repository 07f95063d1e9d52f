"""A timeline as an HTML page: the picture, and the same data as a table."""

from __future__ import annotations

from html import escape

from orchctl.render import svg as elements
from orchctl.render import text as render
from orchctl.timeline.chart import LEFT, svg
from orchctl.timeline.palette import DARK, LIGHT
from orchctl.timeline.summary import History


def html(history: History) -> str:
    """Return the picture in a page, followed by a table with a row for each attempt."""
    rows = []
    for life in history.lives:
        for attempt in life.attempts:
            held = "" if attempt.ended is None else render.span(attempt.ended - attempt.admitted)
            spans = (render.span(attempt.admitted - attempt.queued), held)
            how, reason = attempt.how or "", attempt.reason or ""
            cells = (life.id, life.name, life.level, str(attempt.number), *spans, how, reason)
            rows.append(f"<tr>{''.join(f'<td>{_safe(cell)}</td>' for cell in cells)}</tr>")
    body = "\n".join(rows)
    heads = "".join(f"<th>{head}</th>" for head in ("agent", "name", "level", "try", "queued", "held", "how", "reason"))
    return f"""<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">
<meta name="color-scheme" content="light dark"><title>{_safe(history.title)}</title>
<style>body{{margin:0;font:14px system-ui,sans-serif;background:{LIGHT["paper"]};color:{LIGHT["ink"]}}}
svg{{display:block;width:100%;height:auto}}details{{margin:1em {LEFT}px}}
td,th{{text-align:left;padding:2px 12px 2px 0}}
@media (prefers-color-scheme:dark){{body{{background:{DARK["paper"]};color:{DARK["ink"]}}}}}</style></head><body>
{svg(history)}<details><summary>Show as a table</summary><table><thead><tr>{heads}</tr></thead><tbody>
{body}
</tbody></table></details></body></html>
"""


def _safe(text: str) -> str:
    return escape(elements.safe(text))
