"""Sends hostile requests to a collector beside honest ones, and compares with the same honest traffic alone.

Honest clients keep a ledger: each of their spans must be in the lake exactly once at the end, whatever else was sent.
The hostile requests come from a process of its own, so that making them does not slow the honest clients' clock.
"""

from __future__ import annotations

import http.client
import json
import os
import signal
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from mcpobs.lake.reader import open_reading
from mcpobs.lake.writer import commit
from tests.ports import free_port
from tests.sending import by_http, request
from tests.soak.collector_kills import _by_grpc, _child
from tests.soak.hostile_requests import KINDS, SERVICE, Hostile, make

HONEST_CLIENTS = ("http", "http", "grpc")
PAUSE_S = 0.03
DEADLINE_S = 600
POOL = 400
"""Different hostile requests of a run; each is sent many times, as an attacker would."""


@dataclass(slots=True)
class Figures:
    """What happened. Sizes are peaks of resident memory; latencies are of honest requests until acknowledged."""

    hostile: Counter[str] = field(default_factory=Counter)
    answers: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    refused: int = 0
    lost: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    latencies_s: list[float] = field(default_factory=list)
    receiver_mib: float = 0
    committer_mib: float = 0
    files: int = 0
    partitions: int = 0
    seconds: float = 0
    last_commit_s: float = 0
    health: dict[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        p50, p95, p99 = (1000 * quantile(self.latencies_s, q) for q in (0.5, 0.95, 0.99))
        return (
            f"{sum(self.hostile.values())} hostile requests ({dict(self.answers)}) in {self.seconds:.0f} s; "
            f"{self.acknowledged} honest spans acknowledged, {len(self.lost)} lost, {len(self.twice)} twice, "
            f"{self.refused} honest requests refused at first; p50 {p50:.1f} p95 {p95:.1f} p99 {p99:.1f} ms; "
            f"receiver {self.receiver_mib:.0f} MiB, committer {self.committer_mib:.0f} MiB; {self.files} files in "
            f"{self.partitions} partitions; end of the collector after {self.last_commit_s:.0f} s"
        )


def quantile(values: list[float], q: float) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[round(q * 100) - 1] if len(values) > 1 else 0.0


class _Honest:
    """Sends a request every PAUSE_S, each until it is acknowledged."""

    def __init__(self, port: int, protocol: str) -> None:
        self.acknowledged: set[str] = set()
        self.latencies_s: list[float] = []
        self.refused = 0
        self._deliver = by_http if protocol == "http" else _by_grpc
        self._port = port
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.wait(PAUSE_S):
            body, ids = request()
            began = time.monotonic()
            while not self._deliver(self._port, body):
                self.refused += 1
                time.sleep(0.1)
            self.latencies_s.append(time.monotonic() - began)
            self.acknowledged |= ids


def run(lake: Path, hostile: int, seed: int, *, seconds: float = 0, redact: bool = False) -> Figures:
    """Plays `hostile` requests beside honest traffic; with none of them, honest traffic for so many seconds. `redact`
    is the collector's option."""
    figures = Figures()
    ports = {"http": free_port(), "grpc": free_port()}
    collector = _start(lake, ports, redact)
    memory = _Memory(collector.pid)
    honest = [_Honest(ports[protocol], protocol) for protocol in HONEST_CLIENTS]
    began = time.monotonic()
    try:
        if hostile:
            _attack(ports, hostile, seed, figures)
        else:
            time.sleep(seconds)
        for client in honest:
            client.stop()
        figures.seconds = time.monotonic() - began
        figures.health = _health(ports["http"])
    finally:
        for client in honest:
            client._stop.set()
        stopping = time.monotonic()
        collector.terminate()
        code = collector.wait(DEADLINE_S)
        figures.last_commit_s = time.monotonic() - stopping
        memory.stop()
    assert code == 0, f"the collector ended with {code}"
    figures.receiver_mib, figures.committer_mib = memory.receiver_mib, memory.committer_mib
    _commit_rest(lake)
    _judge(lake, honest, figures)
    return figures


def _commit_rest(lake: Path) -> None:
    """Waits for the committing process, which goes on while something waits in the log, and commits the rest."""
    until = time.monotonic() + DEADLINE_S
    while commit(lake).busy:
        assert time.monotonic() < until, "the log is not committed in time"
        time.sleep(0.5)


def _attack(ports: dict[str, int], count: int, seed: int, figures: Figures) -> None:
    command = [
        sys.executable,
        "-m",
        "tests.soak.collector_hostile",
        *map(str, (ports["http"], ports["grpc"], count, seed)),
    ]
    done = subprocess.run(command, stdout=subprocess.PIPE, check=True, text=True, timeout=6 * DEADLINE_S)
    sent = json.loads(done.stdout)
    figures.hostile.update(sent["kinds"])
    figures.answers.update(sent["answers"])


def _judge(lake: Path, honest: list[_Honest], figures: Figures) -> None:
    acknowledged = set().union(*(client.acknowledged for client in honest))
    with open_reading(lake) as reading:
        rows = reading.connection.execute(
            # redaction leaves the method of the name
            "select span_id from spans "
            f"where starts_with(name, 'tools/call') and service_name is distinct from '{SERVICE}'"
        ).fetchall()
        figures.files = len(reading.files)
        figures.partitions = len({file.parent for file in reading.files})
    found = Counter(row[0] for row in rows)
    figures.acknowledged = len(acknowledged)
    figures.refused = sum(client.refused for client in honest)
    figures.latencies_s = [latency for client in honest for latency in client.latencies_s]
    figures.lost = acknowledged - set(found)
    figures.twice = {span for span in acknowledged if found[span] > 1}


class _Memory:
    """Peaks of resident memory of a collector and its committing processes, which may be several in turn."""

    def __init__(self, pid: int) -> None:
        self.receiver_mib = self.committer_mib = 0.0
        self._pid = pid
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.2):
            self.receiver_mib = max(self.receiver_mib, _peak_mib(self._pid))
            child = _child(self._pid)
            if child is not None:
                self.committer_mib = max(self.committer_mib, _peak_mib(child))


