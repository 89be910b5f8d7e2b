"""Makes requests that a hostile or broken sender may send to the collector, reproducible from a random.Random.

Each kind aims at one thing that a sender must not decide: memory, files, time, identity, names, nesting. `KINDS` lists
them with their share of the requests; the expensive ones are rare, as they would be the only traffic otherwise.
"""

from __future__ import annotations

import gzip
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.trace.v1.trace_pb2 import ScopeSpans, Span

from tests.lake.otlp import wire

SERVICE = "hostile"
"""`service.name` of every span that is made here and names a service; honest spans have another."""

_DAY_NS = 86_400 * 10**9
_PROTOBUF, _JSON = "application/x-protobuf", "application/json"


@dataclass(frozen=True, slots=True)
class Hostile:
    """A request: its body as it goes out, and headers beside Content-Length."""

    kind: str
    body: bytes
    headers: dict[str, str] = field(default_factory=lambda: {"Content-Type": _PROTOBUF})

    @property
    def is_grpc(self) -> bool:
        """Whether it can be sent by gRPC as well: a plain protobuf message."""
        return self.headers == {"Content-Type": _PROTOBUF}


def make(rng: Random) -> Hostile:
    """One request of a random kind."""
    kind = rng.choices(list(KINDS), [share for share, _ in KINDS.values()])[0]
    return KINDS[kind][1](rng, kind)


def _request(service: str = SERVICE) -> tuple[ExportTraceServiceRequest, ScopeSpans]:
    request = ExportTraceServiceRequest()
    resource = request.resource_spans.add()
    resource.resource.attributes.add(key="service.name").value.string_value = service
    return request, resource.scope_spans.add()


def _span(rng: Random, scope: ScopeSpans, name: str = "tools/call x", start: int | None = None) -> Span:
    began = time.time_ns() if start is None else start
    span = scope.spans.add(trace_id=rng.randbytes(16), span_id=rng.randbytes(8), name=name, kind=rng.choice((2, 3)))
    span.start_time_unix_nano = began % 2**64
    span.end_time_unix_nano = (began + 1000) % 2**64
    span.attributes.add(key="mcp.method.name").value.string_value = "tools/call"
    return span


def _plain(kind: str, request: ExportTraceServiceRequest) -> Hostile:
    return Hostile(kind, request.SerializeToString())


def _zipped(kind: str, body: bytes, content_type: str = _PROTOBUF) -> Hostile:
    headers = {"Content-Type": content_type, "Content-Encoding": "gzip"}
    return Hostile(kind, gzip.compress(body, 1), headers)


def _shared_parts(rng: Random, kind: str) -> Hostile:
    """One large part that many spans or scopes share: the product of two sizes."""
    request, scope = _request()
    size, spans = rng.choice(((1 << 20, 2_000), (4 << 20, 500), (1 << 16, 10_000), (1 << 21, 5_000)))
    text = rng.choice("xyz") * size
    match rng.randrange(5):
        case 0:
            request.resource_spans[0].resource.attributes.add(key="pad").value.string_value = text
        case 1:
            request.resource_spans[0].schema_url = text
            for _ in range(spans):
                _span(rng, request.resource_spans[0].scope_spans.add())
            return _zipped(kind, request.SerializeToString())
        case 2:
            scope.scope.name = text
        case 3:
            scope.scope.attributes.add(key="pad").value.string_value = text
        case 4:
            scope.schema_url = text
    for _ in range(spans):
        _span(rng, scope)
    return _zipped(kind, request.SerializeToString())


def _empty_parts(rng: Random, kind: str) -> Hostile:
    """Millions of empty messages or values: few bytes each on the wire, an object each in memory."""
    count = rng.choice((10_000, 300_000, 1_000_000))
    match rng.randrange(5):
        case 0:
            return _zipped(kind, b"\x0a\x00" * count)
        case 1:
            body = wire.length_delimited(1, b"\x12\x00" * count)
            return _zipped(kind, body)
        case 2:
            return _zipped(kind, b'{"resourceSpans":[' + b"{}," * count + b"{}]}", _JSON)
        case 3:
            return _zipped(kind, b'{"resourceSpans":[{"scopeSpans":[' + b'{"spans":[]},' * count + b"{}]}]}", _JSON)
        case _:
            return _zipped(kind, b'{"x":[' + b"[]," * count + b"0]}", _JSON)


def _bomb(rng: Random, kind: str) -> Hostile:
    """A body that unpacks to far more than a request may have."""
    return _zipped(kind, bytes(rng.choice((1 << 22, 1 << 26))), rng.choice((_PROTOBUF, _JSON)))


