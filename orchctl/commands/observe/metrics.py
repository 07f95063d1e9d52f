"""`orchctl metrics`: metrics for Prometheus, printed or served. It never starts a daemon."""

from __future__ import annotations

from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.terminal import console


def run(args: SimpleNamespace) -> int:
    """Print the metrics; with `--serve` serve them over HTTP, also while no daemon is running."""
    from orchctl.exporters.metrics import Counters, page, text

    counters = Counters()
    with Client(starts=False) as client:
        if args.serve is not None:
            from orchctl.exporters.metrics_server import serve

            serve(
                args.serve,
                lambda accept: page(client, counters, accept),
                lambda where: console.warn(f"metrics at {where}"),
            )
        counters.catch_up(client)  # without a daemon there is nothing to print: that is an error, and no metric
        console.put(text(client, counters))
    return exit_codes.OK
