"""Sends the spans of a plan with the OpenTelemetry SDK for Python and writes down which ids they got.

    python send.py PLAN LEDGER ENDPOINT PROTOCOL COMPRESSION

A line on stdout after each batch that was acknowledged. Ends with 1 where an export fails.
"""

from __future__ import annotations

import base64
import json
import sys
from pathlib import Path
from typing import Any

from opentelemetry import trace
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SpanExporter, SpanExportResult
from opentelemetry.trace import Link, SpanContext, SpanKind, Status, StatusCode, TraceFlags, TraceState

TIMEOUT_S = 60
_KINDS = (SpanKind.INTERNAL, SpanKind.SERVER, SpanKind.CLIENT, SpanKind.PRODUCER, SpanKind.CONSUMER)
_STATUS = (StatusCode.UNSET, StatusCode.OK, StatusCode.ERROR)


def main(plan_file: str, ledger_file: str, endpoint: str, protocol: str, compression: str) -> int:
    plan = json.loads(Path(plan_file).read_text())
    ended: list[ReadableSpan] = []

    class Keep(SpanProcessor):
        def on_end(self, span: ReadableSpan) -> None:
            ended.append(span)

    provider = TracerProvider(resource=Resource(natives(plan["resource"])), shutdown_on_exit=False)
    provider.add_span_processor(Keep())
    scope = plan["scope"]
    more = {"attributes": natives(scope["attributes"])} if scope["attributes"] else {}  # an old SDK knows none
    tracer = provider.get_tracer(scope["name"], scope["version"], schema_url=scope["schema_url"], **more)
    spans: list[trace.Span] = []
    for planned in plan["spans"]:
        spans.append(start(tracer, planned, spans))
    for span, planned in zip(spans, plan["spans"], strict=True):
        span.end(int(planned["end"]))

    exporter = exporter_for(endpoint, protocol, compression)
    for first in range(0, len(ended), plan["batch"]):
        for _ in range(plan["times"]):
            if exporter.export(ended[first : first + plan["batch"]]) is not SpanExportResult.SUCCESS:
                return 1
        print(first, flush=True)
    exporter.shutdown()
    ids = [(f"{span.get_span_context().trace_id:032x}", f"{span.get_span_context().span_id:016x}") for span in spans]
    Path(ledger_file).write_text(json.dumps(ids))
    return 0


def start(tracer: trace.Tracer, planned: dict[str, Any], spans: list[trace.Span]) -> trace.Span:
    parent = None
    if planned["remote"] is not None:
        parent = trace.set_span_in_context(trace.NonRecordingSpan(context_of(planned["remote"])))
    if planned["parent"] is not None:
        parent = trace.set_span_in_context(spans[planned["parent"]])
    span = tracer.start_span(
        planned["name"],
        context=parent,
        kind=_KINDS[planned["kind"] - 1],
        attributes=natives(planned["attributes"]),
        links=[Link(spans[link["to"]].get_span_context(), natives(link["attributes"])) for link in planned["links"]],
        start_time=int(planned["start"]),
    )
    for event in planned["events"]:
        span.add_event(event["name"], natives(event["attributes"]), int(event["time"]))
    if planned["status"]:
        span.set_status(Status(_STATUS[planned["status"]], planned["status_message"]))
    return span


def context_of(remote: dict[str, str]) -> SpanContext:
    state = TraceState.from_header([remote["trace_state"]]) if remote["trace_state"] else None
    return SpanContext(int(remote["trace_id"], 16), int(remote["span_id"], 16), True, TraceFlags(1), state)


def natives(values: dict[str, Any]) -> dict[str, Any]:
    return {key: native(value) for key, value in values.items()}


def native(value: dict[str, Any]) -> Any:
    ((kind, inner),) = value.items()
    match kind:
        case "s" | "b":
            return inner
        case "i":
            return int(inner)
        case "d":
            return float(inner)
        case "a":
            return [native(one) for one in inner]
        case "m":
            return natives(inner)
        case "y":
            return base64.b64decode(inner)
    raise AssertionError(kind)


def exporter_for(endpoint: str, protocol: str, compression: str) -> SpanExporter:
    if protocol == "grpc":
        from grpc import Compression as GrpcCompression
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as ByGrpc

        packed = GrpcCompression.Gzip if compression == "gzip" else GrpcCompression.NoCompression
        return ByGrpc(endpoint=endpoint, insecure=True, compression=packed, timeout=TIMEOUT_S)
    from opentelemetry.exporter.otlp.proto.http import Compression
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as ByHttp

    return ByHttp(endpoint=f"{endpoint}/v1/traces", compression=Compression(compression), timeout=TIMEOUT_S)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
