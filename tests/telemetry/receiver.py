"""A real OTLP receiver on the loopback, by HTTP or gRPC: it keeps what arrives, as protobuf messages."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Condition, Event, Thread
from typing import Any

import grpc
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2_grpc import (
    MetricsServiceServicer,
    add_MetricsServiceServicer_to_server,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2_grpc import (
    TraceServiceServicer,
    add_TraceServiceServicer_to_server,
)

_INFLATE = {"gzip": gzip.decompress, "deflate": zlib.decompress, None: bytes}


@dataclass
class Receiver:
    """`status` is what HTTP requests are answered; while `answering` is not set none is."""

    endpoint: str = ""
    status: int = 200
    answering: Event = field(default_factory=Event)
    answered: int = 0
    requests: list[tuple[Any, dict[str, str]]] = field(default_factory=list)
    changed: Condition = field(default_factory=Condition)

    def take(self, request: Any, headers: dict[str, str]) -> None:
        with self.changed:
            self.requests.append((request, headers))
            self.changed.notify_all()
        self.answering.wait(60)

    def wait_for(self, true: Callable[[], bool]) -> None:
        with self.changed:
            assert self.changed.wait_for(true, timeout=60)

    @property
    def headers(self) -> list[dict[str, str]]:
        return [headers for _, headers in self.requests]

    def scoped_spans(self) -> list[tuple[Any, Any, Any]]:
        """(resource, scope, span) of every span."""
        return [
            (of_resource.resource, of_scope.scope, span)
            for request, _ in list(self.requests)
            if isinstance(request, ExportTraceServiceRequest)
            for of_resource in request.resource_spans
            for of_scope in of_resource.scope_spans
            for span in of_scope.spans
        ]

    def spans(self) -> list[Any]:
        return [span for _, _, span in self.scoped_spans()]

    def points(self, metric: str) -> list[Any]:
        """The data points of a histogram in the last report."""
        reports = [request for request, _ in self.requests if isinstance(request, ExportMetricsServiceRequest)]
        return [
            point
            for of_resource in (reports[-1].resource_metrics if reports else [])
            for of_scope in of_resource.scope_metrics
            for found in of_scope.metrics
            if found.name == metric
            for point in found.histogram.data_points
        ]

    def metrics(self) -> dict[str, Any]:
        reports = [request for request, _ in self.requests if isinstance(request, ExportMetricsServiceRequest)]
        return {m.name: m for r in reports[-1].resource_metrics for s in r.scope_metrics for m in s.metrics}


def plain(attributes: Any) -> dict[str, str | int | float | bool]:
    """OTLP attributes as a dict."""
    return {pair.key: getattr(pair.value, pair.value.WhichOneof("value")) for pair in attributes}


@contextmanager
def receiving(protocol: str) -> Iterator[Receiver]:
    receiver = Receiver()
    receiver.answering.set()
    with _by_grpc(receiver) if protocol == "grpc" else _by_http(receiver):
        yield receiver
        receiver.answering.set()


@contextmanager
def _by_http(receiver: Receiver) -> Iterator[None]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = _INFLATE[self.headers.get("Content-Encoding")](self.rfile.read(int(self.headers["Content-Length"])))
            kind = {"/v1/traces": ExportTraceServiceRequest, "/v1/metrics": ExportMetricsServiceRequest}[self.path]
            receiver.take(kind.FromString(body), {key.lower(): value for key, value in self.headers.items()})
            self.send_response(receiver.status)
            self.send_header("Content-Length", "0")
            self.end_headers()
            with receiver.changed:
                receiver.answered += 1
                receiver.changed.notify_all()

        def handle(self) -> None:
            with suppress(ConnectionError):  # the exporter gave up, which some tests are about
                super().handle()

        def log_message(self, format: str, *args: object) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

    server = Server(("127.0.0.1", 0), Handler)
    receiver.endpoint = f"http://127.0.0.1:{server.server_port}"
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextmanager
def _by_grpc(receiver: Receiver) -> Iterator[None]:
    class Traces(TraceServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            receiver.take(request, dict(context.invocation_metadata()))
            return ExportTraceServiceResponse()

    class Metrics(MetricsServiceServicer):
        def Export(self, request: Any, context: Any) -> Any:
            receiver.take(request, dict(context.invocation_metadata()))
            return ExportMetricsServiceResponse()

    server = grpc.server(ThreadPoolExecutor(max_workers=4))
    add_TraceServiceServicer_to_server(Traces(), server)
    add_MetricsServiceServicer_to_server(Metrics(), server)
    receiver.endpoint = f"http://127.0.0.1:{server.add_insecure_port('127.0.0.1:0')}"
    server.start()
    try:
        yield
    finally:
        server.stop(None).wait()
