"""Spans in OpenTelemetry's protocol: sent to a collector, or written as its JSON. Needs the extra `otel`."""

from __future__ import annotations

import base64
import json
import logging
import uuid
from collections.abc import Iterable, Sequence
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from orchctl.errors import RefusedError, UsageError
from orchctl.exporters.extras import how_to_install
from orchctl.exporters.spans import Span

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import ReadableSpan

_PACKAGE = "opentelemetry-exporter-otlp-proto-http"  # it requires the SDK
_AT_ONCE = 500
_IDS = ("traceId", "spanId", "parentSpanId")
_TRACES = "/v1/traces"


def check() -> None:
    """Raise RefusedError if the extra is not installed."""
    try:
        import opentelemetry.exporter.otlp.proto.http.trace_exporter
        import opentelemetry.sdk.trace  # noqa: F401 - both are looked for
    except ImportError as error:
        raise RefusedError(
            f"spans need OpenTelemetry, which is not installed ({error}): run {how_to_install(_PACKAGE)}",
            code="no-otel",
        ) from None


def endpoint(text: str) -> str:
    """Return the URL for spans. Raises UsageError if `text` is not an HTTP URL."""
    from urllib.parse import urlsplit

    try:
        parts = urlsplit(text)
        is_url = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url:
        raise UsageError(f"{text!r} is not a valid endpoint; give the URL of a collector, e.g. http://127.0.0.1:4318")
    return text if parts.path.rstrip("/") else f"{text.rstrip('/')}{_TRACES}"


def send(spans: Sequence[Span], instance: str, where: str | None) -> None:
    """Send the spans to the collector `where` or the environment's. Raises RefusedError if it does not accept them."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import SpanExportResult

    errors: list[str] = []

    class Listener(logging.Handler):
        """Collects the errors of the exporter, which reports them only to the log."""

        def emit(self, record: logging.LogRecord) -> None:
            errors.append(" ".join(record.getMessage().split()))

    log = logging.getLogger("opentelemetry")
    log.addHandler(Listener())
    log.propagate = False
    exporter = OTLPSpanExporter(endpoint=where)
    try:
        for first in range(0, len(spans), _AT_ONCE):
            if exporter.export(readable(spans[first : first + _AT_ONCE], instance)) is not SpanExportResult.SUCCESS:
                raise RefusedError(
                    f"{where or 'the collector'} did not accept {len(spans) - first} of {len(spans)} spans"
                    f" ({errors[-1] if errors else 'no reason given'}); check that it is running, then try again:"
                    " spans that are sent again keep their ids",
                    code="not-exported",
                )
    finally:
        exporter.shutdown()  # type: ignore[no-untyped-call]  # theirs has no types


def as_json(spans: Iterable[Span], instance: str) -> str:
    """Return the request that `send` would make, in the JSON that OpenTelemetry's protocol defines."""
    from google.protobuf.json_format import MessageToDict
    from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans

    request = MessageToDict(encode_spans(readable(spans, instance)), use_integers_for_enums=True)
    return json.dumps(_hexadecimal(request), indent=1) + "\n"


def _hexadecimal(value: Any) -> Any:
    """Return `value` with its ids in hexadecimal, as in OpenTelemetry's JSON; protobuf's JSON has base64."""
    if isinstance(value, list):
        return [_hexadecimal(element) for element in value]
    if isinstance(value, dict):
        return {key: base64.b64decode(part).hex() if key in _IDS else _hexadecimal(part) for key, part in value.items()}
    return value


def readable(spans: Iterable[Span], instance: str) -> list[ReadableSpan]:
    """Return the spans as the SDK has them; `instance` identifies the home."""
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import Event, ReadableSpan
    from opentelemetry.sdk.util.instrumentation import InstrumentationScope
    from opentelemetry.trace import SpanContext, Status, StatusCode, TraceFlags

    def context(trace: str, span_id: str) -> SpanContext:
        return SpanContext(int(trace, 16), int(span_id, 16), is_remote=False, trace_flags=TraceFlags(1))

    service = {"service.name": "orchd", "service.version": version("orchd")}
    resource = Resource.create({**service, "service.instance.id": str(uuid.uuid5(uuid.NAMESPACE_URL, instance))})
    scope = InstrumentationScope("orchd", version("orchd"))
    return [
        ReadableSpan(
            name=_text(span.name),
            context=context(span.trace, span.id),
            parent=context(span.trace, span.parent) if span.parent else None,
            resource=resource,
            attributes={
                key: _text(value) if isinstance(value, str) else value for key, value in span.attributes.items()
            },
            events=[Event(name, timestamp=_nanoseconds(at)) for name, at in span.events],
            status=Status(StatusCode.ERROR, _text(span.error)) if span.error else Status(),
            start_time=_nanoseconds(span.begin),
            end_time=_nanoseconds(span.end),
            instrumentation_scope=scope,
        )
        for span in spans
    ]


def _text(text: str) -> str:
    """Return `text` as valid UTF-8, which protobuf requires and names may not be."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _nanoseconds(at: float) -> int:
    """Return a Unix time in nanoseconds, rounded to the milliseconds of events."""
    return round(at * 1000) * 1_000_000
