"""Runs both receivers on one event loop, until a signal says stop. Decodes and stores nothing."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass

from mcpobs.collector import listening, tls
from mcpobs.collector.auth import Tokens
from mcpobs.collector.intake import Intake
from mcpobs.collector.limits import Room
from mcpobs.collector.options import Endpoint, Options
from mcpobs.errors import UsageError

Tell = Callable[[str], None]


@dataclass
class Receiving:
    """Where it listens, with the real ports. `grace_s` is how long the end may wait for requests in flight."""

    grace_s: float
    http: Endpoint | None = None
    grpc: Endpoint | None = None
    exposed: tuple[Endpoint, ...] = ()
    """Those that other machines can reach."""


async def serve(options: Options, intake: Intake, tell: Tell | None = None) -> None:
    """Receives until SIGTERM or SIGINT, then lets requests in flight end; a second signal ends them.

    Raises UsageError where it cannot listen, or with those certificates.
    """
    tell = tell or _to_stderr
    loop = asyncio.get_running_loop()
    signals: asyncio.Queue[int] = asyncio.Queue()
    handled = (signal.SIGTERM, signal.SIGINT)
    for number in handled:
        loop.add_signal_handler(number, signals.put_nowait, number)
    try:
        async with AsyncExitStack() as stack:
            at = await stack.enter_async_context(receiving(options, intake))
            for line in _greeting(options, at):
                tell(line)
            await signals.get()
            tell("stopping: no new requests; those in flight may end")
            ending = asyncio.ensure_future(stack.pop_all().aclose())
            again = asyncio.ensure_future(signals.get())
            await asyncio.wait((ending, again), return_when=asyncio.FIRST_COMPLETED)
            if not ending.done():
                ending.cancel()
            again.cancel()
            await asyncio.gather(ending, again, return_exceptions=True)
    finally:
        for number in handled:
            loop.remove_signal_handler(number)


@asynccontextmanager
async def receiving(options: Options, intake: Intake) -> AsyncIterator[Receiving]:
    """Both receivers, for as long as the block runs."""
    if options.http is None and options.grpc is None:
        raise UsageError("--no-http and --no-grpc leave nothing to listen on", "leave one of them out")
    room, tokens, counters = Room(options.limits), Tokens(options.tokens), Counter[str]()
    at = Receiving(options.grace_s)
    async with AsyncExitStack() as stack:
        if options.http is not None:
            await stack.enter_async_context(_http(options, options.http, intake, room, tokens, counters, at))
        if options.grpc is not None:
            await stack.enter_async_context(_grpc(options, options.grpc, intake, room, tokens, counters, at))
        yield at


@asynccontextmanager
async def _http(
    options: Options,
    endpoint: Endpoint,
    intake: Intake,
    room: Room,
    tokens: Tokens,
    counters: Counter[str],
    at: Receiving,
) -> AsyncIterator[None]:
    from mcpobs.collector.connection import Connections
    from mcpobs.collector.http import HttpReceiver

    context = tls.for_http(options.tls) if options.tls else None
    sockets = listening.bind(endpoint, "--http")
    at.http = Endpoint(endpoint.host, sockets[0].getsockname()[1])
    if not all(listening.is_loopback(bound) for bound in sockets):
        at.exposed += (at.http,)
    connections = Connections(HttpReceiver(intake, room, tokens, counters), options.limits, counters)
    loop = asyncio.get_running_loop()
    handshake_s = options.limits.head_s if context else None
    servers = [
        await loop.create_server(connections.connect, sock=bound, ssl=context, ssl_handshake_timeout=handshake_s)
        for bound in sockets
    ]
    try:
        yield
    finally:
        for server in servers:
            server.close()
        await connections.stop(at.grace_s)


@asynccontextmanager
async def _grpc(
    options: Options,
    endpoint: Endpoint,
    intake: Intake,
    room: Room,
    tokens: Tokens,
    counters: Counter[str],
    at: Receiving,
) -> AsyncIterator[None]:
    from mcpobs.collector import grpc

    credentials = tls.for_grpc(options.tls) if options.tls else None
    sockets = listening.bind(endpoint, "--grpc")  # only to have a clear error: gRPC binds its own
    places = [Endpoint(*bound.getsockname()[:2]) for bound in sockets]
    at.grpc = Endpoint(endpoint.host, places[0].port)
    if not all(listening.is_loopback(bound) for bound in sockets):
        at.exposed += (at.grpc,)
    for bound in sockets:
        bound.close()
    server = grpc.server(intake, room, tokens, counters)
    for place in places:
        if credentials is not None:
            server.add_secure_port(str(place), credentials)
        else:
            server.add_insecure_port(str(place))
    await server.start()
    try:
        yield
    finally:
        await server.stop(at.grace_s)


def _greeting(options: Options, at: Receiving) -> list[str]:
    scheme = "https" if options.tls else "http"
    lines = [
        f"{name} on {scheme}://{endpoint}"
        for name, endpoint in (("OTLP/HTTP", at.http), ("OTLP/gRPC", at.grpc))
        if endpoint is not None
    ]
    for endpoint in at.exposed:
        if not options.tokens and not (options.tls and options.tls.client_ca):
            lines.append(f"warning: everyone who reaches {endpoint} may send; --token-file asks for a token")
        if not options.tls:
            lines.append(f"warning: what is sent to {endpoint} is not encrypted; --tls-cert and --tls-key do that")
    return lines


def _to_stderr(line: str) -> None:
    sys.stderr.write(f"mcpobs: {line}\n")
    sys.stderr.flush()
