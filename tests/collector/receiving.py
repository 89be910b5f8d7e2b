"""A collector's receivers in this process, on real sockets, in front of an intake that tests can see into."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from mcpobs.collector.intake import Accepted, Encoding, RefusedError, Signal
from mcpobs.collector.options import Options
from mcpobs.collector.serving import receiving
from mcpobs.listening import Endpoint

ANYWHERE = Endpoint("127.0.0.1", 0)


@dataclass
class KeepingIntake:
    """Keeps what it takes. `answers` are given in turn, then Accepted(); while `open` is not set none is."""

    taken: list[tuple[Signal, Encoding, bytes]] = field(default_factory=list)
    answers: list[Accepted | Exception] = field(default_factory=list)
    open: threading.Event = field(default_factory=threading.Event)
    entered: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))

    def __post_init__(self) -> None:
        self.open.set()

    async def take(self, signal: Signal, encoding: Encoding, body: bytes) -> Accepted:
        self.entered.release()
        while not self.open.is_set():
            await asyncio.sleep(0.005)
        answer = self.answers.pop(0) if self.answers else Accepted()
        if isinstance(answer, Exception):
            raise answer
        self.taken.append((signal, encoding, body))
        return answer

    trouble = None

    def counters(self) -> dict[str, int]:
        return {"traces.requests": len(self.taken)}


@dataclass
class Running:
    """A collector that runs, and its intake."""

    intake: KeepingIntake
    http_port: int
    grpc_port: int


@contextmanager
def collecting(intake: KeepingIntake | None = None, **options: Any) -> Iterator[Running]:
    """A collector in a thread of its own, until the block ends."""
    intake = intake or KeepingIntake()
    chosen = Options(**{"http": ANYWHERE, "grpc": ANYWHERE, "grace_s": 30.0, **options})
    started = threading.Event()
    running: list[Running] = []
    failed: list[BaseException] = []
    stops: list[Any] = []

    async def run() -> None:
        stop = asyncio.Event()
        stops.extend((asyncio.get_running_loop(), stop))
        async with receiving(chosen, intake) as at:
            running.append(Running(intake, at.http.port if at.http else 0, at.grpc.port if at.grpc else 0))
            started.set()
            await stop.wait()

    def target() -> None:
        try:
            asyncio.run(run())
        except BaseException as error:
            failed.append(error)
            started.set()

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    assert started.wait(60)
    try:
        if failed:
            raise failed[0]
        yield running[0]
    finally:
        intake.open.set()
        if not failed:
            loop, stop = stops
            loop.call_soon_threadsafe(stop.set)
        thread.join(60)
        assert not thread.is_alive()
    if failed:
        raise failed[0]


__all__ = ["Accepted", "KeepingIntake", "RefusedError", "Running", "collecting"]
