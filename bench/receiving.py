"""What it takes to receive OTLP, without decoding or storing it: spans per CPU second of the receiving process.

    python -m bench.receiving [--requests 400] [--rounds 5]

The collector and its client are processes of their own, on the loopback; the client keeps four requests in flight.
"""

from __future__ import annotations

import argparse
import asyncio
import gzip
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import grpc

from bench.otlp_requests import SPANS, Requests
from mcpobs.collector.allocation import keep_freed_memory
from mcpobs.collector.intake import Accepted, Encoding, Signal
from mcpobs.collector.options import Options
from mcpobs.collector.serving import serve
from mcpobs.listening import Endpoint

TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
AT_A_TIME = 4
WAYS = {
    "HTTP": ("http", SPANS),
    "HTTP, gzip": ("http-gzip", SPANS),
    "gRPC": ("grpc", SPANS),
    "gRPC, gzip": ("grpc-gzip", SPANS),
    "HTTP, 1 span a request": ("http", 1),
    "gRPC, 1 span a request": ("grpc", 1),
    "HTTP again (A/A)": ("http", SPANS),
}


class Dropping:
    """An intake that acknowledges and forgets."""

    async def take(self, signal: Signal, encoding: Encoding, body: bytes) -> Accepted:
        return Accepted()

    trouble = None

    def counters(self) -> dict[str, int]:
        return {}


def send(way: str, port: int, requests: int, spans: int) -> None:
    """The client: sends so many requests, and ends when all are answered."""
    body = Requests(spans).next()
    one = _by_grpc if way.startswith("grpc") else _by_http
    packed = way.endswith("gzip")
    share = requests // AT_A_TIME
    with ThreadPoolExecutor(AT_A_TIME) as threads:
        for done in [threads.submit(one, port, body, share, packed) for _ in range(AT_A_TIME)]:
            done.result()


def _by_http(port: int, body: bytes, requests: int, packed: bool) -> None:
    headers = {"content-type": "application/x-protobuf"}
    if packed:
        body, headers["content-encoding"] = gzip.compress(body), "gzip"
    connection = HTTPConnection("127.0.0.1", port)
    for _ in range(requests):
        connection.request("POST", "/v1/traces", body, headers)
        answer = connection.getresponse()
        assert answer.status == 200
        answer.read()
    connection.close()


def _by_grpc(port: int, body: bytes, requests: int, packed: bool) -> None:
    packing = grpc.Compression.Gzip if packed else None
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[("grpc.use_local_subchannel_pool", 1)]) as channel:
        export: Any = channel.unary_unary(TRACES)
        for _ in range(requests):
            export(body, compression=packing)


@contextmanager
def collector() -> Iterator[tuple[int, int, int]]:
    """A process that receives and drops: its id and its ports."""
    command = [sys.executable, "-m", "bench.receiving", "--serve"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, cwd=Path(__file__).parents[1]) as process:
        try:
            assert process.stderr
            http, grpc_ = (int(process.stderr.readline().rpartition(":")[2]) for _ in range(2))
            yield process.pid, http, grpc_
        finally:
            process.kill()


def cpu_s(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def peak_mib(pid: int) -> float:
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM:"))


def run(requests: int, rounds: int) -> str:
    per_cpu: dict[str, list[float]] = {name: [] for name in WAYS}
    per_request_us: dict[str, list[float]] = {name: [] for name in WAYS}
    with collector() as (pid, http, grpc_):
        for round_ in range(rounds + 1):
            for name, (way, spans) in WAYS.items():
                # Of small requests more, for a tick of the CPU clock is 10 ms.
                count = requests if spans > 1 else requests * 4
                port = grpc_ if way.startswith("grpc") else http
                client = [sys.executable, "-m", "bench.receiving", "--send", way, str(port), str(count), str(spans)]
                cpu, wall = cpu_s(pid), time.perf_counter()
                subprocess.run(client, check=True, cwd=Path(__file__).parents[1])
                cpu, wall = cpu_s(pid) - cpu, time.perf_counter() - wall
                if round_:  # the first is for the caches
                    per_cpu[name].append(count * spans / cpu)
                    per_request_us[name].append(cpu / count * 1e6)
        peak = peak_mib(pid)
    body = Requests().next()
    lines = [
        f"{SPANS} spans of 25 attributes a request, {len(body):,} bytes ({len(gzip.compress(body)):,} packed). "
        f"Median of {rounds} interleaved rounds. The collector's memory was {peak:.0f} MiB at its most.",
        "",
        "| received and dropped | spans per CPU second | CPU µs a request |",
        "|---|---|---|",
    ]
    for name in WAYS:
        lines.append(
            f"| {name} | {statistics.median(per_cpu[name]):,.0f} | {statistics.median(per_request_us[name]):,.0f} |"
        )
    return "\n".join(lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=400)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--send", nargs=4, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.serve:
        keep_freed_memory()
        anywhere = Endpoint("127.0.0.1", 0)
        asyncio.run(serve(Options(http=anywhere, grpc=anywhere), Dropping()))
    elif given.send:
        way, *numbers = given.send
        send(way, *(int(number) for number in numbers))
    else:
        print(run(given.requests, given.rounds))


if __name__ == "__main__":
    main()
