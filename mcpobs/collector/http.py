"""OTLP over HTTP: an ASGI application. Reads a body within its limits and answers for what the intake says of it."""

from __future__ import annotations

import json
import logging
import math
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any, Final

from mcpobs.collector import answers
from mcpobs.collector.auth import CHALLENGE, Tokens
from mcpobs.collector.inflate import Inflater, Packing, TooLargeError
from mcpobs.collector.intake import Encoding, Intake, RefusedError, Signal, Why
from mcpobs.collector.limits import Room

Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Headers = dict[bytes, bytes]

SIGNALS: Final[dict[str, Signal]] = {"/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/logs": "logs"}
HEALTH = "/healthz"
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
# Busy is 503 as well, which OTLP allows beside 429: SDKs until 2025 (Python 1.30) drop the batch at a 429.
_REFUSALS: Final[dict[Why, tuple[int, int]]] = {
    "malformed": (400, answers.INVALID_ARGUMENT),
    "busy": (503, answers.RESOURCE_EXHAUSTED),
    "unavailable": (503, answers.UNAVAILABLE),
}
DEFAULT_RETRY_S = 5.0

_logger = logging.getLogger(__name__)


class _AnswerError(Exception):
    """Ends a request with this answer."""

    def __init__(self, status: int, code: int, message: str, *headers: tuple[bytes, bytes]) -> None:
        super().__init__(message)
        self.status = status
        self.code = code
        self.message = message
        self.headers = headers


class _GoneError(Exception):
    """The client went away."""


class HttpReceiver:
    """The application. `counters` is shared with what else counts in this process."""

    def __init__(self, intake: Intake, room: Room, tokens: Tokens, counters: Counter[str]) -> None:
        self._intake = intake
        self._room = room
        self._tokens = tokens
        self._counters = counters

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers: Headers = dict(reversed(scope["headers"]))  # the first of several counts
        try:
            signal = SIGNALS.get(scope["path"])
            if signal is None:
                await self._other(scope, headers, send)
            else:
                await self._export(scope["method"], signal, headers, receive, send)
        except _AnswerError as answer:
            self._counters[f"http.answered.{answer.status}"] += 1
            encoding = _ENCODINGS.get(_media_type(headers), "json")
            body = answers.refused(answer.code, answer.message, encoding)
            await _send(send, answer.status, answers.CONTENT_TYPE[encoding], body, *answer.headers, *_leave(headers))
        except _GoneError:
            self._counters["http.gone"] += 1

    async def _other(self, scope: Scope, headers: Headers, send: Send) -> None:
        if scope["path"] != HEALTH:
            paths = ", ".join(SIGNALS)
            raise _AnswerError(404, answers.NOT_FOUND, f"nothing is at this path; OTLP goes to {paths}")
        if scope["method"] not in ("GET", "HEAD"):
            raise _not_allowed(b"GET, HEAD")
        health: dict[str, object] = {"status": "ok"}
        if self._tokens.admit(headers.get(b"authorization")):
            health["counters"] = dict(sorted({**self._counters, **self._intake.counters()}.items()))
        await _send(send, 200, answers.CONTENT_TYPE["json"], json.dumps(health).encode() + b"\n")

    async def _export(self, method: str, signal: Signal, headers: Headers, receive: Receive, send: Send) -> None:
        if method != "POST":
            raise _not_allowed(b"POST")
        if not self._tokens.admit(headers.get(b"authorization")):
            challenge = (b"www-authenticate", CHALLENGE.encode())
            raise _AnswerError(401, answers.UNAUTHENTICATED, "a valid bearer token is needed", challenge)
        encoding = _encoding(headers)
        packing = _packing(headers)
        announced_bytes = self._announced(headers)
        try:
            self._room.check(announced_bytes)
            with self._room.place() as place:
                body = await self._read(receive, packing, place.hold)
                with self._room.storing():
                    taken = await self._intake.take(signal, encoding, body)
        except RefusedError as error:
            await self._refuse(error, encoding, headers, send)
            return
        except TooLargeError as error:
            raise _AnswerError(413, answers.RESOURCE_EXHAUSTED, str(error)) from None
        except (_GoneError, _AnswerError):
            raise
        except Exception:  # the intake's own fault: the client is told, the others are served
            _logger.exception("a request failed")
            raise _AnswerError(500, answers.INTERNAL, "the collector failed; see its log") from None
        self._counters["http.answered.200"] += 1
        await _send(send, 200, answers.CONTENT_TYPE[encoding], answers.accepted(signal, encoding, taken))

    def _announced(self, headers: Headers) -> int:
        """The length that the request gives, 0 where it comes in chunks."""
        coding = headers.get(b"transfer-encoding")
        if coding is not None:
            if coding.strip().lower() != b"chunked":
                raise _AnswerError(501, answers.UNIMPLEMENTED, "the only transfer-encoding understood is chunked")
            return 0
        length = headers.get(b"content-length")
        if length is None:
            raise _AnswerError(411, answers.INVALID_ARGUMENT, "content-length or chunked transfer-encoding is needed")
        if int(length) > self._room.limits.body_bytes:  # the parser has seen to it that it is a number
            raise _AnswerError(413, answers.RESOURCE_EXHAUSTED, f"the body is longer than {self._limit}")
        return int(length)

    async def _read(self, receive: Receive, packing: Packing | None, hold: Callable[[int], None]) -> bytes:
        """The body, unpacked. Raises before more than the limit is held."""
        limit = self._room.limits.body_bytes
        inflater = Inflater(packing, limit) if packing else None
        chunks: list[bytes] = []
        wire_bytes = 0
        more = True
        while more:
            message = await receive()
            if message["type"] != "http.request":
                raise _GoneError
            chunk: bytes = message["body"]
            more = message["more_body"]
            wire_bytes += len(chunk)
            if wire_bytes > limit:
                raise TooLargeError(f"the body is longer than {self._limit}")
            if inflater is not None:
                chunk = inflater.feed(chunk)
            hold(len(chunk))
            chunks.append(chunk)
        if inflater is not None:
            inflater.end()
        return chunks[0] if len(chunks) == 1 else b"".join(chunks)

    @property
    def _limit(self) -> str:
        return f"{self._room.limits.body_bytes} bytes"

    async def _refuse(self, error: RefusedError, encoding: Encoding, headers: Headers, send: Send) -> None:
        status, code = _REFUSALS[error.why]
        again_s = None if error.why == "malformed" else error.retry_after_s or DEFAULT_RETRY_S
        retry = [] if again_s is None else [(b"retry-after", str(max(1, math.ceil(again_s))).encode())]
        self._counters[f"http.refused.{error.why}"] += 1
        body = answers.refused(code, error.message, encoding, again_s)
        await _send(send, status, answers.CONTENT_TYPE[encoding], body, *retry, *_leave(headers))


