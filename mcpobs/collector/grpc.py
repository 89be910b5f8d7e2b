"""Receives OTLP over gRPC: a grpc.aio server of raw bytes behind the gateway. Turns the intake's results into
statuses."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import ssl
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final

import grpc

from mcpobs.collector import answers, faults
from mcpobs.collector.auth import Tokens
from mcpobs.collector.callers import Callers
from mcpobs.collector.gateway import NO_MESSAGE, Gateway
from mcpobs.collector.intake import Accepted, Intake, RefusedError, Signal, Why
from mcpobs.collector.limits import BUSY_RETRY_S, Limits, Room, again_s
from mcpobs.errors import UsageError
from mcpobs.installed.commands import add_extra
from mcpobs.installed.extras import needing

Context = grpc.aio.ServicerContext[bytes, bytes]
Handler = Callable[[Any, Context], Awaitable[bytes]]

SERVICES: Final[dict[str, Signal]] = {
    "opentelemetry.proto.collector.trace.v1.TraceService": "traces",
    "opentelemetry.proto.collector.metrics.v1.MetricsService": "metrics",
    "opentelemetry.proto.collector.logs.v1.LogsService": "logs",
}
_REFUSALS: Final[dict[Why, grpc.StatusCode]] = {
    "malformed": grpc.StatusCode.INVALID_ARGUMENT,
    "busy": grpc.StatusCode.RESOURCE_EXHAUSTED,
    "unavailable": grpc.StatusCode.UNAVAILABLE,
}
_BOUNDED = (1, 83, 1)
"""The first grpcio that applies the limit to the unpacked message: with 1.83.0 one megabyte of gzip became a gigabyte
in memory, before the token was checked."""
_READERS = 8
"""Minimum number of messages read at a time."""
_TURN_OUT_S = 1.0
"""Minimum age of a message being read before it is dropped for a new one."""
_IDLE_S = 30.0
"""Short, because a client without a call sees an orderly close and reconnects for its next call."""


_FOLDER, _SOCKET = "mcpobs-grpc-", "grpc"
"""Names of the private socket and the prefix of its temporary folder."""
_LONGEST_BYTES = 104 - 32
"""Longest path of the parent folder: macOS allows 104 bytes for a socket's path, Linux 108."""


_YOUNG_S = 60.0
"""A younger folder may belong to a collector that is starting and does not listen yet."""


