"""Model calls as OTLP brings them: they find the session that shares their trace or conversation."""

from __future__ import annotations

from pathlib import Path

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.keys import open_folder
from mcpobs.lake import writer
from mcpobs.lake.reader import open_reading
from mcpobs.lake.wal import Wal
from tests.queries.recorded import ask

NOON = 1_790_000_000_000_000_000
TRACE = b"\x0a" * 16


def _request() -> bytes:
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "shop"
    scope = group.scope_spans.add()
    scope.scope.name = "mcp-python-sdk"
    for number, trace in enumerate((TRACE, b"\x0b" * 16)):
        span = scope.spans.add(trace_id=trace, span_id=bytes([1, number] * 4), kind=2, name="tools/call search")
        span.start_time_unix_nano, span.end_time_unix_nano = NOON + number, NOON + number + 10
        for key, value in (("mcp.method.name", "tools/call"), ("gen_ai.tool.name", "search")):
            span.attributes.add(key=key).value.string_value = value
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "agent"
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai"
    for number, trace in enumerate((TRACE, TRACE, b"\x0c" * 16)):
        span = scope.spans.add(trace_id=trace, span_id=bytes([2, number] * 4), kind=3, name="chat gpt-4o")
        span.start_time_unix_nano, span.end_time_unix_nano = NOON + number, NOON + number + 10
        for key, value in (
            ("gen_ai.operation.name", "chat"),
            ("gen_ai.provider.name", "openai"),
            ("gen_ai.request.model", "made-up"),
        ):
            span.attributes.add(key=key).value.string_value = value
        span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = 1000
        span.attributes.add(key="gen_ai.usage.output_tokens").value.int_value = 10 + number
    return request.SerializeToString()


def test_model_calls_of_a_trace_stand_beside_its_session(tmp_path: Path) -> None:
    open_folder(tmp_path)
    log = Wal(tmp_path)
    log.append([_request()])
    log.close()
    writer.commit(tmp_path)
    with open_reading(tmp_path) as reading:
        by_tool = ask(reading.connection, "cost")
        by_session = ask(reading.connection, "cost", by="session")
    assert [(row["item"], row["model"], row["calls"], row["llm_calls"], row["llm_tokens"]) for row in by_tool] == [
        ("search", None, 2, None, None),
        (None, "made-up", 0, 3, 3033),
    ]
    counts = {row["item"]: (row["calls"], row["llm_calls"], row["llm_tokens"]) for row in by_session}
    assert counts == {TRACE.hex(): (1, 2, 2021), "0b" * 16: (1, None, None), None: (0, 1, 1012)}
