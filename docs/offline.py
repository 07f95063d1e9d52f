"""Puts the scripts that the pages of the site load from the network into the site: `python docs/offline.py DIRECTORY`.

Search in pages that are opened as files needs a replacement for web workers, and diagrams need mermaid. npm has both;
where npm is missing, the site stays as it is, and only these two need the network.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

WORKER, MERMAID = ("iframe-worker@1.0.4", "shim/index.js"), ("mermaid@12.3.0", "dist/mermaid.min.js")
_WORKER_URL = "https://unpkg.com/iframe-worker/shim"


def add_scripts(site: Path) -> None:
    """Add both scripts to the site, and let its pages load them from there."""
    scripts = site / "assets/javascripts"
    for package, file in (WORKER, MERMAID):
        (scripts / f"{package.partition('@')[0]}.js").write_bytes(_content(package, file))
    for page in site.rglob("*.html"):
        up = "../" * (len(page.relative_to(site).parts) - 1)
        text = page.read_text().replace(_WORKER_URL, f"{up}assets/javascripts/iframe-worker.js")
        if 'class="mermaid"' in text:
            tag = f'<script src="{up}assets/javascripts/mermaid.js"></script>'
            text = re.sub(r'(?=<script src="[^"]*assets/javascripts/bundle)', tag, text, count=1)
        page.write_text(text)


def _content(package: str, file: str) -> bytes:
    """Return a file of a package of npm."""
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run(
            ["npm", "pack", "--silent", "--pack-destination", directory, package], check=True, capture_output=True
        )
        (archive,) = Path(directory).glob("*.tgz")
        with tarfile.open(archive) as packed:
            member = packed.extractfile(f"package/{file}")
            assert member is not None
            return member.read()


if __name__ == "__main__":
    if shutil.which("npm") is None:
        sys.stderr.write("npm is not installed: search in pages opened as files, and diagrams, need the network\n")
    else:
        add_scripts(Path(sys.argv[1]))
