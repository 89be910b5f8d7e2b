"""What the in-process front adds to a call, beside the SDK's native span and FastMCP's.

    python -m bench.inprocess [--blocks 20] [--calls 100]

One process, an empty `add(a, b)`, in memory; paired interleaved blocks, the figures are medians of the ratios to the
uninstrumented block of the same round. The user's provider exports to nowhere, in batches, and is flushed within the
block. FastMCP's rows need fastmcp installed and are left out where it is not.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import anyio
from mcp import Client
from mcp.server import MCPServer
from opentelemetry import trace
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult

import mcpobs
from mcpobs.instrument import mcp_v2

Call = Callable[[], Awaitable[Any]]
BASE = "uninstrumented"


class Nowhere(SpanExporter):
    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        return SpanExportResult.SUCCESS


@dataclass
class Way:
    """One way to serve a call, with what it took in each block."""

    name: str
    call: Call
    quiet: bool = False  # without a span of FastMCP's own
    cpu_us: list[float] = field(default_factory=list)
    wall_us: list[float] = field(default_factory=list)

    async def block(self, calls: int, provider: TracerProvider) -> None:
        call = self.call
        wall, cpu = time.perf_counter_ns(), time.process_time_ns()
        for _ in range(calls):
            await call()
        provider.force_flush()
        self.cpu_us.append((time.process_time_ns() - cpu) / calls / 1000)
        self.wall_us.append((time.perf_counter_ns() - wall) / calls / 1000)


def sdk_server(native: bool) -> MCPServer:
    server = MCPServer("bench", log_level="CRITICAL")

    @server.tool()
    async def add(a: int, b: int) -> int:
        return a + b

    if not native:
        server._lowlevel_server.middleware[:] = [
            one for one in server._lowlevel_server.middleware if type(one).__name__ != "OpenTelemetryMiddleware"
        ]
    return server


def fastmcp_server() -> Any:
    from fastmcp import FastMCP

    server = FastMCP("bench")

    @server.tool
    async def add(a: int, b: int) -> int:
        return a + b

    return server


def unwatched(server: Any) -> Any:
    mcp_v2.unwatch(getattr(server, "_lowlevel_server", None) or server._mcp_server)
    return server


async def sdk_ways(stack: AsyncExitStack, mode: str) -> list[Way]:
    async def way(name: str, server: MCPServer) -> Way:
        client = await stack.enter_async_context(Client(server, mode=mode))
        return Way(name, lambda: client.call_tool("add", {"a": 1, "b": 2}))

    return [
        await way(BASE, unwatched(sdk_server(native=False))),
        await way("uninstrumented again (A/A)", unwatched(sdk_server(native=False))),
        await way("native span + SDK", unwatched(sdk_server(native=True))),
        await way("ours: span, row in the spool", sdk_server(native=True)),
    ]


async def fastmcp_ways(stack: AsyncExitStack) -> list[Way]:
    try:
        import fastmcp
    except ImportError:
        return []

    async def way(name: str, server: Any, quiet: bool = False) -> Way:
        client = await stack.enter_async_context(fastmcp.Client(server))
        return Way(name, lambda: client.call_tool("add", {"a": 1, "b": 2}), quiet=quiet)

    return [
        await way(BASE, unwatched(fastmcp_server()), quiet=True),
        await way("uninstrumented again (A/A)", unwatched(fastmcp_server()), quiet=True),
        await way("FastMCP's native spans + SDK", unwatched(fastmcp_server())),
        await way("ours on FastMCP: span, row in the spool", fastmcp_server()),
    ]


async def measure(ways: list[Way], blocks: int, calls: int, provider: TracerProvider) -> None:
    for turn in range(blocks + 1):  # the first warms up
        shift = turn % len(ways)
        for way in ways[shift:] + ways[:shift]:
            if way.quiet:
                import fastmcp

                fastmcp.settings.telemetry_mode = "off"
            await way.block(calls, provider)
            if way.quiet:
                fastmcp.settings.telemetry_mode = "native"
    for way in ways:
        del way.cpu_us[0], way.wall_us[0]


def table(title: str, ways: list[Way], blocks: int, calls: int) -> str:
    base, native = ways[0], ways[2]
    lines = [
        f"| {title}; {blocks} blocks of {calls} calls each | CPU µs/call | CPU ratio | wall ratio | of native's CPU |",
        "|---|---|---|---|---|",
    ]
    for way in ways:
        cells = [
            f"{statistics.median(way.cpu_us):.0f}",
            f"{_ratio(way.cpu_us, base.cpu_us):.2f}",
            f"{_ratio(way.wall_us, base.wall_us):.2f}",
            f"{_ratio(way.cpu_us, native.cpu_us):.2f}",
        ]
        lines.append(f"| {way.name} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _ratio(these: list[float], those: list[float]) -> float:
    return statistics.median(one / other for one, other in zip(these, those, strict=True))


async def run(blocks: int, calls: int, lake: Path) -> list[str]:
    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    trace.set_tracer_provider(provider)
    mcpobs.instrument(lake=lake)
    tables = []
    for title, mode in (("mcp, modern, in memory", "auto"), ("mcp, legacy, over streams", "legacy")):
        async with AsyncExitStack() as stack:
            ways = await sdk_ways(stack, mode)
            await measure(ways, blocks, calls, provider)
            tables.append(table(title, ways, blocks, calls))
    async with AsyncExitStack() as stack:
        ways = await fastmcp_ways(stack)
        if ways:
            await measure(ways, blocks, calls, provider)
            tables.append(table("FastMCP, in memory", ways, blocks, calls))
    mcpobs.uninstrument()
    return tables


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--blocks", type=int, default=20)
    parser.add_argument("--calls", type=int, default=100)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:  # its committer may still be at work
        print("\n\n".join(anyio.run(run, options.blocks, options.calls, Path(folder) / "lake")))


if __name__ == "__main__":
    main()
