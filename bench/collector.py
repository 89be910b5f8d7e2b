"""OTLP to queryable Parquet: spans a second for each CPU second of all of `mcpobs collect`, its committer included.

A client process sends requests of 512 spans with 25 attributes each. The clock of the CPU stops when every span is in
the Delta table. Beside it, in the same run: protobuf's own parser in a loop that keeps nothing, and, where
there is one, an OpenTelemetry Collector that writes nothing.

    python -m bench.collector [--spans 500000] [--rounds 5] [--otelcol PATH] [--long 10000000]
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

from bench.otlp_requests import SPANS, ExportTraceServiceRequest, Requests

CONNECTIONS = 4
TICKS = os.sysconf("SC_CLK_TCK")
_OTELCOL = """
receivers: {otlp: {protocols: {http: {endpoint: 127.0.0.1:%d}, grpc: {endpoint: 127.0.0.1:%d}}}}
exporters: {nop: {}}
service: {telemetry: {metrics: {level: none}}, pipelines: {traces: {receivers: [otlp], exporters: [nop]}}}
"""


@dataclass
class Way:
    """One way to take spans in, with what was measured of it over the rounds."""

    name: str
    rates: list[float] = field(default_factory=list)  # spans a CPU second
    walls: list[float] = field(default_factory=list)  # spans a second
    peak_mib: list[float] = field(default_factory=list)


# -- the client: a process of its own -----------------------------------------------------------------------


def send(protocol: str, port: int, requests: int) -> None:
    """Sends so many requests over a few connections, each until it is acknowledged."""
    made = [Requests() for _ in range(CONNECTIONS)]
    share = [requests // CONNECTIONS + (n < requests % CONNECTIONS) for n in range(CONNECTIONS)]
    one = _send_http if protocol == "http" else _send_grpc
    with ThreadPoolExecutor(CONNECTIONS) as pool:
        list(pool.map(lambda n: one(port, made[n], share[n]), range(CONNECTIONS)))


def _send_http(port: int, made: Requests, count: int) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(count):
        body = made.next()
        while True:
            connection.request("POST", "/v1/traces", body, {"Content-Type": "application/x-protobuf"})
            answer = connection.getresponse()
            answer.read()
            if answer.status == 200:
                break
            time.sleep(float(answer.headers.get("Retry-After", 1)))


def _send_grpc(port: int, made: Requests, count: int) -> None:
    import grpc

    options = [("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel(f"127.0.0.1:{port}", options) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        for _ in range(count):
            body = made.next()
            while True:
                try:
                    export(body, wait_for_ready=True)
                    break
                except grpc.RpcError as error:
                    if error.code() not in (grpc.StatusCode.RESOURCE_EXHAUSTED, grpc.StatusCode.UNAVAILABLE):
                        raise
                    time.sleep(1)


# -- the servers --------------------------------------------------------------------------------------------


class Server:
    """A started receiver on free ports."""

    def __init__(self, command: list[str], http: int, grpc: int) -> None:
        self.http, self.grpc = http, grpc
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self._cpu_s = 0.0

    def family(self) -> list[int]:
        pid = self.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return [pid, *map(int, children)]

    def cpu_s(self) -> float:
        return sum(_cpu_s(pid) for pid in self.family())

    def peak_mib(self) -> float:
        return sum(_status_mib(pid, "VmHWM") for pid in self.family())

    def resident_mib(self) -> float:
        return sum(_status_mib(pid, "VmRSS") for pid in self.family())

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait(timeout=60)


def mcpobs(lake: str) -> Server:
    http, grpc = _free_ports()
    command = [sys.executable, "-m", "mcpobs", "collect", "--lake", lake]
    server = Server([*command, "--http", f"127.0.0.1:{http}", "--grpc", f"127.0.0.1:{grpc}"], http, grpc)
    _until(lambda: counters(http) is not None)
    return server


def otelcol(binary: str, folder: str) -> Server:
    http, grpc = _free_ports()
    config = Path(folder) / "otelcol.yaml"
    config.write_text(_OTELCOL % (http, grpc))
    server = Server([binary, "--config", str(config)], http, grpc)
    _until(lambda: _answers(http))
    return server


def counters(port: int) -> dict[str, int] | None:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/healthz")
        return dict(json.loads(connection.getresponse().read())["counters"])
    except OSError:
        return None


# -- measuring ----------------------------------------------------------------------------------------------


def measure(way: Way, server: Server, protocol: str, requests: int, stored: bool) -> None:
    port = server.http if protocol == "http" else server.grpc
    before = (counters(server.http) or {}).get("lake.spans", 0) if stored else 0
    cpu, wall = server.cpu_s(), time.perf_counter()
    client = [sys.executable, "-m", "bench.collector", "--send", protocol, str(port), str(requests)]
    subprocess.run(client, check=True)
    spans = requests * SPANS
    if stored:
        _until(lambda: (counters(server.http) or {}).get("lake.spans", 0) - before >= spans)
    way.walls.append(spans / (time.perf_counter() - wall))
    way.rates.append(spans / (server.cpu_s() - cpu))
    way.peak_mib.append(server.peak_mib())


def parse_alone(way: Way, requests: int) -> None:
    """protobuf's parser and a loop over all attributes that keeps nothing."""
    made = Requests()
    bodies = [made.next() for _ in range(min(requests, 50))]
    cpu = time.process_time()
    for body in bodies:
        for group in ExportTraceServiceRequest.FromString(body).resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    for attribute in span.attributes:
                        value = attribute.value
                        getattr(value, value.WhichOneof("value") or "string_value")
    way.rates.append(len(bodies) * SPANS / (time.process_time() - cpu))


