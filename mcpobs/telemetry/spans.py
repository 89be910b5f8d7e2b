"""Turns rows into spans of the OpenTelemetry SDK, with the ids, times and attributes of the lake. The SDK's sampler and
span limits apply, set by the OTEL_* variables; recording in the lake does not depend on them.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from mcpobs import __version__, semconv
from mcpobs.detect.recorded import scrubbed
from mcpobs.telemetry.delivery import Delivery
from mcpobs.telemetry.spool import Row

_KINDS = {"server": SpanKind.SERVER, "client": SpanKind.CLIENT, "internal": SpanKind.INTERNAL}
_INT64 = range(-(2**63), 2**63)

ATTRIBUTE_OF: dict[str, str] = {
    name.column: name.attribute
    for name in semconv.COLUMNS
    if name.column is not None and name.attribute is not None and name.attribute != semconv.SERVICE_NAME
}
"""Column to span attribute; service.name is the resource's."""


class RecordedIds(IdGenerator):
    """Gives the next span the ids of its row. For one thread."""

    trace_id = 0
    span_id = 0

    def generate_trace_id(self) -> int:
        return self.trace_id

    def generate_span_id(self) -> int:
        return self.span_id


class SampledSpans(SpanProcessor):
    """Keeps the ended spans that are sampled."""

    def __init__(self) -> None:
        self.ended: list[ReadableSpan] = []

    def on_end(self, span: ReadableSpan) -> None:
        if span.context.trace_flags.sampled:
            self.ended.append(span)


class SpanExport:
    """Makes spans of rows and passes them to the exporter, in the calling thread.

    It replaces the SDK's BatchSpanProcessor, whose `force_flush` and `shutdown` have no time limit in the releases that
    we support, and which drops spans without counting them when its queue is full.
    """

    def __init__(self, exporter: SpanExporter, resource: Resource, delivery: Delivery) -> None:
        self._exporter = exporter
        self._delivery = delivery
        self._ids = RecordedIds()
        self._sampled = SampledSpans()
        provider = TracerProvider(resource=resource, id_generator=self._ids, shutdown_on_exit=False)
        provider.add_span_processor(self._sampled)
        # No schema URL: the names are pinned to a commit of the GenAI conventions, not to a published version.
        self._tracer = provider.get_tracer(semconv.SCOPE_NAME, __version__)

    def consume(self, batch: Sequence[Row]) -> None:
        for row in batch:
            try:
                self._make(row)
            except Exception as error:  # a malformed row is lost alone, not with its batch
                self._delivery.broke(error)
        spans, self._sampled.ended = self._sampled.ended, []
        if not spans:
            return
        with self._delivery.attempt():
            result = self._exporter.export(spans)
        if result is SpanExportResult.SUCCESS:
            self._delivery.succeeded(len(spans))
        else:
            self._delivery.failed("the endpoint did not take them")

    def close(self) -> None:
        self._exporter.shutdown()

    def _make(self, row: Row) -> None:
        self._ids.trace_id = int(str(row["trace_id"]), 16)
        self._ids.span_id = int(str(row["span_id"]), 16)
        start = int(row["start_unix_nano"] or 0)
        span = self._tracer.start_span(
            str(row["name"]),
            context=_caller(row, self._ids.trace_id),
            kind=_KINDS[str(row["kind"])],
            attributes=attributes(row),  # at the start, because a sampler may read them
            start_time=start,
        )
        if row.get("error_type") is not None:
            message = row.get("error_message")
            span.set_status(Status(StatusCode.ERROR, None if message is None else scrubbed(str(message))))
        if not span.get_span_context().trace_flags.sampled:
            self._delivery.unsampled += 1
        span.end(start + int(row.get("duration_ns") or 0))


def attributes(row: Row) -> dict[str, str | int | float | bool]:
    """Returns the span attributes of a row, by the conventions' names."""
    found: dict[str, str | int | float | bool] = {
        ATTRIBUTE_OF[column]: value for column, value in row.items() if value is not None and column in ATTRIBUTE_OF
    }
    rest = row.get("attributes")
    if isinstance(rest, str):
        for key, value in orjson.loads(rest).items():
            if isinstance(value, dict | list):  # OTLP supports it, older SDK releases do not
                found[key] = orjson.dumps(value).decode()
            elif value is not None:
                found[key] = value
    for key, plain in found.items():
        if type(plain) is int and plain not in _INT64:  # one such value would make the encoding of the whole batch fail
            found[key] = str(plain)
    return found


def _caller(row: Row, trace_id: int) -> Context:
    """Returns the caller's span as the parent, with the caller's sampling flag; an empty context if there is none."""
    parent = row.get("parent_span_id")
    if parent is None:
        return Context()
    flags = TraceFlags(int(row.get("trace_flags") or 0))
    caller = SpanContext(trace_id, int(str(parent), 16), is_remote=True, trace_flags=flags)
    return set_span_in_context(NonRecordingSpan(caller), Context())