def _encoding(headers: Headers) -> Encoding:
    encoding = _ENCODINGS.get(_media_type(headers))
    if encoding is None:
        raise _AnswerError(
            415, answers.INVALID_ARGUMENT, "content-type is neither application/x-protobuf nor application/json"
        )
    return encoding


def _media_type(headers: Headers) -> bytes:
    return headers.get(b"content-type", b"").partition(b";")[0].strip().lower()


def _packing(headers: Headers) -> Packing | None:
    coding = headers.get(b"content-encoding", b"").strip().lower()
    if coding not in _PACKINGS:
        raise _AnswerError(
            415,
            answers.INVALID_ARGUMENT,
            "content-encoding is none of gzip, deflate and identity",
            (b"accept-encoding", b"gzip, deflate"),
        )
    return _PACKINGS[coding]


def _not_allowed(methods: bytes) -> _AnswerError:
    return _AnswerError(405, answers.UNIMPLEMENTED, f"the method here is {methods.decode()}", (b"allow", methods))


def _leave(headers: Headers) -> list[tuple[bytes, bytes]]:
    """A client that waits for `100 Continue` and is refused may send its body or not: only an end is unambiguous."""
    return [(b"connection", b"close")] if headers.get(b"expect", b"").lower() == b"100-continue" else []


async def _send(send: Send, status: int, content_type: bytes, body: bytes, *headers: tuple[bytes, bytes]) -> None:
    start = [(b"content-type", content_type), (b"content-length", str(len(body)).encode()), *headers]
    await send({"type": "http.response.start", "status": status, "headers": start})
    await send({"type": "http.response.body", "body": body})
