"""Kills the collector and its committing process at random moments, under load; clients send again until they are
acknowledged, and readers read meanwhile.

Each client keeps a ledger of the spans that were acknowledged. Such a span must be in the lake exactly once at the end,
and no reading may ever see one twice.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from mcpobs.lake.reader import open_reading
from mcpobs.lake.writer import commit
from tests.ports import free_port
from tests.sending import by_http, request

CLIENTS = 4
DEADLINE_S = 60


@dataclass(slots=True)
class Figures:
    """What happened. `lost` and `twice` name spans, `broken` readings that failed."""

    rounds: int = 0
    kills: Counter[str] = field(default_factory=Counter)
    acknowledged: int = 0
    resent: int = 0
    rows: int = 0
    readings: int = 0
    lost: set[str] = field(default_factory=set)
    twice: set[str] = field(default_factory=set)
    broken: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kills = ", ".join(f"{count} {name}" for name, count in sorted(self.kills.items()))
        return (
            f"{self.rounds} rounds (killed: {kills}); {self.acknowledged} spans acknowledged, {self.resent} requests "
            f"sent again, {self.rows} rows; {self.readings} readings; "
            f"{len(self.lost)} lost, {len(self.twice)} twice, {len(self.broken)} broken"
        )


class Client:
    """Sends requests one after the other until it is stopped; each until it is acknowledged."""

    def __init__(self, ports: dict[str, int], protocol: str) -> None:
        self.acknowledged: set[str] = set()
        self.sent: set[str] = set()
        self.resent = 0
        self._ports = ports
        self._protocol = protocol
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> None:
        """Returns when the last request is acknowledged; the collector must be up."""
        self._stop.set()
        self._thread.join(DEADLINE_S)
        assert not self._thread.is_alive()

    def _run(self) -> None:
        while not self._stop.is_set():
            body, ids = request()
            self.sent |= ids
            while not self._deliver(body):
                self.resent += 1
                time.sleep(0.02)
            self.acknowledged |= ids

    def _deliver(self, body: bytes) -> bool:
        return by_http(self._ports["http"], body) if self._protocol == "http" else _by_grpc(self._ports["grpc"], body)


def run(lake: Path, rounds: int, seed: int) -> Figures:
    """Plays the rounds, then looks at what the lake holds."""
    rng = random.Random(seed)
    figures = Figures()
    ports = {"http": free_port(), "grpc": free_port()}
    clients = [Client(ports, ("http", "grpc")[n % 2]) for n in range(CLIENTS)]
    done = threading.Event()
    reader = threading.Thread(target=_read, args=(lake, figures, done))
    collector = _start(lake, ports, clients)
    reader.start()
    try:
        for _ in range(rounds):
            time.sleep(rng.uniform(0.02, 0.7))
            victim = rng.choice(("collector", "collector", "committer", "both"))
            committer = _child(collector.pid)
            if victim != "collector" and committer is not None:
                with suppress(ProcessLookupError):
                    os.kill(committer, signal.SIGKILL)
            if victim != "committer":
                collector.kill()
                collector.wait()
                collector = _start(lake, ports, clients)
            figures.kills[victim] += 1
            figures.rounds += 1
        for client in clients:
            client.stop()
    finally:
        done.set()
        reader.join(DEADLINE_S)
        collector.terminate()
        figures.broken += [f"the collector ended with {code}" for code in [collector.wait(DEADLINE_S)] if code]
        for client in clients:
            client._stop.set()
    commit(lake, wait=True)
    _judge(lake, clients, figures)
    return figures


def _judge(lake: Path, clients: list[Client], figures: Figures) -> None:
    with open_reading(lake) as reading:
        found = Counter(row[0] for row in reading.connection.execute("select span_id from spans").fetchall())
    acknowledged = set().union(*(client.acknowledged for client in clients))
    sent = set().union(*(client.sent for client in clients))
    figures.acknowledged = len(acknowledged)
    figures.resent = sum(client.resent for client in clients)
    figures.rows = sum(found.values())
    figures.lost = acknowledged - set(found)
    figures.twice |= {span for span, count in found.items() if count > 1}
    figures.broken += [f"{span} was never sent" for span in set(found) - sent]


def _read(lake: Path, figures: Figures, done: threading.Event) -> None:
    seen = 0
    while not done.wait(0.3):
        try:
            with open_reading(lake) as reading:
                rows, spans = reading.connection.execute(
                    "select count(*), count(distinct span_id) from spans"
                ).fetchall()[0]
        except Exception as error:  # whatever it is, it is what the soak looks for
            figures.broken.append(f"{type(error).__name__}: {error}")
            continue
        figures.readings += 1
        if rows != spans:
            figures.broken.append(f"a reading saw {rows} rows of {spans} spans")
        if rows < seen:
            figures.broken.append(f"a reading saw {rows} rows after {seen}")
        seen = rows


def _start(lake: Path, ports: dict[str, int], clients: list[Client]) -> subprocess.Popen[bytes]:
    """A collector that has acknowledged something."""
    command = [sys.executable, "-m", "mcpobs", "collect", "--lake", str(lake)]
    command += ["--http", f"127.0.0.1:{ports['http']}", "--grpc", f"127.0.0.1:{ports['grpc']}"]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    before = sum(len(client.acknowledged) for client in clients)
    until = time.monotonic() + DEADLINE_S
    while sum(len(client.acknowledged) for client in clients) == before:
        assert process.poll() is None, f"the collector ended with {process.returncode}"
        assert time.monotonic() < until, "the collector acknowledges nothing"
        time.sleep(0.01)
    return process


def _child(pid: int) -> int | None:
    with suppress(OSError):
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return int(children[0]) if children else None
    return None


def _by_grpc(port: int, body: bytes) -> bool:
    import grpc

    with grpc.insecure_channel(f"127.0.0.1:{port}", [("grpc.use_local_subchannel_pool", 1)]) as channel:
        export = channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")
        try:
            export(body, timeout=10)
        except grpc.RpcError:
            return False
    return True
