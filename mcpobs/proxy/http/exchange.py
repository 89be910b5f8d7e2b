"""One HTTP request with its response, as it is recorded: what they carried as operations, and the HTTP span beside.

Does no I/O: the front says what it reads, and passes it on after that. A finished call is so on disk before the client
knows of it.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import parse_qsl, urljoin

import orjson

from mcpobs import semconv
from mcpobs.gate.gate import Gate
from mcpobs.gate.row import Row
from mcpobs.masking import MAX_VALUE, carries_secret, http_method, masked_header, masked_path, masked_urls
from mcpobs.protocol.call import Call
from mcpobs.protocol.decode import decode, is_too_large
from mcpobs.protocol.eras import is_modern
from mcpobs.protocol.naming import session_digest
from mcpobs.protocol.operation import Stamp, TraceContext
from mcpobs.protocol.outcome import Verdict, of_error
from mcpobs.protocol.session import Caller, Identity, Session
from mcpobs.protocol.splice import with_trace_context
from mcpobs.protocol.sse import Event
from mcpobs.protocol.text import bounded
from mcpobs.protocol.trace import format_traceparent, parse_traceparent
from mcpobs.proxy.http.bodies import OPERATION_WORK, Copies, EventBody, JsonBody
from mcpobs.proxy.http.conversations import ConversationRegistry, RemoteConversation
from mcpobs.sessions.remote import RemoteSessions

Ending = Literal["complete", "client_disconnect", "server_disconnect", "unreachable", "shutdown"]

SESSION_HEADER = "mcp-session-id"
VERSION_HEADER = "mcp-protocol-version"
RESUME_HEADER = "last-event-id"
METHOD_HEADER = "mcp-method"
_EVENTS = "text/event-stream"
_SESSION_PARAMETERS = ("session_id", "sessionid")

STOPPED = Verdict("unfinished", "shutdown")  # by us: neither the server failed nor the client gave up
_GONE = {"server_disconnect": "server_exit", "shutdown": "shutdown"}
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


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request. Names of headers are in lower case; `target` is path and query."""

    method: str
    target: str
    headers: Mapping[str, str]
    version: str
    peer: str | None
    connection: str
    began: Stamp


@dataclass(slots=True)
class ExchangeContext:
    """What all exchanges of a front are recorded in."""

    gate: Gate
    sessions: RemoteSessions
    conversations: ConversationRegistry
    headers: frozenset[str]  # names that may be recorded
    propagate: bool = False
    copies: Copies = field(default_factory=Copies)  # of bodies


