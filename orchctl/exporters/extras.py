"""How to install a package that an exporter needs, into the environment in which this program runs."""

from __future__ import annotations

import importlib.util
import shlex
import sys
from pathlib import Path

_UV_TOOL, _PIPX = "uv-receipt.toml", "pipx_metadata.json"  # what these two write into each of their environments


def how_to_install(package: str) -> str:
    """Return the command that installs `package` next to orchd."""
    if Path(sys.prefix, _PIPX).exists():
        return f"`pipx inject orchd {package}`"
    if Path(sys.prefix, _UV_TOOL).exists():
        return f"`uv tool install --with {package} .` in the directory from which orchd was installed"
    interpreter = shlex.quote(sys.executable)
    if importlib.util.find_spec("pip") is None:  # the environments of uv have none
        return f"`uv pip install --python {interpreter} {package}`"
    return f"`{interpreter} -m pip install {package}`"
