"""GenAI spans as an agent's instrumentation sends them."""

from __future__ import annotations

import json
import os
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans

from mcpobs import semconv

MODEL = "gpt-4o"
MICROUSD = 6_000
"""The cost of a call by genai-prices: 2.50 $ for a million tokens of input, 10 $ of output."""
INPUT, OUTPUT = 2_000, 100


def request_of(
    conversation: str | None, calls: int = 1, model: str = MODEL, age_s: float = 1, trace: bytes | None = None
) -> bytes:
    """Calls of a model within one conversation or trace."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "agent"
    scope = group.scope_spans.add()
    scope.scope.name = "opentelemetry.instrumentation.openai_v2"
    for _ in range(calls):
        add(scope, conversation, trace or os.urandom(16), model, age_s)
    return request.SerializeToString()


def add(scope: ScopeSpans, conversation: str | None, trace: bytes, model: str, age_s: float) -> None:
    span = scope.spans.add(trace_id=trace, span_id=os.urandom(8), kind=3, name=f"chat {model}")
    span.start_time_unix_nano = time.time_ns() - int(age_s * 10**9)
    span.end_time_unix_nano = span.start_time_unix_nano + 10**9
    for key, value in (
        ("gen_ai.operation.name", "chat"),
        ("gen_ai.provider.name", "openai"),
        ("gen_ai.request.model", model),
        *(() if conversation is None else (("gen_ai.conversation.id", conversation),)),
    ):
        span.attributes.add(key=key).value.string_value = value
    span.attributes.add(key="gen_ai.usage.input_tokens").value.int_value = INPUT
    span.attributes.add(key="gen_ai.usage.output_tokens").value.int_value = OUTPUT


def keyed_session(
    server: str, key: str, conversation: str, age_s: float = 0, trace: bytes | None = None, tenant: str | None = None
) -> bytes:
    """A tool call as a front exports it: with its session and the key of its caller."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = server
    scope = group.scope_spans.add()
    scope.scope.name = "mcpobs"
    trace_id = trace or os.urandom(16)
    span = scope.spans.add(trace_id=trace_id, span_id=os.urandom(8), kind=2, name="tools/call search")
    span.start_time_unix_nano = time.time_ns() - int(age_s * 10**9)
    span.end_time_unix_nano = span.start_time_unix_nano + 1_000
    for key_, value in (
        ("mcp.method.name", "tools/call"),
        ("gen_ai.tool.name", "search"),
        (semconv.SESSION_ID, conversation),
        (semconv.SESSION_SOURCE, "conversation"),
        (semconv.SESSION_CANDIDATES, json.dumps({"conversation": conversation})),
        (semconv.ENFORCEMENT_KEY, key),
        *(() if tenant is None else (("mcpobs.tenant", tenant),)),
    ):
        span.attributes.add(key=key_).value.string_value = value
    return request.SerializeToString()
