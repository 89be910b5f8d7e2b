"""OTLP over HTTP: an ASGI application. Reads a body within its limits and answers for what the intake says of it."""

from __future__ import annotations

import asyncio
import json
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any, Final

from mcpobs.collector import answers, exposition, faults
from mcpobs.collector.auth import CHALLENGE, Tokens
from mcpobs.collector.callers import Callers, ForeignError
from mcpobs.collector.inflate import Inflater, Packing, TooLargeError
from mcpobs.collector.intake import Encoding, Intake, RefusedError, Signal, Why
from mcpobs.collector.limits import Place, Room, again_s

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]

SIGNALS: Final[dict[str, Signal]] = {"/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/logs": "logs"}
HEALTH = "/healthz"
REFUSED: Final = "mcpobs.refused"
"""Key of the scope of a request that the connection has refused already."""
METRICS = "/metrics"
_ENCODINGS: Final[dict[bytes, Encoding]] = {
    b"application/x-protobuf": "protobuf",
    b"application/protobuf": "protobuf",
    b"application/json": "json",
}
_PACKINGS: Final[dict[bytes, Packing | None]] = {
    b"": None,
    b"identity": None,
    b"none": None,
    b"gzip": "gzip",
    b"x-gzip": "gzip",
    b"deflate": "deflate",
}
# Busy is 503 too, which OTLP allows beside 429: at a 429 OpenTelemetry's Python of 2025 (1.30) drops the batch.
_REFUSALS: Final[dict[Why, tuple[int, int]]] = {
    "malformed": (400, answers.INVALID_ARGUMENT),
    "busy": (503, answers.RESOURCE_EXHAUSTED),
    "unavailable": (503, answers.UNAVAILABLE),
}


@dataclass(frozen=True, slots=True)
class _Refusal:
    reason: str
    status: int
    code: int
    message: str
    headers: tuple[tuple[bytes, bytes], ...] = ()
    retry_after_s: float | None = None


