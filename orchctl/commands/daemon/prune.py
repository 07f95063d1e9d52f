"""`orchctl prune`: delete finished agents and runs from the history."""

from __future__ import annotations

import math
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.errors import UsageError
from orchctl.render import text
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print how many agents and runs were deleted; with `--json` `{agents, runs, bytes, dry_run, left}`."""
    if args.keep is not None and args.keep < 0:
        raise UsageError(f"--keep must be 0 or more, not {args.keep}")
    wanted = {"older_than": args.older_than, "keep": args.keep, "dry_run": args.dry_run or None}
    with Client() as client:
        result = client.call(
            "prune", {key: value for key, value in wanted.items() if value is not None}, patience=math.inf
        )
    verb = "would be pruned" if result["dry_run"] else "pruned"
    line = f"{result['agents']:,} agents and {result['runs']:,} runs {verb}, {text.size(result['bytes'])} of logs"
    console.result(result, [f"{line}; {result['left']:,} finished are kept"], as_json=args.json)
    return exit_codes.OK
