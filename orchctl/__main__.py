"""`orchctl`: the quick parser where it understands, the full one otherwise; both run the same commands."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace

from orchctl import exits, fast, out
from orchctl.words import usual
from orchd.wire import utf8


def main() -> int:
    """Run the process's arguments; returns the exit code."""
    utf8.ensure()
    exits.open_missing()
    out.prepare(utf8.output_encoding())
    words = sys.argv[1:]
    return exits.guarded(_run, SimpleNamespace(words=words, json="--json" in words))


def _run(given: SimpleNamespace) -> int:
    words = given.words
    if words and words[0].startswith(("--connect", "--profile")):
        from orchctl import targets

        words = targets.taken(words)
    words = usual(words)
    parsed = None if "_ORCHCTL_COMPLETE" in os.environ else fast.parse(words)
    if parsed is not None:
        return exits.guarded(parsed.command.run, parsed.args)
    from orchctl import app

    return app.main(words)


if __name__ == "__main__":
    sys.exit(main())
