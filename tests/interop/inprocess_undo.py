"""Instruments this process, serves a call, undoes it, and serves another; says in JSON what was seen and what is left.

Runs in an environment of each Python SDK, so it takes what is there: `inprocess_undo.py LAKE`.
"""

import json
import sys
from importlib import import_module

import anyio
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import mcpobs

sys.argv, lake = [sys.argv[0], "stdio"], sys.argv[1]
exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)

OWNERS = (
    ("mcp.server.lowlevel.server", "Server"),
    ("mcp.server._otel", "OpenTelemetryMiddleware"),
    ("mcp.server.session", "ServerSession"),
    ("mcp.server._streamable_http_modern", None),
    ("mcp.server.streamable_http", "StreamableHTTPServerTransport"),
    ("mcp.server.sse", "SseServerTransport"),
    ("fastmcp.server.telemetry", None),
)


def state():
    found = {}
    for name, member in OWNERS:
        try:
            module = import_module(name)
        except ImportError:
            continue
        owner = module if member is None else getattr(module, member)
        found[name] = {key: id(value) for key, value in vars(owner).items() if not key.startswith("__pyd")}
    return found


async def call(server):
    exporter.clear()
    async with client_of(server) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
    spans = [span for span in exporter.get_finished_spans() if span.kind is trace.SpanKind.SERVER]
    return sorted(span.instrumentation_scope.name for span in spans if (span.attributes or {}).get("gen_ai.tool.name"))


def client_of(server):
    try:
        from fastmcp import Client
    except ImportError:
        try:
            from mcp import Client
        except ImportError:
            from mcp.shared.memory import create_connected_server_and_client_session

            return create_connected_server_and_client_session(server._mcp_server)
    return Client(server)


async def main():
    from inprocess_server import server

    low = getattr(server, "_lowlevel_server", None) or server._mcp_server
    native = list(getattr(low, "middleware", ()))
    before = state()
    bare = await call(server)
    mcpobs.instrument(lake=lake)
    changed = state() != before
    during = await call(server)
    mcpobs.uninstrument()
    restored = state() == before and list(getattr(low, "middleware", ())) == native
    after = await call(server)
    result = {"bare": bare, "changed": changed, "during": during, "restored": restored, "after": after}
    print(json.dumps(result))


anyio.run(main)
