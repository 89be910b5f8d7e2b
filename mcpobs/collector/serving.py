"""Runs both receivers on one event loop until a signal stops it. Decodes and stores nothing."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from mcpobs import listening
from mcpobs.collector import tls
from mcpobs.collector.auth import Tokens
from mcpobs.collector.callers import Callers
from mcpobs.collector.connections import Connections
from mcpobs.collector.grpc import GrpcReceiver
from mcpobs.collector.http import HttpReceiver
from mcpobs.collector.intake import Intake
from mcpobs.collector.limits import Room
from mcpobs.collector.options import Options
from mcpobs.errors import UsageError
from mcpobs.library_logs import replace_logs
from mcpobs.listening import Endpoint
from mcpobs.stderr import Once
from mcpobs.terminal import line

Report = Callable[[str], None]

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Stoppable(Protocol):
    """A receiver."""

    async def stop(self, grace_s: float) -> None:
        """Accepts no more and gives requests in flight `grace_s` to end. May be called again with less."""


@dataclass
class Receiving:
    """The endpoints that receive requests, with the actual ports."""

    http: Endpoint | None = None
    grpc: Endpoint | None = None
    exposed: list[Endpoint] = field(default_factory=list)
    """Endpoints that other machines can reach."""
    receivers: list[Stoppable] = field(default_factory=list)
    counters: Counter[str] = field(default_factory=Counter)
    """Counts of answers, refusals and evictions."""

    async def stop(self, grace_s: float) -> None:
        await asyncio.gather(*(receiver.stop(grace_s) for receiver in self.receivers))


async def serve(options: Options, intake: Intake, report: Report | None = None) -> dict[str, int]:
    """Receives until SIGTERM or SIGINT, then lets requests in flight end; a second signal ends them.

    Returns the receivers' counters. Raises UsageError if it cannot listen or cannot use the certificates.
    """
    report = report or _to_stderr
    replace_logs(Once(report))
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in _STOPPING:
        loop.add_signal_handler(number, signals.put_nowait, number)
    try:
        async with receiving(options, intake) as at:
            for greeting in _greeting(options, at):
                report(greeting)
            await signals.get()
            report(f"stopping; requests in flight have {options.grace_s:g} s to end, a second signal ends them")
            ending = asyncio.create_task(at.stop(options.grace_s))
            hurry = asyncio.create_task(signals.get())
            await asyncio.wait((ending, hurry), return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                await at.stop(0)
            hurry.cancel()
            await ending
        return dict(sorted(at.counters.items()))
    finally:
        for number in _STOPPING:  # a further signal kills the process: acknowledged requests are on disk
            loop.remove_signal_handler(number)


@asynccontextmanager
async def receiving(options: Options, intake: Intake) -> AsyncIterator[Receiving]:
    """Receives while the block runs. Requests in flight at its end have `grace_s` to end."""
    if options.http is None and options.grpc is None:
        raise UsageError("nothing is left to listen on", "leave out --no-http or --no-grpc")
    room, tokens, counters = Room(options.limits), Tokens(options.tokens), Counter[str]()
    at = Receiving(counters=counters)
    try:
        if options.http is not None:
            context = tls.context_of(options.tls, "http/1.1") if options.tls else None
            with _bound(options.http, "--http") as sockets:
                at.http = _note(at, options.http, sockets)
                receiver = HttpReceiver(intake, room, tokens, counters, _callers(options, options.http, sockets))
                at.receivers.append(await Connections(receiver, options.limits, counters).listen(sockets, context))
        if options.grpc is not None:
            context = tls.context_of(options.tls, "h2") if options.tls else None
            with _bound(options.grpc, "--grpc") as sockets:
                at.grpc = _note(at, options.grpc, sockets)
                grpc = GrpcReceiver(intake, room, tokens, counters, _callers(options, options.grpc, sockets))
                at.receivers.append(grpc)
                await grpc.start(sockets, context)
        yield at
    finally:
        await at.stop(options.grace_s)


@contextmanager
def _bound(endpoint: Endpoint, option: str) -> Iterator[list[socket.socket]]:
    """Yields sockets for a receiver that will own them; closes them if the block fails."""
    sockets = listening.bind(endpoint, option)
    try:
        yield sockets
    except BaseException:
        for bound in sockets:
            bound.close()
        raise


def _note(at: Receiving, asked: Endpoint, sockets: list[socket.socket]) -> Endpoint:
    endpoint = Endpoint(asked.host, sockets[0].getsockname()[1])
    if not all(listening.is_loopback(bound) for bound in sockets):
        at.exposed.append(endpoint)
    return endpoint


def _callers(options: Options, asked: Endpoint, sockets: list[socket.socket]) -> Callers:
    """Returns the rule for callers. On loopback without a token only own host names pass, because any page in this
    machine's browser could send."""
    guarded = not options.tokens and all(listening.is_loopback(bound) for bound in sockets)
    names = tuple(dict.fromkeys((asked.host, "localhost", *options.allowed_hosts)))
    return Callers(names if guarded else None, frozenset(options.allowed_origins))


def _greeting(options: Options, at: Receiving) -> list[str]:
    scheme = "https" if options.tls else "http"
    listens = (("OTLP/HTTP", at.http), ("OTLP/gRPC", at.grpc))
    lines = [f"{name} on {scheme}://{endpoint}" for name, endpoint in listens if endpoint is not None]
    if options.redact:
        lines.append("spans are stored without content (--redact)")
    elif options.scrub:
        lines.append("spans are stored without personal data and secrets (--scrub)")
    for endpoint in at.exposed:
        if not options.tokens and not (options.tls and options.tls.client_ca):
            lines.append(f"warning: anyone who reaches {endpoint} may send; require a token with --token-file")
        if not options.tls:
            lines.append(f"warning: {endpoint} is not encrypted; encrypt it with --tls-cert and --tls-key")
    return lines


def _to_stderr(message: str) -> None:
    sys.stderr.write(line(message))
    sys.stderr.flush()