def _times(rng: Random, kind: str) -> Hostile:
    """Times that no call can have had, or many days at once."""
    request, scope = _request()
    now = time.time_ns()
    if rng.random() < 0.3:
        for day in range(rng.choice((10, 400, 1500))):
            _span(rng, scope, start=now - day * _DAY_NS)
    for start in rng.sample(
        (0, 1, now // 1000, now // 10**6, now // 10**9, now + 3650 * _DAY_NS, 2**63 - 1, 2**63, 2**64 - 1, now), 4
    ):
        span = _span(rng, scope, start=start)
        if rng.random() < 0.3:
            span.end_time_unix_nano = rng.choice((0, 2**64 - 1, now - _DAY_NS, now + 3650 * _DAY_NS))
        if rng.random() < 0.3:
            session = span.attributes.add(key="mcpobs.session.start_unix_nano")
            session.value.int_value = rng.choice((-(2**63), 0, now - rng.randrange(3000) * _DAY_NS, 2**63 - 1))
    return _plain(kind, request)


def _ids(rng: Random, kind: str) -> Hostile:
    """Ids that are missing, of another length, or shared by different spans."""
    request, scope = _request(f"{SERVICE}-{rng.randrange(3)}")
    trace, span_id = bytes([rng.randrange(4)]) * 16, bytes([1 + rng.randrange(4)]) * 8
    for _ in range(rng.randrange(1, 20)):
        span = _span(rng, scope)
        span.trace_id = rng.choice((trace, b"", bytes(16), b"short", rng.randbytes(32)))
        span.span_id = rng.choice((span_id, b"", bytes(8), b"no", rng.randbytes(16)))
        span.parent_span_id = rng.choice((b"", span_id, b"x" * 300))
    return _plain(kind, request)


def _names(rng: Random, kind: str) -> Hostile:
    """Names that are huge, hold control characters, or mean something to whoever shows them."""
    request, scope = _request()
    texts = (
        "\x1b[2J\x1b]0;x\x07",
        "=cmd|' /C calc'!A0",
        "<script>alert(1)</script>",
        "\u202egnp.exe",
        "'; drop table x",
        "\0",
    )
    for _ in range(rng.randrange(1, 8)):
        text = rng.choice(texts) * rng.choice((1, 1, 50, 20_000 if rng.random() < 0.05 else 2))
        span = _span(rng, scope, name=text)
        for key in rng.sample(("gen_ai.tool.name", "mcpobs.client.name", "error.type", "enduser.id", text[:300]), 3):
            span.attributes.add(key=key).value.string_value = text
        session = rng.choice(("mcpobs.session.id", "mcp.session.id", "gen_ai.conversation.id"))
        span.attributes.add(key=session).value.string_value = text
    return _plain(kind, request)


def _nesting(rng: Random, kind: str) -> Hostile:
    """Values in values, to both sides of what is allowed."""
    depth = rng.choice((10, 30, 49, 200, 5_000))
    if rng.random() < 0.5:
        value = b'{"arrayValue":{"values":[' * depth + b'{"intValue":"1"}' + b"]}}" * depth
        span = b'{"traceId":"%s","spanId":"%s","startTimeUnixNano":"%d","attributes":[{"key":"k","value":%s}]}' % (
            rng.randbytes(16).hex().encode(),
            rng.randbytes(8).hex().encode(),
            time.time_ns(),
            value,
        )
        return Hostile(kind, b'{"resourceSpans":[{"scopeSpans":[{"spans":[%s]}]}]}' % span, {"Content-Type": _JSON})
    value = b"\x18\x01"
    for _ in range(depth):
        value = wire.length_delimited(5, wire.length_delimited(1, value))
    attribute = wire.length_delimited(1, b"k") + wire.length_delimited(2, value)
    span = b"\x0a\x10" + rng.randbytes(16) + b"\x12\x08" + rng.randbytes(8) + wire.length_delimited(9, attribute)
    return Hostile(kind, wire.length_delimited(1, wire.length_delimited(2, wire.length_delimited(2, span))))


def _fuzzed(rng: Random, kind: str) -> Hostile:
    """Random messages, a quarter of them broken."""
    return Hostile(kind, wire.request(rng))


def _large(rng: Random, kind: str) -> Hostile:
    """Large values, many attributes, many spans: honest in form, near the limits."""
    request, scope = _request()
    match rng.randrange(3):
        case 0:
            _span(rng, scope).attributes.add(key="pad").value.string_value = "v" * rng.choice((1 << 20, 8 << 20))
        case 1:
            span = _span(rng, scope)
            for n in range(50_000):
                span.attributes.add(key=f"k{n}").value.int_value = n
        case _:
            for _ in range(20_000):
                _span(rng, scope)
    return _zipped(kind, request.SerializeToString())


_SCOPES = (
    *("fastmcp", "logfire.mcp", "mcp-python-sdk", "mcp-gateway", "agentgateway", "mcpobs", "sentry.python", ""),
    *("opentelemetry.instrumentation.mcp.instrumentation", "openinference.instrumentation.mcp"),
)
_NAMES_OF_SPANS = (
    "MCP server handle request",
    "MCP request: tools/call x",
    "tool.invoke",
    "tools/call x",
    "mcp.server",
)
_READ = (
    *("request", "response", "success", "http.status", "mcp.method.name", "mcp.request.id", "mcp.transport"),
    *("mcp.tool.name", "mcp.tool.result.is_error", "mcp.prompt.name", "mcp.resource.uri", "mcp.protocol_version"),
    *("traceloop.entity.name", "traceloop.entity.output", "traceloop.workflow.name", "fastmcp.server.name"),
    *("sentry.op", "rpc.method", "tool.name", "prompt.id", "resource.uri", "user.email", "jwt.sub", "error.type"),
    *("mcpobs.result.items", "mcpobs.cost.microusd", "mcpobs.sequence", "gen_ai.conversation.id", "enduser.id"),
)
_TEXTS = (
    *("[Scrubbed due to 'password']", '{"method":"tools/ca', "{", "[]", "{}", "null", '"', "NaN", "1e400", "-1"),
    *("9" * 400, "\0", '{"method":{"a":[1]},"params":[]}', '{"params":{"name":5}}', "\ufffd" * 3, "x" * 100_000),
)


def _dialects(rng: Random, kind: str) -> Hostile:
    """Attributes that dialects read, with half a text or a value of another type, in one request with honest forms."""
    request, scope = _request()
    for _ in range(rng.randrange(1, 6)):
        scope.scope.name = rng.choice(_SCOPES)
        for _ in range(rng.randrange(1, 10)):
            span = _span(rng, scope, name=rng.choice(_NAMES_OF_SPANS))
            for key in rng.sample(_READ, rng.randrange(1, 9)):
                value = span.attributes.add(key=key).value
                match rng.randrange(6):
                    case 0:
                        value.int_value = rng.choice((0, -1, 2**63 - 1, -(2**63)))
                    case 1:
                        value.double_value = rng.choice((float("nan"), float("inf"), 1e308, -0.0, 0.5))
                    case 2:
                        value.bool_value = rng.random() < 0.5
                    case 3:
                        value.array_value.values.add().string_value = rng.choice(_TEXTS)
                    case _:
                        value.string_value = rng.choice(_TEXTS)
        scope = request.resource_spans[0].scope_spans.add()
    return _plain(kind, request)


def _near_the_limit(rng: Random, kind: str) -> Hostile:
    """Small on the wire, and just below the limit of what a request expands to; many of them make a batch."""
    request, scope = _request()
    request.resource_spans[0].resource.attributes.add(key="pad").value.string_value = rng.choice("xyz") * 33_000
    now = time.time_ns()
    for number in range(1_900):
        span = _span(rng, scope)
        session = span.attributes.add(key="mcpobs.session.start_unix_nano")
        session.value.int_value = now - number % 37 * _DAY_NS
        span.attributes.add(key="mcpobs.session.id").value.string_value = f"s{number % 37}"
    return _zipped(kind, request.SerializeToString())


def _wrong(rng: Random, kind: str) -> Hostile:
    """What is no OTLP: other types, other codings, bodies that end early, pages of another site."""
    return rng.choice(
        (
            Hostile(kind, b"{}", {"Content-Type": "text/plain"}),
            Hostile(kind, b"not gzip", {"Content-Type": _PROTOBUF, "Content-Encoding": "gzip"}),
            Hostile(kind, gzip.compress(b"\x0a\x00")[:-4], {"Content-Type": _PROTOBUF, "Content-Encoding": "gzip"}),
            Hostile(kind, b"", {"Content-Type": _PROTOBUF, "Content-Encoding": "br"}),
            Hostile(
                kind, json.dumps({"resourceSpans": rng.choice((1, "x", None, [1]))}).encode(), {"Content-Type": _JSON}
            ),
            Hostile(kind, b"\x0a\x00", {"Content-Type": _PROTOBUF, "Host": "rebound.example"}),
            Hostile(kind, b"\x0a\x00", {"Content-Type": _PROTOBUF, "Origin": "https://page.example"}),
        )
    )


KINDS: dict[str, tuple[float, Callable[[Random, str], Hostile]]] = {
    "fuzzed": (40, _fuzzed),
    "wrong": (12, _wrong),
    "ids": (12, _ids),
    "names": (12, _names),
    "times": (10, _times),
    "nesting": (8, _nesting),
    "large": (2, _large),
    "dialects": (8, _dialects),
    "near the limit": (1, _near_the_limit),
    "shared parts": (2, _shared_parts),
    "empty parts": (1.5, _empty_parts),
    "bomb": (0.5, _bomb),
}
"""Share of the requests, and how one is made."""