class Exchange:
    """Told in this order: `body_of_request` (of a POST), `answered`, `chunk` for each part, `ended`. Only the first
    and the last are sure to come."""

    def __init__(
        self, context: ExchangeContext, request: Request, identity: Identity, unverified: str | None = None
    ) -> None:
        self._unverified = unverified  # why the request's token vouches for nobody
        self._context = context
        self._request = request
        self._identity = identity
        self._remote = self._find_conversation()
        self._parent = parse_traceparent(request.headers.get("traceparent"))
        self.span = TraceContext(
            self._parent.trace_id if self._parent else os.urandom(16).hex(),
            os.urandom(8).hex(),
            self._parent.flags if self._parent else 1,
        )
        self._since = self._before = 0  # places of the operations that it began
        self._body: JsonBody | EventBody | None = None
        self._is_error = False
        self._status: int | None = None
        self._connect_ns: int | None = None
        self._first_byte_ns: int | None = None
        self._answered_mono_ns: int | None = None
        self._request_bytes = self._response_bytes = self._unread_bytes = 0
        self._rejection: str | None = None
        self._headers_json = self._recorded_headers()
        self._columns: Row = {}
        self._is_over = False
        self._session: Session | None = None  # of the operation that it last recorded

    # -- the request ------------------------------------------------------------------------------------

    def body_of_request(self, body: bytes | None, size: int) -> bytes | None:
        """Takes the whole body, before it is passed on; None where it was too large for a copy. Returns what is to
        be passed on in its place, where that is something else."""
        self._request_bytes = size
        if body is None or self._request.method != "POST":
            return None
        ours, rewritten = self._propagated(body)
        conversation = self._remote.conversation
        if conversation.protocol_version is None:
            version = self._request.headers.get(VERSION_HEADER)
            conversation.protocol_version = masked_header(VERSION_HEADER, version, None) if version else None
        self._since = self._context.conversations.lifecycle.registry.sequence
        conversation.caller = self._caller()
        done = conversation.feed("client", body, self._request.began, ours)
        self._before = self._context.conversations.lifecycle.registry.sequence
        for call in done:  # notifications, which nobody answers
            self._record(call)
        return rewritten

    def _propagated(self, body: bytes) -> tuple[TraceContext | None, bytes | None]:
        """Our span as the parent of what the server does, in params._meta."""
        if not self._context.propagate:
            return None, None
        if is_too_large(body):  # what cannot be read is not rewritten
            return None, None
        try:
            parent = parse_traceparent(orjson.loads(body)["params"]["_meta"]["traceparent"])
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
            parent = None
        above = parent or self.span
        ours = TraceContext(above.trace_id, os.urandom(8).hex(), above.flags)
        rewritten = with_trace_context(body, format_traceparent(ours))
        return (ours, rewritten) if rewritten != body else (None, None)

    # -- the response -----------------------------------------------------------------------------------

    def answered(self, status: int, headers: Mapping[str, str], connect_ns: int | None, now: Stamp) -> None:
        """The head of the response came."""
        self._status = status
        self._connect_ns = connect_ns
        self._first_byte_ns = now.mono_ns - self._request.began.mono_ns
        self._answered_mono_ns = now.mono_ns
        issued = headers.get(SESSION_HEADER)
        if issued and status < 400 and self._remote.session_id is None and self._request.method == "POST":
            self._context.conversations.issue(self._remote, session_digest(issued))
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        coding = headers.get("content-encoding")
        self._is_error = status >= 400
        copies = self._context.copies
        if kind == _EVENTS:
            self._body = EventBody(coding, copies)
        elif self._request.method == "POST" and (kind == "application/json" or kind.endswith("+json")):
            self._body = JsonBody(coding, copies)

    def chunk(self, chunk: bytes, now: Stamp) -> Iterator[None]:
        """Takes a part of the response's body, before it is passed on: a step for each slice of it."""
        self._response_bytes += len(chunk)
        if isinstance(self._body, JsonBody):
            yield from self._body.feed(chunk)
        elif self._body is not None:
            for events in self._body.feed(chunk, now.mono_ns):
                for event in events:
                    self._event(event, self._body, now)
                yield

    def _event(self, event: Event, body: EventBody, now: Stamp) -> None:
        is_new = True
        if event.id is not None:
            self._remote.resumable = True
            is_new = self._remote.is_new(event) or RESUME_HEADER not in self._request.headers
        if event.name == "endpoint":
            self._endpoint(event.data)
        elif event.data and is_new:
            body.spend(OPERATION_WORK * self._server_said(event.data, now))

    def complete(self, now: Stamp) -> None:
        """Takes the end of the response, before its last part is passed on."""
        if isinstance(self._body, JsonBody):
            content, body, self._body = self._body.content, self._body, None
            body.close()
            self._unread_bytes = body.unread_bytes
            if content:
                if self._is_error:
                    self._refused_with(content)
                self._server_said(content, now)

    def _server_said(self, frame: bytes, now: Stamp) -> int:
        """Returns how many operations the frame ended."""
        self._remote.conversation.caller = self._caller()
        done = self._remote.conversation.feed("server", frame, now)
        for call in done:
            if self._is_refused and call.operation.sender == "client":
                call.operation.outcome, call.operation.error_type = "protocol_error", None
            self._record(call)
        return len(done)

    @property
    def _is_refused(self) -> bool:
        """By its status the request is at fault, whatever code the body has: SDKs answer a session that they do not
        know with -32001, which elsewhere is a timeout, and one that is missing with -32000."""
        return self._status is not None and 400 <= self._status < 500

    def _refused_with(self, content: bytes) -> None:
        """A JSON-RPC error without an id, as a server answers what it does not let in, is of this request."""
        message = decode(content)
        error = message.get("error") if isinstance(message, dict) else None
        if not isinstance(error, dict):
            return
        assert isinstance(message, dict)
        code = error.get("code")
        self._rejection = _REJECTIONS.get(code) if isinstance(code, int) else None
        if message.get("id") is None:
            verdict = of_error(error, "client")
            self._end_those(Verdict("protocol_error", None, verdict.status_code) if self._is_refused else verdict)

    def _endpoint(self, data: bytes) -> None:
        """HTTP+SSE: where the client is to send what belongs to this stream."""
        url = data.decode("utf-8", "replace")
        try:
            url = urljoin(f"http://front{self._request.target}", url)
        except ValueError:
            return  # no client can call it
        path = path_of(url)
        parameters = {name.lower(): value for name, value in parse_qsl(path.partition("?")[2])}
        name = next((parameters[key] for key in _SESSION_PARAMETERS if parameters.get(key)), path)
        self._context.conversations.name_endpoint(self._remote, path, session_digest(name))

    @property
    def is_awaited(self) -> bool:
        """Whether calls are open in the conversation."""
        return self._remote.conversation.in_flight > 0

    # -- the end ----------------------------------------------------------------------------------------

    def ended(self, how: Ending, now: Stamp) -> None:
        """The exchange is over, however it ended. Says so once."""
        if self._is_over:
            return
        self._is_over = True
        if self._body is not None:
            self._body.close()
            self._unread_bytes = self._body.unread_bytes
        self._end_operations(how, now)
        self._write_span(how, now)

    def _end_operations(self, how: Ending, now: Stamp) -> None:
        status, remote = self._status, self._remote
        if how == "shutdown":
            self._end_those(STOPPED, now)
        elif how == "unreachable":
            self._end_those(Verdict("server_error", "unreachable"), now)
        elif status is not None and status >= 500:
            self._end_those(Verdict("server_error", str(status)), now)
        elif status is not None and status >= 400:
            self._end_those(Verdict("protocol_error"), now)
        elif how == "server_disconnect" and not remote.resumable:
            self._end_those(Verdict("unfinished", "server_exit"), now)
        elif remote.session_id is None and remote.sse_endpoint is None:
            # since 2026-07-28 closing the stream is how a client cancels
            modern = is_modern(remote.conversation.protocol_version)
            left = Verdict("cancelled") if modern else Verdict("unfinished", "client_disconnect")
            lost = Verdict("unfinished", "server_exit")
            self._end_those(left if how == "client_disconnect" else lost, now)
        if remote.sse_endpoint is not None and self._request.method == "GET":
            self.close_conversation(_GONE.get(how, "client_disconnect"), now)
        gone = status == 404 and not remote.issued  # an id that the server does not know
        if gone or (self._request.method == "DELETE" and status is not None and status < 300):
            self.close_conversation("client_disconnect", now)

    def _end_those(self, verdict: Verdict, now: Stamp | None = None) -> None:
        if self._since < self._before and self._remote.conversation.in_flight:
            at = now or self._request.began
            self._remote.conversation.caller = self._caller()
            for call in self._remote.conversation.end_those(self._since, self._before, at, verdict):
                self._record(call)

    def close_conversation(self, error_type: str, now: Stamp) -> None:
        """Ends the conversation, and what it left open."""
        self._context.conversations.leave(self._remote)
        self._remote.conversation.caller = self._caller()
        for call in self._remote.conversation.close(now, error_type):
            self._record(call)

    @staticmethod
    def close_forgotten(
        context: ExchangeContext, remote: RemoteConversation, now: Stamp, error_type: str = "client_disconnect"
    ) -> None:
        """Ends what a conversation left open that is no longer kept."""
        if remote.caller is not None:
            for call in remote.conversation.close(now, error_type):
                context.gate.record(call)

    # -- records ----------------------------------------------------------------------------------------

    def _record(self, call: Call) -> None:
        operation = call.operation
        caller = self._remote.caller = call.caller
        session = self._session = call.session
        columns: Row = {}
        if operation.parent is None and operation.span is None:
            columns["trace_id"], columns["trace_flags"] = self.span.trace_id, self.span.flags
            columns["parent_span_id"] = self.span.span_id
        elif operation.parent is None:
            columns["parent_span_id"], columns["trace_flags"] = self.span.span_id, self.span.flags
        else:
            columns["links"] = orjson.dumps([{"trace_id": self.span.trace_id, "span_id": self.span.span_id}]).decode()
        self._describe_http(columns)
        extra = None
        if session.source == "protocol_session" and caller.protocol_session is not None:
            extra = {semconv.MCP_SESSION_ID: caller.protocol_session}
        self._context.gate.record(call, extra, columns)

    def _describe_http(self, columns: Row) -> None:
        for column, value in (
            ("http_status", self._status),
            ("user_agent", self._user_agent),
            ("http_headers", self._headers_json),
            ("http_connect_ns", self._connect_ns),
            ("http_first_byte_ns", self._first_byte_ns),
        ):
            if value is not None:
                columns[column] = value

    def _write_span(self, how: Ending, now: Stamp) -> None:
        """The HTTP span, by the conventions for HTTP servers; it is no operation, for it has no method of MCP's."""
        request = self._request
        method = http_method(request.method)
        columns: Row = {
            "trace_id": self.span.trace_id,
            "span_id": self.span.span_id,
            "trace_flags": self.span.flags,
            "name": method,  # by the conventions, for the path is the caller's
            "kind": "server",
            "start_unix_nano": request.began.unix_nano,
            "duration_ns": max(0, now.mono_ns - request.began.mono_ns),
        }
        if self._parent is not None:
            columns["parent_span_id"] = self._parent.span_id
        self._describe_http(columns)
        if self._answered_mono_ns is not None:
            columns["http_stream_ns"] = max(0, now.mono_ns - self._answered_mono_ns)
        status = self._status
        if status is not None and status >= 500:
            columns["error_type"] = str(status)
        elif how in ("server_disconnect", "unreachable"):
            columns["error_type"] = how
        attributes: dict[str, str | int] = {
            semconv.HTTP_METHOD: method,
            semconv.URL_PATH: masked_path(path_of(request.target)),
            semconv.HTTP_REQUEST_BYTES: self._request_bytes,
            semconv.HTTP_RESPONSE_BYTES: self._response_bytes,
            semconv.HTTP_VERSION: request.version,
            semconv.HTTP_ENDED: how,
        }
        if self._unverified is not None:
            attributes[semconv.HTTP_UNVERIFIED] = self._unverified
        if self._unread_bytes:
            attributes[semconv.HTTP_UNREAD_BYTES] = self._unread_bytes
        if request.peer is not None:
            attributes[semconv.CLIENT_ADDRESS] = request.peer
        rejection = self._rejection or _REJECTED_STATUS.get(status or 0)
        if rejection is not None and self._is_error:
            attributes[semconv.HTTP_REJECTION] = rejection
        if isinstance(self._body, EventBody):
            attributes[semconv.HTTP_STREAM] = "standing" if request.method == "GET" else "request"
        columns["attributes"] = orjson.dumps(attributes).decode()
        self._context.gate.recorder.note(self._session or self._of_nobody(), columns)

    def _of_nobody(self) -> Session:
        """The session of a request that carried no operation."""
        self._remote.conversation.caller = self._caller()
        return self._remote.conversation.session(self._request.began)

    # -- who --------------------------------------------------------------------------------------------

    def _find_conversation(self) -> RemoteConversation:
        conversations, request = self._context.conversations, self._request
        if request.method == "POST":
            found = conversations.of_endpoint(request.target)
            if found is not None:
                return found
        session_id = request.headers.get(SESSION_HEADER)
        modern = is_modern(request.headers.get(VERSION_HEADER))
        if session_id and not modern:
            return conversations.of_session(session_digest(session_id))
        return conversations.single()

    def _caller(self) -> Caller:
        remote, request = self._remote, self._request
        sse = remote.sse_endpoint is not None
        return Caller(
            connection=request.connection,
            transport="sse" if sse else "http",
            peer=request.peer,
            user_agent=self._user_agent,
            protocol_session=remote.session_id,
            minted=remote.issued,
            sse_endpoint=remote.sse_endpoint,
            trace=self._parent.trace_id if self._parent is not None else None,
            identity=self._identity,
        )

    @property
    def _user_agent(self) -> str | None:
        found = self._request.headers.get("user-agent")
        return bounded(masked_urls(found), MAX_VALUE) if found else None

    def _recorded_headers(self) -> str | None:
        method = self._request.headers.get(METHOD_HEADER)
        found = {
            name: bounded(masked_header(name, value, method), MAX_VALUE)
            for name, value in self._request.headers.items()
            if name in self._context.headers and name != "user-agent" and not carries_secret(name)
        }
        return orjson.dumps(found).decode() if found else None


def path_of(url: str) -> str:
    """Path and query of a URL that may be relative or absolute."""
    rest = url.strip()
    scheme, found, after = rest.partition("://")
    if found and "/" not in scheme:
        return "/" + after.partition("/")[2]
    return rest if rest.startswith("/") else "/" + rest