class _EndError(Exception):
    """Ends a call with this status. `reason` names its counter, `grpc.refused.<reason>`; None if the gateway counts."""

    def __init__(
        self, reason: str | None, code: grpc.StatusCode, message: str, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.reason = reason
        self.code = code
        self.message = message
        self.retry_after_s = retry_after_s


class GrpcReceiver:
    """The gRPC server. `counters` are shared with the other components."""

    def __init__(
        self,
        intake: Intake,
        room: Room,
        tokens: Tokens,
        counters: Counter[str],
        callers: Callers | None = None,
    ) -> None:
        with needing("`mcpobs collect`", "collect"):
            installed = version("grpcio")
        if tuple(int(part) for part in installed.split(".")[:3] if part.isdigit()) < _BOUNDED:
            raise UsageError(
                f"grpcio {installed} unpacks messages without a limit",
                f"{add_extra('collect')} installs one with a limit; or disable gRPC: --no-grpc",
            )
        self._intake = intake
        self._room = room
        self._tokens = tokens
        self._counters = counters
        self._callers = callers or Callers()
        self._folder: str | None = None
        self._gateway: Gateway | None = None
        self._reading = _Reading(room.limits)
        self._storing: set[asyncio.Task[Accepted]] = set()
        self._server: grpc.aio.Server = grpc.aio.server(options=_channel_options(room.limits))
        for service, signal in SERVICES.items():
            # A stream of one request is the same on the wire, and lets us check the sender before reading the request.
            export = grpc.stream_unary_rpc_method_handler(self._handler(signal))  # type: ignore[no-untyped-call]
            handler = grpc.method_handlers_generic_handler(service, {"Export": export})  # type: ignore[no-untyped-call]
            self._server.add_generic_rpc_handlers((handler,))
        self._server.add_generic_rpc_handlers((_Unknown(counters),))

    async def start(self, sockets: list[socket.socket], tls: ssl.SSLContext | None = None) -> None:
        """Serves on these sockets until `stop`, and owns them."""
        parent = _short_folder()
        _remove_leftovers(parent)
        self._folder = tempfile.mkdtemp(prefix=_FOLDER, dir=parent)  # accessible only to this user
        path = str(Path(self._folder, _SOCKET))
        self._server.add_insecure_port(f"unix:{path}")
        await self._server.start()
        self._gateway = Gateway(path, self._room.limits, self._counters)
        await self._gateway.listen(sockets, tls)

    async def stop(self, grace_s: float) -> None:
        """Gives requests in flight `grace_s` to end, then ends them. May be called again with less."""
        begun = asyncio.get_running_loop().time()
        if self._gateway is not None:
            self._gateway.accept_no_more()
        await self._server.stop(grace_s)
        if self._gateway is not None:
            await self._gateway.close()
        if self._folder is not None:
            shutil.rmtree(self._folder, ignore_errors=True)
        storing = list(self._storing)  # for calls whose clients are gone
        if storing:
            await asyncio.wait(storing, timeout=grace_s - (asyncio.get_running_loop().time() - begun))
        for task in storing:
            task.cancel()
        await asyncio.gather(*storing, return_exceptions=True)

    def _handler(self, signal: Signal) -> Handler:
        async def export(_: object, context: Context) -> bytes:
            try:
                taken = await self._take(signal, context)
            except RefusedError as error:
                ended = _EndError(error.why, _REFUSALS[error.why], error.message, again_s(error))
            except _EndError as error:
                ended = error
            except Exception as error:  # of the intake: this client gets an error, and the next is served
                faults.log(error)
                ended = _EndError("failed", grpc.StatusCode.INTERNAL, "the collector failed; see its log")
            else:
                self._counters["grpc.answered.OK"] += 1
                return answers.accepted(signal, "protobuf", taken)
            if ended.reason is not None:
                self._counters[f"grpc.answered.{ended.code.name}"] += 1
                self._counters[f"grpc.refused.{ended.reason}"] += 1
            return await _abort(context, ended)

        return export

    async def _take(self, signal: Signal, context: Context) -> Accepted:
        metadata = dict(context.invocation_metadata() or ())
        origin = metadata.get("origin")
        if self._callers.names is not None and origin is not None and not self._callers.allows(_as_bytes(origin)):
            raise _EndError("foreign_origin", grpc.StatusCode.PERMISSION_DENIED, "web pages may not send")
        if not self._tokens.admit(metadata.get("authorization")):
            raise _EndError("unauthenticated", grpc.StatusCode.UNAUTHENTICATED, "a valid bearer token is needed")
        self._room.check()
        content = await self._reading.read(context)
        # gRPC cancels this call at the client's deadline. The intake must finish what it began, and counts it
        # meanwhile.
        task = asyncio.create_task(self._store(signal, content))
        self._storing.add(task)
        task.add_done_callback(self._stored)
        return await asyncio.shield(task)

    async def _store(self, signal: Signal, content: bytes) -> Accepted:
        with self._room.place() as place:
            place.hold(len(content))
            with self._room.storing():
                return await self._intake.take(signal, "protobuf", content)

    def _stored(self, task: asyncio.Task[Accepted]) -> None:
        self._storing.discard(task)
        if not task.cancelled():
            task.exception()  # the call that waited for it may be gone; asyncio would then log an unretrieved exception


class _Reading:
    """The messages being read. gRPC holds each until it is complete, and does not report its size, so their number
    bounds the memory. The slowest is dropped if it blocks others."""

    def __init__(self, limits: Limits) -> None:
        self._body_s = limits.body_s
        self._most = max(_READERS, limits.held_bytes // limits.body_bytes)
        self._since: dict[asyncio.Timeout, float] = {}  # the slowest comes first

    async def read(self, context: Context) -> bytes:
        self._make_room()
        begun = asyncio.get_running_loop().time()
        try:
            async with asyncio.timeout(self._body_s) as limit:
                self._since[limit] = begun
                try:
                    content = await context.read()
                finally:
                    del self._since[limit]
        except TimeoutError:
            raise _EndError("slow", grpc.StatusCode.UNAVAILABLE, "the message comes too slowly", BUSY_RETRY_S) from None
        if not isinstance(content, bytes):
            # or grpc has refused the message, and this status is not sent
            raise _EndError(None, grpc.StatusCode.INVALID_ARGUMENT, NO_MESSAGE)
        return content

    def _make_room(self) -> None:
        if len(self._since) < self._most:
            return
        now = asyncio.get_running_loop().time()
        slowest = next((limit for limit in self._since if limit.when() != now), None)
        if slowest is None or now - self._since[slowest] < _TURN_OUT_S:
            raise RefusedError("busy", f"{len(self._since)} requests are being read already", BUSY_RETRY_S)
        slowest.reschedule(now)


def _channel_options(limits: Limits) -> Sequence[tuple[str, int]]:
    idle_ms, head_ms = int(min(_IDLE_S, limits.idle_s) * 1000), int(limits.head_s * 1000)
    return [
        ("grpc.max_receive_message_length", limits.body_bytes),  # also the unpacked size
        ("grpc.max_metadata_size", limits.head_bytes),
        ("grpc.absolute_max_metadata_size", 2 * limits.head_bytes),
        ("grpc.max_concurrent_streams", 100),
        ("grpc.max_allowed_incoming_connections", 2 * limits.connections),  # the gateway bounds and evicts them
        ("grpc.server_handshake_timeout_ms", head_ms),
        ("grpc.max_connection_idle_ms", idle_ms),
        ("grpc.keepalive_time_ms", int(limits.idle_s * 1000)),  # finds clients that vanished
        ("grpc.keepalive_timeout_ms", head_ms),
        ("grpc.keepalive_permit_without_calls", 1),  # clients may ping us too,
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),  # at their highest permitted rate
    ]


def _as_bytes(value: str | bytes) -> bytes:
    return value.encode("latin-1", "replace") if isinstance(value, str) else value


class _Unknown(grpc.GenericRpcHandler):
    """Refuses calls of unknown services and methods, and counts them."""

    def __init__(self, counters: Counter[str]) -> None:
        self._counters = counters

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        async def refuse(_: object, context: Context) -> bytes:
            self._counters["grpc.answered.UNIMPLEMENTED"] += 1
            self._counters["grpc.refused.unknown_path"] += 1
            known = ", ".join(f"/{service}/Export" for service in SERVICES)
            return await _abort(
                context, _EndError("unknown_path", grpc.StatusCode.UNIMPLEMENTED, f"OTLP is exported to {known}")
            )

        handler: grpc.RpcMethodHandler = grpc.stream_unary_rpc_method_handler(refuse)  # type: ignore[no-untyped-call]
        return handler


def _short_folder() -> str:
    """Returns the folder for temporary files, or /tmp if a socket's path there would be too long for the system."""
    usual = tempfile.gettempdir()
    return usual if len(os.fsencode(usual)) <= _LONGEST_BYTES else "/tmp"


def _remove_leftovers(parent: str) -> None:
    """Removes the folders of collectors that were killed: their sockets no longer accept connections."""
    for folder in Path(parent).glob(f"{_FOLDER}*"):
        with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
            found = folder.lstat()
            if found.st_uid != os.getuid() or time.time() - found.st_mtime < _YOUNG_S:
                continue
            probe.settimeout(1)
            try:
                probe.connect(str(folder / _SOCKET))
            except (ConnectionRefusedError, FileNotFoundError):
                shutil.rmtree(folder, ignore_errors=True)


async def _abort(context: Context, ended: _EndError) -> bytes:
    """Aborts the call. Sends the retry delay twice: as OTLP specifies, and as OpenTelemetry's Python reads it."""
    trailers: tuple[tuple[str, bytes], ...] = ()
    if ended.retry_after_s is not None:
        details = answers.refused(ended.code.value[0], ended.message, "protobuf", ended.retry_after_s)
        trailers = (
            ("grpc-status-details-bin", details),
            ("google.rpc.retryinfo-bin", answers.retry_info(ended.retry_after_s)),
        )
    await context.abort(ended.code, ended.message, trailing_metadata=trailers)
    raise AssertionError("abort raises")