def _peak_mib(pid: int) -> float:
    with suppress(OSError):
        for line in Path(f"/proc/{pid}/status").read_text().splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) / 1024
    return 0.0


def _start(lake: Path, ports: dict[str, int], redact: bool) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "mcpobs", "collect", "--lake", str(lake), *(["--redact"] if redact else [])]
    command += ["--http", f"127.0.0.1:{ports['http']}", "--grpc", f"127.0.0.1:{ports['grpc']}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    until = time.monotonic() + 60
    while not by_http(ports["http"], b""):
        assert process.poll() is None, f"the collector ended with {process.returncode}"
        assert time.monotonic() < until, "the collector answers nothing"
        time.sleep(0.05)
    return process


def _health(port: int) -> dict[str, object]:
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=60) as answer:
        found: dict[str, object] = json.load(answer)
    return found


def _send(rng: Random, ports: dict[str, int], sent: Hostile) -> str:
    """Sends a request; returns how it was answered."""
    if sent.is_grpc and rng.random() < 0.3:
        return "grpc ok" if _by_grpc(ports["grpc"], sent.body) else "grpc refused"
    connection = http.client.HTTPConnection("127.0.0.1", ports["http"], timeout=60)
    try:
        body = sent.body
        if rng.random() < 0.02:  # a client that goes away in the middle
            connection.putrequest("POST", "/v1/traces")
            connection.putheader("Content-Length", str(len(body) + 1))
            connection.endheaders(body)
            return "left"
        connection.request("POST", "/v1/traces", body, sent.headers)
        return f"http {connection.getresponse().status}"
    except (OSError, http.client.HTTPException) as error:
        return type(error).__name__
    finally:
        connection.close()


def main(arguments: list[str]) -> None:
    http_port, grpc_port, count, seed = map(int, arguments)
    ports = {"http": http_port, "grpc": grpc_port}
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    os.nice(5)
    rng = Random(seed)
    pool = [make(rng) for _ in range(POOL)]
    pool += [KINDS[kind][1](rng, kind) for kind in KINDS]  # each kind at least once
    plan = iter([*pool[-len(KINDS) :], *(rng.choice(pool) for _ in range(count - len(KINDS)))])
    lock = threading.Lock()
    kinds: Counter[str] = Counter()
    answers: Counter[str] = Counter()

    def work(own: Random) -> None:
        while True:
            with lock:
                sent = next(plan, None)
            if sent is None:
                return
            answer = _send(own, ports, sent)
            with lock:
                kinds[sent.kind] += 1
                answers[answer] += 1

    threads = [threading.Thread(target=work, args=(Random(rng.random()),)) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    print(json.dumps({"kinds": kinds, "answers": answers}))


if __name__ == "__main__":
    main(sys.argv[1:])
