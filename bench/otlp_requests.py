"""OTLP trace requests as a fleet of MCP servers sends them: 25 attributes a span, about 1 KB, new ids in each.

One request is encoded by protobuf; the others are copies in which ids and times are overwritten where they lie, so
a client can make them faster than any server takes them.
"""

from __future__ import annotations

import os
import random
import struct
import time

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

SPANS = 512
SERVERS = 4
_TOOLS = [f"{verb}_{noun}" for verb in ("get", "list", "search", "create") for noun in ("issue", "file", "commit")]
_TRACE, _SPAN, _START, _END = b"TTTTTTTTTTTTTTTT", b"SSSSSSSS", 0x5354415254535441, 0x454E44454E44454E


def _attributes(rng: random.Random, n: int) -> dict[str, str | int | bool | float]:
    tool = rng.choice(_TOOLS)
    return {
        # known to the conventions
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": tool,
        "gen_ai.operation.name": "execute_tool",
        "jsonrpc.request.id": str(n),
        "mcp.protocol.version": "2025-11-25",
        "mcp.session.id": f"{rng.getrandbits(128):032x}",
        "network.transport": "tcp",
        "network.protocol.name": "http",
        "http.response.status_code": 200,
        "user_agent.original": "claude-code/2.1.3 (external, cli)",
        "enduser.id": f"user-{rng.randrange(500)}",
        "gen_ai.agent.name": "billing-agent",
        # and whatever else the operator's services say
        "server.address": "mcp.internal.example",
        "server.port": 8443,
        "client.address": f"10.0.{rng.randrange(256)}.{rng.randrange(256)}",
        "thread.id": rng.randrange(1 << 20),
        "thread.name": "asyncio-worker",
        "code.function.name": f"handlers.{tool}",
        "db.system.name": "postgresql",
        "db.rows": rng.randrange(1000),
        "cache.hit": rng.random() < 0.5,
        "retry.count": 0,
        "app.region": "eu-central-1",
        "app.build": f"{rng.getrandbits(64):016x}",
        "app.score": rng.random(),
    }


def template(spans: int = SPANS, seed: int = 1) -> ExportTraceServiceRequest:
    """One request of so many spans, spread over the resources of a few servers."""
    rng = random.Random(seed)
    request = ExportTraceServiceRequest()
    for server in range(SERVERS):
        group = request.resource_spans.add()
        resource = {"service.name": f"mcp-server-{server}", "service.instance.id": f"{rng.getrandbits(64):016x}"}
        for key, value in {**resource, "service.version": "1.4.0", "host.name": f"node-{server}"}.items():
            group.resource.attributes.add(key=key).value.string_value = value
        scope = group.scope_spans.add()
        scope.scope.name, scope.scope.version = "app.mcp", "1.4.0"
        for n in range(server, spans, SERVERS):
            attributes = _attributes(rng, n)
            span = scope.spans.add(
                trace_id=_TRACE,
                span_id=_SPAN,
                parent_span_id=rng.randbytes(8),
                name=f"tools/call {attributes['gen_ai.tool.name']}",
                kind=2,
                start_time_unix_nano=_START,
                end_time_unix_nano=_END,
                flags=0x101,
            )
            for key, value in attributes.items():
                place = span.attributes.add(key=key).value
                match value:
                    case bool():
                        place.bool_value = value
                    case int():
                        place.int_value = value
                    case float():
                        place.double_value = value
                    case _:
                        place.string_value = value
    return request


class Requests:
    """Gives encoded requests, each with ids and times of its own. Deterministic in all but ids and times."""

    def __init__(self, spans: int = SPANS) -> None:
        self._text = bytearray(template(spans).SerializeToString())
        self._places = {mark: _places(self._text, mark) for mark in (_TRACE, _SPAN, _le(_START), _le(_END))}
        self.spans = spans

    def __len__(self) -> int:
        return len(self._text)

    def next(self) -> bytes:
        text, now = self._text, time.time_ns()
        ids = memoryview(os.urandom(24 * self.spans))
        for n, at in enumerate(self._places[_TRACE]):
            text[at : at + 16] = ids[24 * n : 24 * n + 16]
        for n, at in enumerate(self._places[_SPAN]):
            text[at : at + 8] = ids[24 * n + 16 : 24 * n + 24]
        for n, at in enumerate(self._places[_le(_START)]):
            struct.pack_into("<Q", text, at, now + n * 1000)
        for n, at in enumerate(self._places[_le(_END)]):
            struct.pack_into("<Q", text, at, now + n * 1000 + 1_000_000 + 977 * (n * 7919 % 5000))
        return bytes(text)


def _le(number: int) -> bytes:
    return struct.pack("<Q", number)


def _places(text: bytearray, mark: bytes) -> list[int]:
    found, at = [], text.find(mark)
    while at >= 0:
        found.append(at)
        at = text.find(mark, at + len(mark))
    return found
