"""OpenTelemetry's own exporters deliver, by both protocols, packed and not."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import pytest
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as ByGrpc
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as ByHttp
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult

from mcpobs.collector.intake import Accepted, RefusedError, Why
from mcpobs.collector.limits import Limits
from tests.collector.receiving import KeepingIntake, Running, collecting

Exporter = Callable[[Running], SpanExporter]


def by_http(compression: Compression) -> Exporter:
    def made(at: Running) -> SpanExporter:
        return ByHttp(endpoint=f"http://127.0.0.1:{at.http_port}/v1/traces", compression=compression, timeout=60)

    return made


def by_grpc(compression: grpc.Compression) -> Exporter:
    def made(at: Running) -> SpanExporter:
        return ByGrpc(endpoint=f"http://127.0.0.1:{at.grpc_port}", compression=compression, insecure=True, timeout=60)

    return made


EXPORTERS = {
    "http": by_http(Compression.NoCompression),
    "http-gzip": by_http(Compression.Gzip),
    "http-deflate": by_http(Compression.Deflate),
    "grpc": by_grpc(grpc.Compression.NoCompression),
    "grpc-gzip": by_grpc(grpc.Compression.Gzip),
    "grpc-deflate": by_grpc(grpc.Compression.Deflate),
}


def spans(count: int) -> list[ReadableSpan]:
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    made = []
    for n in range(count):
        span = tracer.start_span(f"span {n}")
        span.end()
        assert isinstance(span, ReadableSpan)
        made.append(span)
    return made


def names(body: bytes) -> list[str]:
    request = ExportTraceServiceRequest.FromString(body)
    return [span.name for r in request.resource_spans for s in r.scope_spans for span in s.spans]


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS.keys())
def test_an_exporter_delivers_its_spans(exporter: Exporter) -> None:
    with collecting() as at:
        sender = exporter(at)
        assert sender.export(spans(3)) is SpanExportResult.SUCCESS
        sender.shutdown()
    [(signal, encoding, body)] = at.intake.taken
    assert (signal, encoding) == ("traces", "protobuf")
    assert names(body) == ["span 0", "span 1", "span 2"]


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS.keys())
@pytest.mark.parametrize("why", ["busy", "unavailable"])
def test_an_exporter_that_gets_a_retryable_answer_retries_and_delivers_once(why: Why, exporter: Exporter) -> None:
    refusals: list[Accepted | Exception] = [RefusedError(why, "not now", 0.01), RefusedError(why, "nor now", 0.01)]
    with collecting(KeepingIntake(answers=refusals)) as at:
        sender = exporter(at)
        assert sender.export(spans(2)) is SpanExportResult.SUCCESS
        sender.shutdown()
    assert [names(body) for *_, body in at.intake.taken] == [["span 0", "span 1"]]


@pytest.mark.parametrize("exporter", EXPORTERS.values(), ids=EXPORTERS.keys())
def test_an_exporter_drops_a_batch_that_is_refused_as_malformed(exporter: Exporter) -> None:
    with collecting(KeepingIntake(answers=[RefusedError("malformed", "no")])) as at:
        sender = exporter(at)
        assert sender.export(spans(1)) is SpanExportResult.FAILURE
        assert sender.export(spans(2)) is SpanExportResult.SUCCESS
        sender.shutdown()
    assert [len(names(body)) for *_, body in at.intake.taken] == [2]


@pytest.mark.parametrize("exporter", ["http-gzip", "grpc-gzip"])
def test_an_exporter_is_let_in_with_its_token_alone(exporter: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with collecting(tokens=("s3cret",)) as at:
        stranger = EXPORTERS[exporter](at)
        assert stranger.export(spans(1)) is SpanExportResult.FAILURE
        stranger.shutdown()
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20s3cret")
        friend = EXPORTERS[exporter](at)
        assert friend.export(spans(2)) is SpanExportResult.SUCCESS
        friend.shutdown()
    assert [len(names(body)) for *_, body in at.intake.taken] == [2]


@pytest.mark.parametrize("made", EXPORTERS.values(), ids=EXPORTERS)
def test_a_default_batch_of_large_spans_is_taken_by_default(made: Exporter) -> None:
    """512 spans, as OpenTelemetry's Python sends at a time by default, of 40 kB each."""
    tracer = TracerProvider(shutdown_on_exit=False).get_tracer("tests")
    batch = []
    for n in range(512):
        span = tracer.start_span("tools/call search", attributes={"result": f"{n:08}" * 5000})
        span.end()
        assert isinstance(span, ReadableSpan)
        batch.append(span)
    with collecting() as at:
        exporter = made(at)
        assert exporter.export(batch) is SpanExportResult.SUCCESS
        exporter.shutdown()
    [(_, _, body)] = at.intake.taken
    assert 20_480_000 < len(body) <= Limits().body_bytes == 20 << 20
