"""The git branch of an agent with a worktree of its own: `orchd/` and its name, as far as git can take that."""

from __future__ import annotations

import hashlib
import re

PREFIX = "orchd/"
_LONGEST = 100  # bytes after the prefix: a file name has room for 255, and git puts `.lock` behind it
_FOREIGN = re.compile(r"[^\w.+=,-]+")  # what git refuses, a shell reads otherwise, or makes folders
_MARK = 8  # hex digits that tell cut names apart


def branch_of(name: str) -> str:
    """Return the branch of the agent `name`: `orchd/Fix-login` for `Fix login`. Two names may have the same branch."""
    text = re.sub(r"\.\.+", ".", _FOREIGN.sub("-", name)).strip("-.")
    if text.endswith(".lock"):
        text = f"{text.removesuffix('.lock')}-lock"
    raw = text.encode(errors="replace")
    if len(raw) > _LONGEST:
        mark = hashlib.sha256(name.encode(errors="surrogateescape")).hexdigest()[:_MARK]
        text = f"{raw[: _LONGEST - _MARK - 1].decode(errors='ignore')}-{mark}"
    return f"{PREFIX}{text or 'agent'}"
