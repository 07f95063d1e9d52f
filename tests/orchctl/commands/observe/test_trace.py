"""`orchctl trace`, and a collector that reads what it sends."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from orchctl.commands.observe import trace
from orchctl.errors import RefusedError, UsageError
from orchctl.exporters.extras import how_to_install
from tests.conftest import Instance
from tests.orchctl.collector import Collector
from tests.orchctl.composition.files import composition, written
from tests.orchctl.conftest import Orchctl

TRIES = "[ $ORCHD_ATTEMPT = 2 ] || exit 4"


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A collector that listens."""
    receiver = Collector()
    yield receiver
    receiver.close()


def attributes(span: Any) -> dict[str, Any]:
    """Return the attributes of a span."""
    return {
        attribute.key: getattr(attribute.value, attribute.value.WhichOneof("value")) for attribute in span.attributes
    }


def by_agent(spans: list[Any]) -> dict[tuple[str, int | None], Any]:
    """Spans by agent (and attempt), or by run."""
    spans_by_agent: dict[tuple[str, int | None], Any] = {}
    for span in spans:
        values = attributes(span)
        name = values["gen_ai.agent.id"] if "gen_ai.agent.id" in values else values["orchd.run"]
        spans_by_agent[name, values.get("orchd.attempt")] = span
    assert len(spans_by_agent) == len(spans)
    return spans_by_agent


def ids(spans: list[Any]) -> set[tuple[bytes, bytes, bytes]]:
    """Return the ids of each span and of its parent."""
    return {(span.trace_id, span.span_id, span.parent_span_id) for span in spans}


@pytest.fixture
def history(stopped: Instance, tmp_path: Path) -> Instance:
    """001 has a child 002 and begins run-001 with 003 and 004; 005 needs two attempts; 006 is alive."""
    written(tmp_path / "team.json", composition("api", "ui"))
    stopped.env["ORCHD_MOCK_SECONDS"] = "0.01"
    stopped.start()
    inside = "orchctl wait $(orchctl spawn -- true); orchctl run team.json --runner mock"
    agent_id = stopped.ctl("spawn", "--nesting", "1", "--", "sh", "-c", inside, cwd=tmp_path).strip()
    stopped.ctl("wait", agent_id)
    retried = stopped.ctl("spawn", "--retries", "1", "--", "sh", "-c", TRIES, cwd=tmp_path).strip()
    stopped.ctl("wait", retried)
    stopped.ctl("spawn", "--", "sleep", "600", cwd=tmp_path)
    return stopped


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_spans_have_correct_parents_and_are_equal_in_every_export(
    history: Instance, orchctl: Orchctl, collector: Collector, tmp_path: Path
) -> None:
    result = orchctl("trace", "--endpoint", collector.url)
    assert result.code == 0, result
    assert result.out == f"{collector.url}/v1/traces: {len(collector.spans)} spans of 2 traces\n"
    assert (collector.paths, collector.services) == ({"/v1/traces"}, {"orchd"})
    first_spans = list(collector.spans)
    spans = by_agent(first_spans)
    tries = {f"agent-00{number}": [1] for number in range(1, 5)} | {"agent-005": [1, 2]}
    assert set(spans) == {("run-001", None)} | {
        (agent_id, k) for agent_id, attempts in tries.items() for k in (None, *attempts)
    }
    agent_span, attempt_span, run = spans["agent-001", None], spans["agent-001", 1], spans["run-001", None]
    assert agent_span.parent_span_id == spans["agent-005", None].parent_span_id == b""
    assert attempt_span.parent_span_id == agent_span.span_id
    assert spans["agent-002", None].parent_span_id == run.parent_span_id == attempt_span.span_id
    for member in ("agent-003", "agent-004"):
        assert spans[member, None].parent_span_id == run.span_id
        assert attributes(spans[member, None])["orchd.level"] == "composite"
    assert {span.trace_id for key, span in spans.items() if key[0] != "agent-005"} == {agent_span.trace_id}
    for above, below in (
        (agent_span, attempt_span),
        (attempt_span, run),
        (run, spans["agent-003", None]),
        (attempt_span, spans["agent-002", 1]),
    ):
        assert above.start_time_unix_nano <= below.start_time_unix_nano
        assert below.end_time_unix_nano <= above.end_time_unix_nano
    collector.spans.clear()
    assert orchctl("trace", "--endpoint", f"{collector.url}/v1/traces").code == 0
    assert [span.SerializeToString() for span in collector.spans] == [span.SerializeToString() for span in first_spans]
    collector.spans.clear()
    for scope, expected in (
        ("run-001", {"run-001", "agent-003", "agent-004"}),
        ("session-001", {key[0] for key in spans}),
        ("2", {"agent-002"}),
        ("agent-001", {"run-001", "agent-001", "agent-002", "agent-003", "agent-004"}),
        ("agent-003", {"agent-003"}),
    ):
        assert orchctl("trace", scope, "--endpoint", collector.url).code == 0
        assert {key[0] for key in by_agent(collector.spans)} == expected, scope
        assert ids(collector.spans) <= ids(first_spans)
        collector.spans.clear()
    assert "unknown-run" in orchctl("trace", "run-9", "--endpoint", collector.url).err


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_exported_spans_follow_conventions_without_private_data(
    history: Instance, orchctl: Orchctl, tmp_path: Path
) -> None:
    out = tmp_path / "spans.json"
    reply = json.loads(orchctl("trace", "-o", str(out), "--json").out)
    assert reply == {"file": str(out), "endpoint": None, "spans": reply["spans"], "traces": 2}
    (resource,) = json.loads(out.read_text())["resourceSpans"]
    assert orchctl("trace", "-o", "-").out == out.read_text()
    spans = {}
    for span in resource["scopeSpans"][0]["spans"]:
        values = {attribute["key"]: next(iter(attribute["value"].values())) for attribute in span["attributes"]}
        spans[values.get("gen_ai.agent.id", values.get("orchd.run")), values.get("orchd.attempt")] = (span, values)
    span, values = spans["agent-003", None]
    assert (len(span["traceId"]), len(span["spanId"])) == (32, 16)
    assert int(span["parentSpanId"], 16)
    assert span["name"] == f"invoke_agent {values['gen_ai.agent.name']}"
    assert values["gen_ai.operation.name"] == "invoke_agent"
    assert int(values["gen_ai.usage.input_tokens"]) > 0
    assert (values["orchd.run"], values["orchd.session"], values["orchd.status"]) == (
        "run-001",
        "session-001",
        "completed",
    )
    span, values = spans["agent-005", "1"]
    assert (values["error.type"], values["process.exit.code"], span["status"]["code"]) == ("retried", "4", 2)
    span, values = spans["agent-005", None]
    assert (values["process.executable.name"], span["status"]) == ("sh", {})
    (moment, back) = spans["agent-001", "1"][0]["events"][:2]
    assert (moment["name"], back["name"]) == ("wait began", "wait ended")
    assert TRIES not in out.read_text()
    assert str(history.directory) not in out.read_text()
    assert orchctl("trace", "-o", str(tmp_path / "no/where.json")).code == 1


