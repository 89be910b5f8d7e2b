"""OTLP over gRPC: a grpc.aio server of raw bytes. Answers for what the intake says of a request."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Final, NoReturn

import grpc

from mcpobs.collector import answers
from mcpobs.collector.auth import Tokens
from mcpobs.collector.http import DEFAULT_RETRY_S
from mcpobs.collector.intake import Intake, RefusedError, Signal, Why
from mcpobs.collector.limits import Limits, Room

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
_CODES: Final[dict[grpc.StatusCode, int]] = {code: code.value[0] for code in grpc.StatusCode}

_logger = logging.getLogger(__name__)


def server(intake: Intake, room: Room, tokens: Tokens, counters: Counter[str]) -> grpc.aio.Server:
    """A server that has no port yet."""
    made: grpc.aio.Server = grpc.aio.server(options=_channel_options(room.limits))
    for service, signal in SERVICES.items():
        export = _export(signal, intake, room, tokens, counters)
        # A stream of one request is the same on the wire; it lets us look at who sends before the body is read.
        handler = grpc.stream_unary_rpc_method_handler(export)  # type: ignore[no-untyped-call]
        made.add_generic_rpc_handlers(
            (grpc.method_handlers_generic_handler(service, {"Export": handler}),)  # type: ignore[no-untyped-call]
        )
    return made


def _channel_options(limits: Limits) -> Sequence[tuple[str, int]]:
    return [
        ("grpc.so_reuseport", 0),  # or a second collector would silently share the port
        ("grpc.max_receive_message_length", limits.body_bytes),  # of what a message unpacks to, as well
        ("grpc.max_send_message_length", limits.head_bytes),
        ("grpc.max_metadata_size", limits.head_bytes),
        ("grpc.absolute_max_metadata_size", 2 * limits.head_bytes),
        ("grpc.max_concurrent_streams", 100),
        ("grpc.max_allowed_incoming_connections", limits.connections),
        ("grpc.server_handshake_timeout_ms", int(limits.head_s * 1000)),
        ("grpc.max_connection_idle_ms", int(limits.idle_s * 1000)),
        ("grpc.keepalive_time_ms", int(limits.idle_s * 1000)),
        ("grpc.keepalive_timeout_ms", int(limits.head_s * 1000)),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),  # clients keep alive each 10 s at the most
    ]


def _export(signal: Signal, intake: Intake, room: Room, tokens: Tokens, counters: Counter[str]) -> Handler:
    async def export(_: object, context: Context) -> bytes:
        try:
            if not tokens.admit(_authorization(context)):
                await _end(context, counters, grpc.StatusCode.UNAUTHENTICATED, "a valid bearer token is needed")
            room.check()
            with room.place() as place:
                body = await _read(context, counters, room.limits)
                place.hold(len(body))
                with room.storing():
                    taken = await intake.take(signal, "protobuf", body)
        except RefusedError as error:
            again_s = None if error.why == "malformed" else error.retry_after_s or DEFAULT_RETRY_S
            await _end(context, counters, _REFUSALS[error.why], error.message, again_s)
        except grpc.aio.AbortError:
            raise
        except Exception:  # the intake's own fault: the client is told, the others are served
            _logger.exception("a request failed")
            await _end(context, counters, grpc.StatusCode.INTERNAL, "the collector failed; see its log")
        counters["grpc.answered.OK"] += 1
        return answers.accepted(signal, "protobuf", taken)

    return export


async def _read(context: Context, counters: Counter[str], limits: Limits) -> bytes:
    try:
        async with asyncio.timeout(limits.body_s):
            body = await context.read()
    except TimeoutError:
        await _end(context, counters, grpc.StatusCode.DEADLINE_EXCEEDED, "the message comes too slowly")
    if not isinstance(body, bytes):  # none came, or it was too large; where gRPC knows better, its own status stands
        await _end(context, counters, grpc.StatusCode.INVALID_ARGUMENT, "the call has no message")
    return body


def _authorization(context: Context) -> str | bytes | None:
    return next((value for key, value in context.invocation_metadata() or () if key == "authorization"), None)


async def _end(
    context: Context, counters: Counter[str], code: grpc.StatusCode, message: str, retry_after_s: float | None = None
) -> NoReturn:
    """Ends a call. Tells twice when to come again: as OTLP says, and where OpenTelemetry's Python looks for it."""
    counters[f"grpc.answered.{code.name}"] += 1
    trailers: list[tuple[str, str | bytes]] = []
    if retry_after_s is not None:
        details = answers.refused(_CODES[code], message, "protobuf", retry_after_s)
        trailers = [
            ("grpc-status-details-bin", details),
            ("google.rpc.retryinfo-bin", answers.retry_info(retry_after_s)),
        ]
    await context.abort(code, message, trailing_metadata=tuple(trailers))
    raise AssertionError("abort raises")
