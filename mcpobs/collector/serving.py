"""Runs both receivers on one event loop, until a signal says stop. Decodes and stores nothing."""

from __future__ import annotations

import asyncio
import signal
import socket
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Protocol

from mcpobs import listening
from mcpobs.collector import tls
from mcpobs.collector.auth import Tokens
from mcpobs.collector.connection import Connections
from mcpobs.collector.grpc import GrpcReceiver
from mcpobs.collector.http import HttpReceiver
from mcpobs.collector.intake import Intake
from mcpobs.collector.limits import Room
from mcpobs.collector.options import Options
from mcpobs.errors import UsageError
from mcpobs.listening import Endpoint

Tell = Callable[[str], None]

_STOPPING = (signal.SIGTERM, signal.SIGINT)


class Stoppable(Protocol):
    """What receives."""

    async def stop(self, grace_s: float) -> None:
        """Accepts no more and lets requests in flight end, for so long. May be called again, with less."""


@dataclass
class Receiving:
    """Where requests are received, with the real ports."""

    http: Endpoint | None = None
    grpc: Endpoint | None = None
    exposed: list[Endpoint] = field(default_factory=list)
    """Those that other machines can reach."""
    receivers: list[Stoppable] = field(default_factory=list)

    async def stop(self, grace_s: float) -> None:
        await asyncio.gather(*(receiver.stop(grace_s) for receiver in self.receivers))


async def serve(options: Options, intake: Intake, tell: Tell | None = None) -> None:
    """Receives until SIGTERM or SIGINT, then lets requests in flight end; a second signal ends them.

    Raises UsageError where it cannot listen, or not with these certificates.
    """
    tell = tell or _to_stderr
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[int] = asyncio.Queue()
    for number in _STOPPING:
        loop.add_signal_handler(number, signals.put_nowait, number)
    try:
        async with receiving(options, intake) as at:
            for line in _greeting(options, at):
                tell(line)
            await signals.get()
            tell(f"stopping; requests in flight have {options.grace_s:g} s to end, a second signal ends them")
            ending = asyncio.create_task(at.stop(options.grace_s))
            hurry = asyncio.create_task(signals.get())
            await asyncio.wait((ending, hurry), return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                await at.stop(0)
            hurry.cancel()
            await ending
    finally:
        for number in _STOPPING:  # a further one ends the process: what was acknowledged is on disk
            loop.remove_signal_handler(number)


@asynccontextmanager
async def receiving(options: Options, intake: Intake) -> AsyncIterator[Receiving]:
    """Receives for as long as the block runs. What is in flight at its end has `grace_s`."""
    if options.http is None and options.grpc is None:
        raise UsageError("nothing is left to listen on", "leave out --no-http or --no-grpc")
    room, tokens, counters = Room(options.limits), Tokens(options.tokens), Counter[str]()
    at = Receiving()
    try:
        if options.http is not None:
            context = tls.for_http(options.tls) if options.tls else None
            receiver = HttpReceiver(intake, room, tokens, counters)
            sockets = listening.bind(options.http, "--http")
            at.http = _note(at, options.http, sockets)
            at.receivers.append(await Connections(receiver, options.limits, counters).listen(sockets, context))
        if options.grpc is not None:
            credentials = tls.for_grpc(options.tls) if options.tls else None
            # gRPC makes its own sockets, and says little where it cannot. These are closed before.
            with listening.probed(options.grpc, "--grpc") as sockets:
                at.grpc = _note(at, options.grpc, sockets)
                places = [Endpoint(*bound.getsockname()[:2]) for bound in sockets]
            grpc = GrpcReceiver(intake, room, tokens, counters, credentials)
            at.receivers.append(grpc)
            await grpc.start(places)
        yield at
    finally:
        await at.stop(options.grace_s)


def _note(at: Receiving, asked: Endpoint, sockets: list[socket.socket]) -> Endpoint:
    endpoint = Endpoint(asked.host, sockets[0].getsockname()[1])
    if not all(listening.is_loopback(bound) for bound in sockets):
        at.exposed.append(endpoint)
    return endpoint


def _greeting(options: Options, at: Receiving) -> list[str]:
    scheme = "https" if options.tls else "http"
    listens = (("OTLP/HTTP", at.http), ("OTLP/gRPC", at.grpc))
    lines = [f"{name} on {scheme}://{endpoint}" for name, endpoint in listens if endpoint is not None]
    if options.redact:
        lines.append("spans are stored without content (--redact)")
    for endpoint in at.exposed:
        if not options.tokens and not (options.tls and options.tls.client_ca):
            lines.append(f"warning: whoever reaches {endpoint} may send; --token-file asks for a token")
        if not options.tls:
            lines.append(f"warning: {endpoint} is not encrypted; --tls-cert and --tls-key do that")
    return lines


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"mcpobs: {line}\n")
    sys.stderr.flush()
