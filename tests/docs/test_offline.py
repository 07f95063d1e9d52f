"""The site loads no script from the network: search and diagrams work in pages that are opened as files."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.docs.test_docs import ROOT, script

SITE = ROOT / "build/site"
BUNDLE = '<script src="{up}assets/javascripts/bundle.1.min.js"></script>'


def test_pages_load_scripts_from_the_site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    offline = script("offline")
    monkeypatch.setattr(offline, "_content", lambda package, file: f"{package} {file}".encode())
    (tmp_path / "assets/javascripts").mkdir(parents=True)
    (tmp_path / "guides").mkdir()
    worker = '<script src="https://unpkg.com/iframe-worker/shim"></script>'
    (tmp_path / "index.html").write_text(worker + BUNDLE.format(up=""))
    (tmp_path / "guides/a.html").write_text(f'<pre class="mermaid"></pre>{worker}{BUNDLE.format(up="../")}')
    offline.add_scripts(tmp_path)
    own = '<script src="{up}assets/javascripts/{name}.js"></script>'
    assert (tmp_path / "index.html").read_text() == own.format(up="", name="iframe-worker") + BUNDLE.format(up="")
    assert (tmp_path / "guides/a.html").read_text() == (
        '<pre class="mermaid"></pre>'
        + own.format(up="../", name="iframe-worker")
        + own.format(up="../", name="mermaid")
        + BUNDLE.format(up="../")
    )
    for name in ("iframe-worker", "mermaid"):
        assert (tmp_path / f"assets/javascripts/{name}.js").read_bytes().startswith(name.encode())


@pytest.mark.skipif(
    not (SITE / "assets/javascripts/mermaid.js").is_file(), reason="`make site` has not run with npm here"
)
def test_no_page_of_the_site_loads_from_the_network() -> None:
    pages = [page for page in SITE.rglob("*.html") if page.name != "404.html"]
    assert len(pages) > 30
    loaded = r"<(?:script|img|iframe)[^>]*src=\"https?://|<link[^>]*rel=\"?stylesheet\"?[^>]*href=\"https?://"
    assert [page.name for page in pages if re.search(loaded, page.read_text())] == []
    assert 'class="mermaid"' in (SITE / "internals/architecture.html").read_text()
