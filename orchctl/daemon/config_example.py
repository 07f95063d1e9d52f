"""A complete `config.toml` in which every key is a comment with its meaning, for `orchctl config init` and docs/."""

from __future__ import annotations

import json
import re
from textwrap import wrap

from orchd.instance.config import KEYS, TABLES, default

_WIDTH = 100
# Values of keys that have no default.
_VALUES = {
    "resident": "28",
    "timeout": '"2h"',
    "silence": '"15m"',
    "memory_max": '"4G"',
    "cpu_max": '"200%"',
    "pids_max": "500",
    "umask": '"077"',
    "free_bytes": '"1G"',
    "keep_age": '"90d"',
    "keep_bytes": '"20G"',
    "runner": '"claude"',
}
_TABLES = {
    "runners": """\
[runners.claude]
model = "sonnet"
args = ["--permission-mode", "acceptEdits", "--allowedTools", "Bash(git add:*)", "Bash(git commit:*)"]

[runners.codex]
args = ["--sandbox", "workspace-write"]""",
    "pm": """\
[pm.labels]
frontend = "skyfom-frontend-developer\"""",
    "worktree": """\
[worktree]
copy = [".env"]
submodules = true""",
    "remote": """\
[remote]
listen = "tcp://0.0.0.0:7777\"""",
}


def text() -> str:
    """Return the file. Without its `#` before keys and tables it is a valid configuration, too."""
    lines = [
        "# The configuration of orchd. Every key is optional; remove the # before a key to set it.",
        '# Durations: 90, "90s", "15m", "2h", "7d". Sizes: bytes, "512M", "2G".',
        "# `orchctl config check` checks this file, `orchctl config reload` applies it.",
    ]
    for name, key in KEYS.items():
        about = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", key.about)  # links of the documents
        unset = f" Default: {key.unset}." if key.unset else ""
        lines += ["", *(f"# {line}" for line in wrap(f"{about[:1].upper()}{about[1:]} ({key.unit}).{unset}", _WIDTH))]
        lines += [f"# Takes effect {key.effective}."]
        if name in TABLES:
            lines += [f"#{line}" if line else "#" for line in _TABLES[name].splitlines()]
        else:
            lines.append(f"#{name} = {_VALUES.get(name) or json.dumps(default(name))}")
    return "\n".join(lines) + "\n"
