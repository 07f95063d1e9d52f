"""`orchctl`: the quick parser where it understands, the full one otherwise; both run the same commands."""

from __future__ import annotations

import os
import sys

from orchctl import exits, fast, out
from orchctl.errors import UsageError


def main() -> int:
    """Run the process's arguments; returns the exit code."""
    words = sys.argv[1:]
    if words and words[0].startswith(("--connect", "--profile")):
        from orchctl import targets

        try:
            words = targets.taken(words)
        except UsageError as error:
            out.failure(error.code, error.message, {}, as_json="--json" in words)
            return exits.USAGE
    parsed = None if "_ORCHCTL_COMPLETE" in os.environ else fast.parse(words)
    if parsed is not None:
        return exits.guarded(parsed.command.run, parsed.args)
    from orchctl import app

    return app.main(words)


if __name__ == "__main__":
    sys.exit(main())
