"""Elements of self-contained SVG pictures, which contain their colours, and run and load nothing.

The same elements give the same text: attributes stay in the order in which they are given.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, SubElement, indent, tostring

from orchctl.render import text as render


def picture(width: float, height: float, style: str, title: str = "", description: str = "") -> Element:
    """Return an empty picture; one with a title is an image to a screen reader, which `description` describes."""
    size = {"viewBox": f"0 0 {width:g} {height:g}", "width": f"{width:g}", "height": f"{height:g}"}
    named = {"role": "img", "aria-labelledby": "title desc"} if title else {}
    root = Element("svg", {"xmlns": "http://www.w3.org/2000/svg", **size, **named})
    if title:
        add(root, "title", title, id="title")
        add(root, "desc", description, id="desc")
    add(root, "style", style)
    return root


def add(parent: Element, tag: str, text: str = "", **attributes: float | str) -> Element:
    """Return a new last element of `parent`. `class_` stands for `class`, `text_anchor` for `text-anchor`."""
    named = {
        name.rstrip("_").replace("_", "-"): f"{value:.1f}" if isinstance(value, float) else safe(str(value))
        for name, value in attributes.items()
        if value != ""
    }
    element = SubElement(parent, tag, named)
    element.text = safe(text) or None
    return element


def safe(text: str) -> str:
    """Return `text` without characters that XML does not allow, such as most control characters."""
    return render.clean(text.encode("utf-8", "replace").decode())


def written(root: Element) -> str:
    """Return the picture as text, each element on a line of its own."""
    indent(root, space="")
    return tostring(root, encoding="unicode") + "\n"