def run(spans: int, rounds: int, otelcol_binary: str | None) -> str:
    requests = max(1, spans // SPANS)
    ways = [Way("mcpobs collect, HTTP"), Way("mcpobs collect, gRPC"), Way("protobuf's parser in a loop, nothing kept")]
    if otelcol_binary:
        ways += [Way("OpenTelemetry Collector to nop, HTTP"), Way("OpenTelemetry Collector to nop, gRPC")]
    with tempfile.TemporaryDirectory() as folder:
        for number in range(rounds):
            server = mcpobs(f"{folder}/lake-{number}")
            measure(ways[0], server, "http", requests, stored=True)
            measure(ways[1], server, "grpc", requests, stored=True)
            server.stop()
            parse_alone(ways[2], requests)
            if otelcol_binary:
                server = otelcol(otelcol_binary, folder)
                measure(ways[3], server, "http", requests, stored=False)
                measure(ways[4], server, "grpc", requests, stored=False)
                server.stop()
    lines = [
        f"Median of {rounds} interleaved rounds of {requests * SPANS:,} spans: {SPANS} a request, 25 attributes each, "
        f"{len(Requests()) / SPANS:.0f} bytes a span, {CONNECTIONS} connections.",
        "",
        "| way | spans/s a core (CPU) | min | max | spans/s (wall) | peak MiB, all processes |",
        "|---|---|---|---|---|---|",
    ]
    for way in ways:
        wall = f"{statistics.median(way.walls):,.0f}" if way.walls else ""
        peak = f"{max(way.peak_mib):.0f}" if way.peak_mib else ""
        lines.append(
            f"| {way.name} | {statistics.median(way.rates):,.0f} | {min(way.rates):,.0f} | {max(way.rates):,.0f} "
            f"| {wall} | {peak} |"
        )
    return "\n".join(lines)


def long_run(spans: int) -> str:
    """Many spans into one lake: is it flat?"""
    step = 1_000_000 // SPANS
    lines = ["| million spans in the lake | spans/s a core | resident MiB | peak MiB |", "|---|---|---|---|"]
    with tempfile.TemporaryDirectory() as folder:
        server = mcpobs(f"{folder}/lake")
        try:
            for number in range(spans // 1_000_000):
                way = Way("")
                measure(way, server, ("http", "grpc")[number % 2], step, stored=True)
                lines.append(
                    f"| {number + 1} | {way.rates[0]:,.0f} | {server.resident_mib():.0f} | {server.peak_mib():.0f} |"
                )
                print(lines[-1], file=sys.stderr, flush=True)
        finally:  # also where it did not come so far in time
            server.stop()
    return "\n".join(lines)


def _cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def _status_mib(pid: int, name: str) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition(f"{name}:")[2].split()[0]) / 1024


def _free_ports() -> tuple[int, int]:
    import socket

    with socket.socket() as one, socket.socket() as other:
        one.bind(("127.0.0.1", 0))
        other.bind(("127.0.0.1", 0))
        return one.getsockname()[1], other.getsockname()[1]


def _answers(port: int) -> bool:
    import socket

    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _until(done) -> None:
    until = time.monotonic() + 120
    while not done():
        if time.monotonic() > until:
            raise SystemExit("it did not come so far within two minutes")
        time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--spans", type=int, default=500_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--otelcol", help="an OpenTelemetry Collector's binary")
    parser.add_argument("--long", type=int, help="so many spans into one lake instead")
    parser.add_argument("--send", nargs=3, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.send:
        send(given.send[0], int(given.send[1]), int(given.send[2]))
    elif given.long:
        print(long_run(given.long))
    else:
        print(run(given.spans, given.rounds, given.otelcol))


if __name__ == "__main__":
    main()
