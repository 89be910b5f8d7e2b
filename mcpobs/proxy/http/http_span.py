"""The span of an HTTP request, by the conventions for HTTP servers. It is no operation: it has no method of MCP's."""

from __future__ import annotations

import os
from typing import Literal

import orjson

from mcpobs import semconv
from mcpobs.gate.row import Row
from mcpobs.masking import http_method
from mcpobs.protocol.operation import Stamp, TraceContext
from mcpobs.protocol.trace import parse_traceparent
from mcpobs.proxy.http.context import Ending, Request
from mcpobs.proxy.http.paths import path_of
from mcpobs.proxy.http.recorded_head import RecordedHead

_REJECTIONS = {
    -32700: "parse_error",
    -32600: "invalid_request",
    -32602: "invalid_params",
    -32020: "header_mismatch",
    -32021: "missing_capability",
    -32022: "unsupported_version",
}
_REJECTED_STATUS = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    406: "not_acceptable",
    408: "request_timeout",
    411: "length_required",
    413: "too_large",
    415: "unsupported_media_type",
    421: "misdirected",
    429: "too_many_requests",
}


class HttpSpan:
    """What is known of one request and its response; `columns` goes into the rows of its operations too."""

    def __init__(self, request: Request, head: RecordedHead, unverified: str | None) -> None:
        self._request = request
        self._head = head
        self._unverified = unverified  # why the request's token vouches for nobody
        self.parent = parse_traceparent(request.headers.get("traceparent"))
        ids = os.urandom(24).hex()
        self.context = TraceContext(
            self.parent.trace_id if self.parent else ids[16:],
            ids[:16],
            self.parent.flags if self.parent else 1,
        )
        self.user_agent = head.user_agent(request.headers)
        self.stream: Literal["standing", "request"] | None = None
        self.request_bytes = 0
        self.response_bytes = 0
        self.unread_bytes = 0
        self.status: int | None = None
        self._rejection: str | None = None
        self._answered_mono_ns = 0
        self._columns: Row | None = None  # as they are once the response has begun
        self._before_answer: Row = {}
        if self.user_agent is not None:
            self._before_answer["user_agent"] = self.user_agent
        headers = head.headers(request.headers)
        if headers is not None:
            self._before_answer["http_headers"] = headers

    @property
    def is_error(self) -> bool:
        return self.status is not None and self.status >= 400

    def answered(self, status: int, connect_ns: int | None, now: Stamp) -> None:
        """The head of the response came."""
        self.status = status
        self._answered_mono_ns = now.mono_ns
        self._columns = {"http_status": status, **self._before_answer}
        if connect_ns is not None:
            self._columns["http_connect_ns"] = connect_ns
        self._columns["http_first_byte_ns"] = now.mono_ns - self._request.began.mono_ns

    def rejected(self, code: object) -> None:
        """The response refuses the request with this code of JSON-RPC."""
        self._rejection = _REJECTIONS.get(code) if isinstance(code, int) else None

    def columns(self) -> Row:
        return dict(self._before_answer if self._columns is None else self._columns)

    def row(self, how: Ending, now: Stamp) -> Row:
        """The span, once the request has ended."""
        request, status = self._request, self.status
        method = http_method(request.method)
        columns: Row = {
            "trace_id": self.context.trace_id,
            "span_id": self.context.span_id,
            "trace_flags": self.context.flags,
            "name": method,  # by the conventions, because the path is the caller's
            "kind": "server",
            "start_unix_nano": request.began.unix_nano,
            "duration_ns": max(0, now.mono_ns - request.began.mono_ns),
        }
        if self.parent is not None:
            columns["parent_span_id"] = self.parent.span_id
        columns.update(self._before_answer if self._columns is None else self._columns)
        if status is not None:
            columns["http_stream_ns"] = max(0, now.mono_ns - self._answered_mono_ns)
        if status is not None and status >= 500:
            columns["error_type"] = str(status)
        elif how in ("server_disconnect", "unreachable"):
            columns["error_type"] = how
        columns["attributes"] = orjson.dumps(self._attributes(method, how)).decode()
        return columns

    def _attributes(self, method: str, how: Ending) -> dict[str, str | int]:
        request = self._request
        attributes: dict[str, str | int] = {
            semconv.HTTP_METHOD: method,
            semconv.URL_PATH: self._head.path(path_of(request.target)),
            semconv.HTTP_REQUEST_BYTES: self.request_bytes,
            semconv.HTTP_RESPONSE_BYTES: self.response_bytes,
            semconv.HTTP_VERSION: request.version,
            semconv.HTTP_ENDED: how,
        }
        if self._unverified is not None:
            attributes[semconv.HTTP_UNVERIFIED] = self._unverified
        if self.unread_bytes:
            attributes[semconv.HTTP_UNREAD_BYTES] = self.unread_bytes
        if request.peer is not None:
            attributes[semconv.CLIENT_ADDRESS] = request.peer
        if self.is_error:
            rejection = self._rejection or _REJECTED_STATUS.get(self.status or 0)
            if rejection is not None:
                attributes[semconv.HTTP_REJECTION] = rejection
        if self.stream is not None:
            attributes[semconv.HTTP_STREAM] = self.stream
        return attributes