class _AnswerError(Exception):
    """Ends a request with a refusal. `reason` names its counter, `http.refused.<reason>`."""

    def __init__(self, reason: str, status: int, code: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.refusal = _Refusal(reason, status, code, message, headers)


class _GoneError(Exception):
    """The client went away, or was told to go."""


class HttpReceiver:
    """The application. `counters` are shared with whatever else counts."""

    def __init__(
        self, intake: Intake, room: Room, tokens: Tokens, counters: Counter[str], callers: Callers | None = None
    ) -> None:
        self._intake = intake
        self._room = room
        self._tokens = tokens
        self._counters = counters
        self._callers = callers or Callers()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = dict(reversed(scope["headers"]))  # the first of several counts
        body = _Body(receive)
        cors = self._callers.cors(scope["headers"])
        try:
            self._check_caller(scope["headers"])
            preflight = self._callers.preflight(scope["method"], scope["headers"])
            if preflight is not None:
                self._counters["http.answered.204"] += 1
                await _send(send, 204, None, b"", *preflight)
                return
            content_type, content = await self._answer(scope["method"], scope["path"], headers, body)
        except _AnswerError as error:
            refusal = error.refusal
        except _GoneError:
            if REFUSED not in scope:
                self._counters["http.gone"] += 1
            return
        except asyncio.CancelledError:  # the collector ends, and has closed the connection
            return  # uvicorn would log it as a fault
        else:
            self._counters["http.answered.200"] += 1
            await _send(send, 200, content_type, content, *cors)
            return
        # Out of the handler: an error holds, by its traceback, all that was read of the body.
        self._counters[f"http.answered.{refusal.status}"] += 1
        self._counters[f"http.refused.{refusal.reason}"] += 1
        await self._refuse(replace(refusal, headers=(*refusal.headers, *cors)), headers, body, send)

    def _check_caller(self, headers: list[tuple[bytes, bytes]]) -> None:
        try:
            self._callers.check(headers)
        except ForeignError as error:
            status, code = (
                (400, answers.INVALID_ARGUMENT) if error.reason == "malformed" else (403, answers.PERMISSION_DENIED)
            )
            raise _AnswerError(error.reason, status, code, str(error)) from None

    async def _answer(self, method: str, path: str, headers: Headers, body: _Body) -> tuple[bytes, bytes]:
        if path in SIGNALS:
            return await self._export(method, SIGNALS[path], headers, body)
        if path not in (HEALTH, METRICS):
            raise _AnswerError(
                "unknown_path", 404, answers.NOT_FOUND, f"nothing is here; OTLP goes to {', '.join(SIGNALS)}"
            )
        if method not in ("GET", "HEAD"):
            raise _not_allowed(b"GET, HEAD")
        trouble = self._intake.trouble
        if path == METRICS:
            if not self._admits(headers):
                raise _unauthenticated()
            counters = {**self._counters, **self._intake.counters()}
            return exposition.CONTENT_TYPE, exposition.exposed(counters, trouble is not None)
        health: dict[str, object] = {"status": "ok" if trouble is None else "degraded"}
        if self._admits(headers):
            if trouble is not None:
                health["trouble"] = trouble
            health["counters"] = dict(sorted({**self._counters, **self._intake.counters()}.items()))
        return answers.CONTENT_TYPE["json"], json.dumps(health).encode() + b"\n"

    async def _export(self, method: str, signal: Signal, headers: Headers, body: _Body) -> tuple[bytes, bytes]:
        if method != "POST":
            raise _not_allowed(b"POST")
        if not self._admits(headers):
            raise _unauthenticated()
        encoding, packing = _encoding(headers), _packing(headers)
        limit_bytes = self._room.limits.body_bytes
        try:
            self._room.check(_announced_bytes(headers, limit_bytes))
            with self._room.place() as place:
                content = await body.read(packing, limit_bytes, place)
                with self._room.storing():
                    taken = await self._intake.take(signal, encoding, content)
        except RefusedError as error:
            raise _as_answer(error) from None
        except TooLargeError as error:
            raise _AnswerError(
                "too_large", 413, answers.RESOURCE_EXHAUSTED, f"{error}, the limit of --max-body"
            ) from None
        except (_AnswerError, _GoneError):
            raise
        except Exception as error:  # the intake's: this client is told, and the next one is served
            faults.tell(error)
            raise _AnswerError("failed", 500, answers.INTERNAL, "the collector failed; its log tells more") from None
        return answers.CONTENT_TYPE[encoding], answers.accepted(signal, encoding, taken)

    def _admits(self, headers: Headers) -> bool:
        return self._tokens.admit(headers.get(b"authorization"))

    async def _refuse(self, answer: _Refusal, headers: Headers, body: _Body, send: Send) -> None:
        encoding = encoding_of(headers)
        content = answers.refused(answer.code, answer.message, encoding, answer.retry_after_s)
        extra = list(answer.headers)
        if answer.retry_after_s is not None:
            extra.append((b"retry-after", str(max(1, math.ceil(answer.retry_after_s))).encode()))
        if body.more and headers.get(b"expect", b"").lower() == b"100-continue":
            # Such a client may send its body or not: only an end is unambiguous.
            await _send(send, answer.status, answers.CONTENT_TYPE[encoding], content, *extra, (b"connection", b"close"))
            return
        await _send(send, answer.status, answers.CONTENT_TYPE[encoding], content, *extra, more=body.more)
        if body.more:
            await body.discard(self._room.limits.body_bytes, self._room.limits.linger_s)
            await send({"type": "http.response.body", "body": b""})


class _Body:
    """A request's body, as it comes."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self.more = True

    async def read(self, packing: Packing | None, limit_bytes: int, place: Place) -> bytes:
        """All of it, unpacked. Raises before more than the limit is held."""
        inflater = Inflater(packing, limit_bytes) if packing else None
        chunks: list[bytes] = []
        wire_bytes = 0
        while self.more:
            chunk = await self._next()
            wire_bytes += len(chunk)
            if wire_bytes > limit_bytes:
                raise TooLargeError(f"the body is longer than {limit_bytes} bytes")
            if inflater is not None:
                chunk = inflater.feed(chunk)
            place.hold(len(chunk))
            chunks.append(chunk)
        if inflater is not None:
            inflater.end()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    async def discard(self, limit_bytes: int, linger_s: float) -> None:
        """Takes what still comes, within bounds: a client in the midst of sending reads no answer."""
        with suppress(TimeoutError, _GoneError):
            async with asyncio.timeout(linger_s):
                while self.more and limit_bytes > 0:
                    limit_bytes -= len(await self._next())

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] != "http.request":
            raise _GoneError
        self.more = message["more_body"]
        chunk: bytes = message["body"]
        return chunk


def encoding_of(headers: Headers) -> Encoding:
    """In which encoding to refuse a request."""
    return _ENCODINGS.get(_media_type(headers), "json")


def _encoding(headers: Headers) -> Encoding:
    encoding = _ENCODINGS.get(_media_type(headers))
    if encoding is None:
        raise _AnswerError(
            "wrong_type",
            415,
            answers.INVALID_ARGUMENT,
            "content-type is neither application/x-protobuf nor application/json",
        )
    return encoding


def _media_type(headers: Headers) -> bytes:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower()


def _packing(headers: Headers) -> Packing | None:
    coding = headers.get(b"content-encoding", b"").strip().lower()
    if coding not in _PACKINGS:
        accepted = (b"accept-encoding", b"gzip, deflate")
        raise _AnswerError(
            "wrong_coding",
            415,
            answers.INVALID_ARGUMENT,
            "content-encoding is none of gzip, deflate and identity",
            accepted,
        )
    return _PACKINGS[coding]


def _announced_bytes(headers: Headers, limit_bytes: int) -> int:
    """The length that a request gives; 0 where it comes in chunks."""
    coding = headers.get(b"transfer-encoding")
    if coding is not None:
        if coding.strip().lower() != b"chunked":
            raise _AnswerError("wrong_coding", 501, answers.UNIMPLEMENTED, "transfer-encoding is not chunked")
        return 0
    length = headers.get(b"content-length")
    if length is None:
        raise _AnswerError(
            "no_length", 411, answers.INVALID_ARGUMENT, "neither content-length nor chunked transfer-encoding"
        )
    if int(length) > limit_bytes:  # the parser has seen to it that it is a number
        raise TooLargeError(f"the body is longer than {limit_bytes} bytes")
    return int(length)


def _as_answer(error: RefusedError) -> _AnswerError:
    status, code = _REFUSALS[error.why]
    answer = _AnswerError(error.why, status, code, error.message)
    answer.refusal = replace(answer.refusal, retry_after_s=again_s(error))
    return answer


def _unauthenticated() -> _AnswerError:
    challenge = (b"www-authenticate", CHALLENGE)
    return _AnswerError("unauthenticated", 401, answers.UNAUTHENTICATED, "a valid bearer token is needed", challenge)


def _not_allowed(methods: bytes) -> _AnswerError:
    return _AnswerError(
        "wrong_method", 405, answers.UNIMPLEMENTED, f"the method here is {methods.decode()}", (b"allow", methods)
    )


async def _send(
    send: Send,
    status: int,
    content_type: bytes | None,
    content: bytes,
    *headers: tuple[bytes, bytes],
    more: bool = False,
) -> None:
    start = [*headers]
    if content_type is not None:
        start += [(b"content-type", content_type), (b"content-length", str(len(content)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": content, "more_body": more})