def test_trace_reports_why_a_collector_rejected_spans(
    instance: Instance, orchctl: Orchctl, collector: Collector
) -> None:
    instance.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url
    assert orchctl("trace").out == "the collector: 0 spans of 0 traces\n"
    instance.ctl("wait", instance.spawn("true"))
    collector.answer = 400
    result = orchctl("trace")
    assert (result.code, result.out) == (1, "")
    assert result.err.startswith("not-exported: the collector did not accept 2 of 2 spans (")
    assert "400" in result.err
    assert len(result.err.splitlines()) == 1


def test_trace_does_not_start_a_daemon(stopped: Instance, orchctl: Orchctl) -> None:
    assert orchctl("trace", "-o", "-").code == 69


def parsed_arguments(**options: Any) -> SimpleNamespace:
    """Return the arguments of a command."""
    return SimpleNamespace(**{"id": None, "endpoint": None, "out": None, "json": False, **options})


def test_trace_requires_exactly_one_destination(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OTEL_EXPORTER_OTLP_ENDPOINT", raising=False)
    with pytest.raises(UsageError, match="no destination: give --endpoint"):
        trace.run(parsed_arguments())
    with pytest.raises(UsageError, match="exclude each other"):
        trace.run(parsed_arguments(endpoint="http://a", out="b"))


@pytest.mark.parametrize("endpoint", ["127.0.0.1:4318", "ftp://a", "http://", "http://a:b"])
def test_trace_refuses_an_invalid_endpoint(endpoint: str) -> None:
    with pytest.raises(UsageError, match="is not a valid endpoint"):
        trace.run(parsed_arguments(endpoint=endpoint))


def test_trace_without_the_extra_reports_the_install_command(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry.sdk.trace", None)
    with pytest.raises(RefusedError) as caught:
        trace.run(parsed_arguments(out="-"))
    assert caught.value.code == "no-otel"
    assert caught.value.message.endswith(f": run {how_to_install('opentelemetry-exporter-otlp-proto-http')}")
