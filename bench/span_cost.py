"""What a recorded span costs its caller: row and spool, the same with OTLP export, and an OTel SDK span beside it.

    python -m bench.span_cost [--blocks 9] [--spans 400]

µs a span: CPU time of the calling thread, and wall-clock time. Median of interleaved blocks. What the exporting
threads do afterwards is waited for, so that it falls into nobody's block.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from mcpobs import semconv
from mcpobs.gate.recorder import Recorder
from mcpobs.gate.row import Origin, Row, Rows
from mcpobs.keys import open_folder
from mcpobs.protocol.operation import Operation, Peer, Stamp, ValueFacts
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.telemetry.export import exporter_from_environment
from mcpobs.telemetry.spool import Spool

ATTRIBUTES = 18
EXPORTED_S = 1.4  # until the metrics' thread (1 s after the first row) and the spans' have done a block
COLLECTOR = """
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
class Taker(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers["Content-Length"]))
        self.send_response(200)
        self.send_header("Content-Length", "0")
        self.end_headers()
    def log_message(self, *_): pass
server = ThreadingHTTPServer(("127.0.0.1", 0), Taker)
print(server.server_port, flush=True)
server.serve_forever()
"""


@dataclass
class Way:
    """One way to record a span, with what it cost in each block."""

    name: str
    record: Callable[[], object]
    settle_s: float = 0.02
    cpu_us: list[float] = field(default_factory=list)
    wall_us: list[float] = field(default_factory=list)

    def block(self, spans: int) -> None:
        record = self.record
        wall, cpu = time.perf_counter_ns(), time.thread_time_ns()
        for _ in range(spans):
            record()
        self.cpu_us.append((time.thread_time_ns() - cpu) / spans / 1000)
        self.wall_us.append((time.perf_counter_ns() - wall) / spans / 1000)


def operation() -> Operation:
    """A finished tool call as the wrapper sees many."""
    return Operation(
        sequence=7,
        sender="client",
        method="tools/call",
        start=Stamp(time.time_ns(), time.monotonic_ns()),
        request_id="7",
        tool="search_issues",
        protocol_version="2025-11-25",
        client=Peer("client", "1.2.3"),
        server=Peer("server", "4.5.6"),
        arguments=ValueFacts("0123456789abcdef", '{"limit":"integer","query":"string"}', 42),
        arguments_features='{"depth":1,"keys":2,"longest":21}',
        outcome="ok",
        duration_ns=12_345_678,
        result=ValueFacts("fedcba9876543210", '["text"]', 321),
        result_items=3,
        result_empty=False,
    )


@contextmanager
def collector() -> Iterator[int]:
    """The port of a process that takes every OTLP request and keeps none."""
    process = subprocess.Popen([sys.executable, "-c", COLLECTOR], stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        yield int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()


def sdk_span() -> Callable[[], object]:
    """A span of the SDK with ATTRIBUTES attributes, ended into a BatchSpanProcessor that exports nowhere."""
    from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
    from opentelemetry.trace import SpanKind

    from mcpobs.telemetry.spans import attributes

    class Nowhere(SpanExporter):
        def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
            return SpanExportResult.SUCCESS

    provider = TracerProvider(shutdown_on_exit=False)
    provider.add_span_processor(BatchSpanProcessor(Nowhere()))
    tracer = provider.get_tracer(semconv.SCOPE_NAME)
    rows: list[Row] = []

    class Kept:
        def export(self, row: Row) -> None:
            rows.append(row)

    session = StdioSessions("0123456789abcdef", time.time_ns()).process_session
    Recorder(Rows(recorder()), None, Kept()).record(operation(), session)
    chosen = dict(list(attributes(rows[0]).items())[:ATTRIBUTES])
    assert len(chosen) == ATTRIBUTES

    def record() -> None:
        tracer.start_span("tools/call search_issues", kind=SpanKind.SERVER, attributes=chosen).end()

    return record


def recorder() -> Recorder:
    return Origin("bench", "0123456789abcdef", "stdio", semconv.TRANSPORT_PIPE, "proxy/stdio")


def ways(lake: Path, port: int) -> tuple[list[Way], Callable[[], None]]:
    open_folder(lake)
    session = StdioSessions("0123456789abcdef", time.time_ns()).process_session
    spool = Spool(lake, lambda count, reason: Rows(recorder()).loss(session, count, reason))
    os.environ["OTEL_EXPORTER_OTLP_ENDPOINT"] = f"http://127.0.0.1:{port}"
    os.environ["OTEL_BSP_SCHEDULE_DELAY"] = "200"  # after the block, not in it
    exporter = exporter_from_environment(
        os.environ, service_name="bench", instance_id="0123456789abcdef", warn=lambda text: print(text, file=sys.stderr)
    )
    assert exporter is not None
    rows = Rows(recorder())
    plain, exporting = Recorder(rows, spool), Recorder(rows, spool, exporter)
    one = operation()
    row = {"kind": "internal", "trace_id": "0" * 31 + "1", "span_id": "0" * 15 + "1", "name": "x", "start_unix_nano": 1}
    found = [
        Way("row + spool", lambda: plain.record(one, session)),
        Way("row + spool + OTLP export", lambda: exporting.record(one, session), EXPORTED_S),
        Way("OTLP export alone (enqueue)", lambda: exporter.export(row), EXPORTED_S),
        Way(f"OTel SDK span, {ATTRIBUTES} attributes, batch processor", sdk_span()),
        Way("row + spool again (A/A)", lambda: plain.record(one, session)),
    ]
    return found, lambda: (exporter.close(), spool.close())[0]


def table(measured: Sequence[Way], blocks: int, spans: int) -> str:
    base = statistics.median(measured[0].cpu_us)
    lines = [
        f"| {blocks} blocks of {spans} spans each, interleaved | CPU µs/span | wall µs/span | CPU ratio |",
        "|---|---|---|---|",
    ]
    for way in measured:
        cpu, wall = statistics.median(way.cpu_us), statistics.median(way.wall_us)
        lines.append(f"| {way.name} | {cpu:.1f} | {wall:.1f} | {cpu / base:.2f} |")
    return "\n".join(lines)


def main(argv: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--blocks", type=int, default=9)
    parser.add_argument("--spans", type=int, default=400)
    options = parser.parse_args(argv)
    with tempfile.TemporaryDirectory() as folder, collector() as port:
        measured, close = ways(Path(folder) / "lake", port)
        time.sleep(1)  # the exporter's imports
        for way in measured:
            way.record()  # each opens what it opens at first
        for _ in range(options.blocks):
            for way in measured:
                way.block(options.spans)
                time.sleep(way.settle_s)
        close()
    print(table(measured, options.blocks, options.spans))


if __name__ == "__main__":
    main()
