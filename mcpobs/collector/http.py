"""Receives OTLP over HTTP: reads a request's body within its limits and turns the intake's result into a response."""

from __future__ import annotations

import json
from collections import Counter
from typing import Final

from aiohttp import web

from mcpobs.collector import answers, body, exposition, faults
from mcpobs.collector.auth import Tokens
from mcpobs.collector.body import GoneError
from mcpobs.collector.callers import Callers, ForeignError
from mcpobs.collector.connection import Connection
from mcpobs.collector.headers import Headers, announced_bytes, encoding_of, encoding_to_refuse, packing_of
from mcpobs.collector.inflate import TooLargeError
from mcpobs.collector.intake import Accepted, Encoding, Intake, RefusedError, Signal
from mcpobs.collector.limits import Room
from mcpobs.collector.refusal import Refusal, RefusalError, by_the_intake, not_allowed, unauthenticated
from mcpobs.collector.reply import Header, Reply, Silence, describing

SIGNALS: Final[dict[str, Signal]] = {"/v1/traces": "traces", "/v1/metrics": "metrics", "/v1/logs": "logs"}
HEALTH = "/healthz"
METRICS = "/metrics"


class HttpReceiver:
    """The HTTP application. `counters` are shared with the other components."""

    def __init__(
        self, intake: Intake, room: Room, tokens: Tokens, counters: Counter[str], callers: Callers | None = None
    ) -> None:
        self._intake = intake
        self._room = room
        self._tokens = tokens
        self._counters = counters
        self._callers = callers or Callers()

    async def answer(
        self, request: web.BaseRequest, given_headers: list[Header], connection: Connection
    ) -> web.StreamResponse:
        headers = connection.headers
        cors = self._callers.cors(given_headers)
        try:
            self._check_caller(given_headers)
            preflight = self._callers.preflight(request.method, given_headers)
            if preflight is not None:
                self._counters["http.answered.204"] += 1
                return Reply(connection, 204, preflight)
            content_type, content = await self._answer(request, headers, connection)
        except RefusalError as error:
            refusal = error.refusal
        except GoneError:
            if not connection.refused:
                self._counters["http.gone"] += 1
            return Silence(connection)
        else:
            self._counters["http.answered.200"] += 1
            return Reply(connection, 200, [*cors, *describing(content_type, content)], content)
        # Outside of the handler, because an error's traceback keeps all that was read of the body.
        return self._refused(refusal, cors, headers, connection)

    def _refused(self, refusal: Refusal, cors: list[Header], headers: Headers, connection: Connection) -> Reply:
        self._counters[f"http.answered.{refusal.status}"] += 1
        self._counters[f"http.refused.{refusal.reason}"] += 1
        described, content = refusal.described(encoding_to_refuse(headers))
        # A client that waits for 100-continue may still send its body or not: only closing is unambiguous.
        return Reply(connection, refusal.status, [*described, *cors], content, ends=connection.expects_continue)

    def _check_caller(self, headers: list[Header]) -> None:
        try:
            self._callers.check(headers)
        except ForeignError as error:
            status, code = (
                (400, answers.INVALID_ARGUMENT) if error.reason == "malformed" else (403, answers.PERMISSION_DENIED)
            )
            raise RefusalError(error.reason, status, code, str(error)) from None

    async def _answer(self, request: web.BaseRequest, headers: Headers, connection: Connection) -> tuple[bytes, bytes]:
        if request.path in SIGNALS:
            return await self._export(request, headers, connection)
        if request.path not in (HEALTH, METRICS):
            raise RefusalError(
                "unknown_path", 404, answers.NOT_FOUND, f"nothing is here; OTLP goes to {', '.join(SIGNALS)}"
            )
        if request.method not in ("GET", "HEAD"):
            raise not_allowed(b"GET, HEAD")
        return self._metrics(headers) if request.path == METRICS else self._health(headers)

    def _metrics(self, headers: Headers) -> tuple[bytes, bytes]:
        if not self._admits(headers):
            raise unauthenticated()
        counters = {**self._counters, **self._intake.counters()}
        return exposition.CONTENT_TYPE, exposition.exposed(counters, self._intake.trouble is not None)

    def _health(self, headers: Headers) -> tuple[bytes, bytes]:
        trouble = self._intake.trouble
        health: dict[str, object] = {"status": "ok" if trouble is None else "degraded"}
        if self._admits(headers):
            if trouble is not None:
                health["trouble"] = trouble
            health["counters"] = dict(sorted({**self._counters, **self._intake.counters()}.items()))
        return answers.CONTENT_TYPE["json"], json.dumps(health).encode() + b"\n"

    async def _export(self, request: web.BaseRequest, headers: Headers, connection: Connection) -> tuple[bytes, bytes]:
        if request.method != "POST":
            raise not_allowed(b"POST")
        if not self._admits(headers):
            raise unauthenticated()
        signal, encoding = SIGNALS[request.path], encoding_of(headers)
        try:
            taken = await self._taken(signal, encoding, request, headers, connection)
        except RefusedError as error:
            raise by_the_intake(error) from None
        except TooLargeError as error:
            raise RefusalError(
                "too_large", 413, answers.RESOURCE_EXHAUSTED, f"{error}, the limit of --max-body"
            ) from None
        except (RefusalError, GoneError):
            raise
        except Exception as error:  # of the intake: this client gets an error, and the next is served
            faults.log(error)
            raise RefusalError("failed", 500, answers.INTERNAL, "the collector failed; see its log") from None
        return answers.CONTENT_TYPE[encoding], answers.accepted(signal, encoding, taken)

    async def _taken(
        self, signal: Signal, encoding: Encoding, request: web.BaseRequest, headers: Headers, connection: Connection
    ) -> Accepted:
        packing, limit_bytes = packing_of(headers), self._room.limits.body_bytes
        self._room.check(announced_bytes(headers, limit_bytes))
        if connection.expects_continue:
            connection.grant_continue()
        with self._room.place() as place:
            content = await body.read(request.content, packing, limit_bytes, place)
            with self._room.storing():
                return await self._intake.take(signal, encoding, content)

    def _admits(self, headers: Headers) -> bool:
        return self._tokens.admit(headers.get(b"authorization"))
