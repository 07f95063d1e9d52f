"""`orchctl trace`: export finished agents and runs as OpenTelemetry spans. It never starts a daemon."""

from __future__ import annotations

import os
from types import SimpleNamespace

from orchctl import exit_codes
from orchctl.client import Client
from orchctl.errors import UsageError
from orchctl.terminal import console, output_file

_ENDPOINTS = ("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", "OTEL_EXPORTER_OTLP_ENDPOINT")


def run(args: SimpleNamespace) -> int:
    """Send the spans to a collector, or write them to a file; a second call produces the same spans."""
    from orchctl.exporters import otlp
    from orchctl.exporters import trace as tracing

    if args.out is not None and args.endpoint is not None:
        raise UsageError("--endpoint and -o exclude each other: choose one")
    if args.out is None and args.endpoint is None and not any(map(os.environ.get, _ENDPOINTS)):
        raise UsageError(f"no destination: give --endpoint http://127.0.0.1:4318 or -o FILE, or set {_ENDPOINTS[1]}")
    otlp.check()
    where = otlp.endpoint(args.endpoint) if args.endpoint is not None else None
    with Client(starts=False) as client:
        spans, instance = tracing.spans_of(client, args.id), tracing.instance(client.home)
    if args.out is None:
        otlp.send(spans, instance, where)
    elif args.out == "-":
        console.put(otlp.as_json(spans, instance))
        return exit_codes.OK
    else:
        output_file.write(args.out, otlp.as_json(spans, instance))
    traces = len({span.trace for span in spans})
    lines = [f"{args.out or where or 'the collector'}: {len(spans)} spans of {traces} traces"]
    console.result(
        {"file": args.out, "endpoint": where, "spans": len(spans), "traces": traces}, lines, as_json=args.json
    )
    return exit_codes.OK
