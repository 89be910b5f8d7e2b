"""One HTTP request with its response, as it is recorded: what they carried as operations, and the HTTP span beside.

Does no I/O: the front says what it reads, and passes it on after that. A finished call is so on disk before the client
knows of it. While calls are judged (`hold_request`, `hold_response`) the front passes on what the gate releases.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urljoin

import orjson

from mcpobs import semconv
from mcpobs.gate.row import Extra, Row
from mcpobs.gate.waiting import Failed, Waiting
from mcpobs.masking import masked_header
from mcpobs.protocol.call import Call
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.cut import Cut
from mcpobs.protocol.decode import decode, decode_cut, is_too_large
from mcpobs.protocol.eras import is_modern
from mcpobs.protocol.failure import text_of_error
from mcpobs.protocol.header_names import HeaderNames
from mcpobs.protocol.naming import session_digest
from mcpobs.protocol.operation import Operation, Sender, Stamp, TraceContext
from mcpobs.protocol.outcome import OK, Verdict, of_error
from mcpobs.protocol.session import Caller, Identity, Session
from mcpobs.protocol.splice import with_trace_context
from mcpobs.protocol.sse import Event
from mcpobs.protocol.trace import format_traceparent, parse_traceparent
from mcpobs.proxy.http.bodies import OPERATION_WORK, EventBody, JsonBody
from mcpobs.proxy.http.codings import is_hidden
from mcpobs.proxy.http.context import (
    RESUME_HEADER,
    SESSION_HEADER,
    VERSION_HEADER,
    Begun,
    Ending,
    ExchangeContext,
    Request,
    is_events,
    is_json,
)
from mcpobs.proxy.http.conversations import RemoteConversation
from mcpobs.proxy.http.http_span import HttpSpan
from mcpobs.proxy.http.paths import path_of
from mcpobs.proxy.http.redirects import REDIRECTED, Hop, Redirected, digest, location

if TYPE_CHECKING:
    from mcpobs.gate.frames import Held
    from mcpobs.protocol.frames import Fault
    from mcpobs.proxy.http.judged_conversation import JudgedConversation
    from mcpobs.proxy.http.judging import Judged

_SESSION_PARAMETERS = ("session_id", "sessionid")
_GONE = {"server_disconnect": "server_exit", "shutdown": "shutdown"}
STOPPED = Verdict("unfinished", "shutdown")  # by us: neither the server failed nor the client gave up
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"  # before the JSON of an event no client accepts it
NOT_MCP = Verdict("server_error", "not_mcp")  # e.g. a login page with status 200
_SESSION_GONE = "-32001"  # over HTTP, unless the text says that the time is over
_TIMED_OUT = re.compile(rb"(?i)time[sd]?[ _-]?out|deadline")
UNREADABLE = Verdict("denied", "too_large")  # a limit of the front, and no failure of the server


class Exchange:
    """Order of calls: `body_of_request` (of a POST), `answered`, `chunk` for each part, `complete`, `ended`. Only the
    last is sure to come."""

    def __init__(
        self, context: ExchangeContext, request: Request, identity: Identity, unverified: str | None = None
    ) -> None:
        self._context = context
        self._request = request
        self._identity = identity
        self._remote = self._find_conversation()
        self._span = HttpSpan(request, context.head, unverified)
        self._own_span: TraceContext | None = None  # of the call, if it reaches the server with it
        self._since = self._before = 0  # sequence of the operations that it began
        self._body: JsonBody | EventBody | None = None
        self._is_over = False
        self._is_redirected = False
        self._is_void = False  # no client reads a message from the response
        self._unanswered: Verdict | None = None  # of the calls that the response does not answer
        self._says_timeout = False
        self._digest = b""  # of the request
        self._session: Session | None = None  # of the operation that it last recorded
        self._known_caller: Caller | None = None
        self._waiting: Waiting | None = None
        self.decided: Judged | None = None
        """What became of the request, for one that a redirect leads to."""

    @property
    def remote(self) -> RemoteConversation:
        return self._remote

    @property
    def judged(self) -> JudgedConversation:
        """What is kept of the conversation while calls are judged."""
        assert self._remote.judged is not None, "nobody judges"
        return self._remote.judged

    # -- the request ------------------------------------------------------------------------------------

    def body_of_request(self, body: bytes | Cut | None, size: int) -> bytes | None:
        """Takes the whole body without its coding, before it is passed on; None if it was too large for a copy. `size`
        is that of the body as it is sent. Returns the bytes to pass on in its place, if they are others."""
        self._span.request_bytes = size
        if body is None or self._request.method != "POST":
            return None
        if self._follow(body) is not None:
            return self._parented(body)
        self._own_span, rewritten = self._propagated(body)
        done = self._begin().feed("client", body, self._request.began, self._own_span)
        self._before = self._sequence
        for call in done:  # notifications, which nobody answers
            self._record(call)
        return rewritten

    def claim(self) -> bool:
        """Takes the conversation for the caller's tenant. False if it is another tenant's: what is judged for that one
        would go to this caller."""
        remote, tenant = self._remote, self._identity.tenant
        if remote.tenant is None:
            remote.tenant = tenant
        return remote.tenant == tenant

    def hold_request(self, body: bytes, size: int) -> Held:
        """Takes the whole body to the gate; `size` is that of the body as it was sent."""
        self._span.request_bytes = size
        self._own_span, _ = self._propagated(body)
        self._begin()
        held = self.judged.frame_gate.take("client", body, self._request.began, self._record, self._own_span)
        self._before = self._sequence
        return held

    def follow(self, body: bytes, size: int) -> Judged | None:
        """What was decided of a request that was redirected to this one; None for one that is to be decided."""
        self._span.request_bytes = size
        begun = self._follow(body)
        return begun.judged if begun is not None else None

    def _follow(self, body: bytes | Cut) -> Begun | None:
        """Goes on with what the request began that was redirected to this one."""
        request = self._request
        self._digest = digest(body, request.headers)
        begun = self._context.redirects.follow(request.peer, request.target, self._digest)
        if begun is not None and not begun.remote.conversation.take_back(begun.aside):
            self._give_up(begun, now=self._request.began)
            return None
        if begun is not None:
            self._remote, self._own_span = begun.remote, begun.own_span
            self._since, self._before = begun.since, begun.before
        return begun

    def _parented(self, body: bytes | Cut) -> bytes | None:
        """The body with the span of the call that it goes on with, if that was put there."""
        if self._own_span is None or isinstance(body, Cut):
            return None
        return with_trace_context(body, format_traceparent(self._own_span))

    def onward(self, frame: bytes) -> bytes:
        """A released request as the server gets it: with our span as its parent, if spans are propagated."""
        return frame if self._own_span is None else with_trace_context(frame, format_traceparent(self._own_span))

    def refuse(self, sender: Sender, fault: Fault, now: Stamp) -> None:
        """Records a body that nobody read."""
        conversation = self._remote.conversation
        conversation.caller = self._caller()
        self._context.gate.refuse(conversation.session(now), sender, fault, now)
        if sender == "server":
            self._end_those(UNREADABLE, now)

    def _propagated(self, body: bytes | Cut) -> tuple[TraceContext | None, bytes | None]:
        """Our span as the parent of what the server does, in params._meta."""
        if not self._context.propagate or isinstance(body, Cut) or is_too_large(body):
            return None, None  # what cannot be read is not rewritten
        if "content-encoding" in self._request.headers and self._remote.judged is None:
            return None, None  # the body passes as it came; one that is judged passes without its coding
        try:
            parent = parse_traceparent(orjson.loads(body)["params"]["_meta"]["traceparent"])
        except (orjson.JSONDecodeError, KeyError, TypeError, IndexError):
            parent = None
        above = parent or self._span.context
        ours = TraceContext(above.trace_id, os.urandom(8).hex(), above.flags)
        rewritten = with_trace_context(body, format_traceparent(ours))
        return (ours, rewritten) if rewritten != body else (None, None)

    def _begin(self) -> Conversation:
        """The conversation, ready for what this request says."""
        conversation = self._remote.conversation
        if conversation.protocol_version is None:
            version = self._request.headers.get(VERSION_HEADER)
            conversation.protocol_version = masked_header(VERSION_HEADER, version, None) if version else None
        conversation.caller = self._caller()
        self._since = self._sequence
        return conversation

    @property
    def copied(self) -> Mapping[str, HeaderNames]:
        """The arguments that the server's tools copy to headers."""
        return self._context.conversations.lifecycle.registry.catalog.headers

    @property
    def _sequence(self) -> int:
        return self._context.conversations.lifecycle.registry.sequence

    # -- the response -----------------------------------------------------------------------------------

    def answered(self, status: int, headers: Mapping[str, str], connect_ns: int | None, now: Stamp) -> None:
        """The head of the response came."""
        self._span.answered(status, connect_ns, now)
        method = self._request.method
        issued = headers.get(SESSION_HEADER)
        if issued and status < 400 and self._remote.session_id is None and method == "POST":
            self._context.conversations.issue(self._remote, session_digest(issued))
        path = location(status, headers, self._request.target) if method == "POST" else None
        if path is not None:
            self._redirected(path, now)
            return
        kind, coding = headers.get("content-type"), headers.get("content-encoding")
        self._is_void = method == "POST" and not (is_json(kind) or is_events(kind))
        if 300 <= status < 400:
            self._unanswered, self._is_void = NOT_MCP, True
        elif is_events(kind):
            self._span.stream = "standing" if method == "GET" else "request"
            self._body = EventBody(coding, self._context.copies)
            self._unanswered = OK if is_hidden(coding) else None
        elif method == "POST":
            self._body = JsonBody(coding, self._context.copies) if is_json(kind) else None
            if status == 202:
                self._is_void = True
            else:  # all that the client gets for its calls
                self._unanswered = OK if self._body is not None and is_hidden(coding) else NOT_MCP

    def _redirected(self, path: str, now: Stamp) -> None:
        """Keeps the request's calls open: the client makes them at the new place. Its notifications have their rows."""
        self._is_redirected = True
        aside = self._remote.conversation.set_aside(self._since, self._before) if self._since < self._before else []
        begun = Begun(self._remote, aside, self._since, self._before, self._own_span, self.decided)
        hop = Hop(self._request.peer, path, self._digest)
        give_up = partial(self._give_up, now=now)
        self._context.redirects.add(Redirected(hop, now.mono_ns, begun, give_up))

    def _give_up(self, begun: Begun, now: Stamp) -> None:
        conversation = begun.remote.conversation
        conversation.caller = self._caller()
        for call in (call for call, _ in begun.aside if call.operation.outcome is None):
            conversation.end(call, now, REDIRECTED)
            if not call.tentative:
                self._record(call)

    def chunk(self, chunk: bytes, now: Stamp) -> Iterator[None]:
        """Takes a part of the response's body, before it is passed on: a step for each slice of it."""
        self._span.response_bytes += len(chunk)
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
            is_new = self._remote.is_new(event) or not self.resumes
        if event.name == "endpoint":
            self.endpoint(event.data)
        elif event.name == "message" and event.data and is_new and not event.data.startswith(_BYTE_ORDER_MARK):
            frame = event.cut or event.data
            ended = self._responded(frame, now)
            if not ended and b'"error"' in event.data:
                self.rejected(frame)
            body.spend(OPERATION_WORK * ended)

    @property
    def resumes(self) -> bool:
        """Whether the request asks for the events again that its client may have missed."""
        return RESUME_HEADER in self._request.headers

    def complete(self, now: Stamp) -> None:
        """Takes the end of the response, before its last part is passed on."""
        if isinstance(self._body, JsonBody):
            content, body, self._body = self._body.content, self._body, None
            body.close()
            self._span.unread_bytes = body.unread_bytes
            if content and (not self._responded(content, now) or self._span.is_error):
                self.rejected(content)

    def count(self, size: int) -> None:
        """Counts bytes of a response that is held, not read along."""
        self._span.response_bytes += size

    def hold_response(self, frame: bytes, now: Stamp) -> Held:
        """Takes a message of the server to the gate."""
        self._answering(frame)
        return self.judged.frame_gate.take("server", frame, now, self._record_response)

    def _responded(self, frame: bytes | Cut, now: Stamp) -> int:
        """Returns how many operations the frame ended."""
        done = self._answering(frame).feed("server", frame, now)
        for call in done:
            self._record_response(call)
        return len(done)

    def _answering(self, frame: bytes | Cut) -> Conversation:
        """The conversation, ready for what the response says."""
        text = frame if isinstance(frame, bytes) else frame.head + frame.tail
        self._says_timeout = b"-32001" in text and _TIMED_OUT.search(text) is not None
        conversation = self._remote.conversation
        conversation.caller = self._caller()
        if self._remote.sse_endpoint is None:  # HTTP+SSE has one stream for all requests
            conversation.stream = (self._since, self._before)
        return conversation

    def _record_response(self, call: Call) -> None:
        """By its status the request is at fault, whatever code the body has: SDKs answer a session that they do not
        know with -32001, which elsewhere is a timeout, and one that is missing with -32000. No client takes the result
        of a response that says that it failed, or of one whose type is not of MCP."""
        operation, status = call.operation, self._span.status
        if operation.sender == "client" and operation.outcome != "denied":
            if self._is_refused or self._is_session_gone(operation):
                operation.outcome, operation.error_type = "protocol_error", None
            elif status is not None and status >= 500 and operation.status_code is None:
                operation.outcome, operation.error_type = "server_error", str(status)
            elif self._is_void:
                operation.outcome, operation.error_type, operation.status_code = NOT_MCP
        self._record(call)

    def _is_session_gone(self, operation: Operation) -> bool:
        return operation.outcome == "timeout" and operation.status_code == _SESSION_GONE and not self._says_timeout

    @property
    def _is_refused(self) -> bool:
        status = self._span.status
        return status is not None and 400 <= status < 500

    def rejected(self, content: bytes | Cut, ends: bool = True) -> None:
        """A JSON-RPC error without an id, as a server answers what it does not let in, is of this request, which it
        ends unless the gate does (`ends`)."""
        message = decode_cut(content) if isinstance(content, Cut) else decode(content)
        error = message.get("error") if isinstance(message, dict) else None
        if not isinstance(error, dict):
            return
        assert isinstance(message, dict)
        self._span.rejected(error.get("code"))
        if ends and message.get("id") is None:
            verdict = of_error(error, "client")
            is_callers = self._is_refused or (verdict.outcome == "timeout" and not self._says_timeout)
            verdict = Verdict("protocol_error", None, verdict.status_code) if is_callers else verdict
            self._end_those(verdict, text=text_of_error(error))

    def endpoint(self, data: bytes) -> None:
        """HTTP+SSE: the server says to which URL the client is to send what belongs to this stream."""
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
        """Takes the end of the exchange, however it ended; only the first time counts."""
        if self._is_over:
            return
        self._is_over = True
        if self._body is not None:
            self._body.close()
            self._span.unread_bytes = self._body.unread_bytes
        self._end_operations(how, now)
        session = self._session
        if session is None:
            self._remote.conversation.caller = self._caller()
            session = self._remote.conversation.session(self._request.began)
        self._context.gate.recorder.note(session, self._span.row(how, now))

    def _end_operations(self, how: Ending, now: Stamp) -> None:
        status, remote = self._span.status, self._remote
        if self._is_redirected:
            return
        if how == "shutdown":
            self._end_those(STOPPED, now)
        elif how == "unreachable":
            self._end_those(Verdict("server_error", "unreachable"), now, "the server cannot be reached")
        elif status is not None and status >= 500:
            self._end_those(Verdict("server_error", str(status)), now, f"HTTP {status}")
        elif status is not None and status >= 400:
            self._end_those(Verdict("protocol_error"), now, f"HTTP {status}")
        elif how == "complete" and self._unanswered is not None:
            self._end_those(self._unanswered, now)
        elif how == "server_disconnect" and not remote.resumable:
            self._end_those(Verdict("unfinished", "server_exit"), now)
        elif remote.session_id is None and remote.sse_endpoint is None:
            # since 2026-07-28 closing the stream is how a client cancels
            modern = is_modern(remote.conversation.protocol_version)
            left = Verdict("cancelled", "client_disconnect") if modern else Verdict("unfinished", "client_disconnect")
            lost = Verdict("unfinished", "server_exit")
            self._end_those(left if how == "client_disconnect" else lost, now)
        if remote.sse_endpoint is not None and self._request.method == "GET":
            self._close_conversation(_GONE.get(how, "client_disconnect"), now)
        gone = status == 404 and not remote.issued  # an id that the server does not know
        if gone or (self._request.method == "DELETE" and status is not None and status < 300):
            self._close_conversation("client_disconnect", now)

    def _end_those(self, verdict: Verdict, now: Stamp | None = None, text: str | None = None) -> None:
        for call in self._taken(verdict, now or self._request.began, text):
            self._record(call)

    def _taken(self, verdict: Verdict, now: Stamp, text: str | None = None) -> list[Call]:
        """Ends the calls of this request that are open, and returns them."""
        if self._since >= self._before or not self._remote.conversation.in_flight:
            return []
        self._remote.conversation.caller = self._caller()
        return self._remote.conversation.end_those(self._since, self._before, now, verdict, text)

    def _close_conversation(self, error_type: str, now: Stamp) -> None:
        """Ends the conversation, and what it left open."""
        self._context.conversations.leave(self._remote)
        self._remote.conversation.caller = self._caller()
        self._remote.close(now, error_type, self._record)

    # -- records ----------------------------------------------------------------------------------------

    def look(self, mono_ns: int, failed: Failed) -> None:
        """Records how the open calls stand that this exchange is to end: its own, and those of its event stream."""
        conversation = self._remote.conversation
        if not conversation.in_flight:
            return
        open_calls = conversation.open_calls()
        if self._remote.sse_endpoint is None or self._request.method != "GET":
            open_calls = [call for call in open_calls if self._since <= call.operation.sequence < self._before]
        self._waiting = self._waiting or Waiting(self._record_pending, failed, self._span.context)
        self._waiting.look(open_calls, mono_ns)

    def _record_pending(self, call: Call) -> None:
        self._context.gate.record_pending(call, *self._placed(call))

    def _record(self, call: Call) -> None:
        self._session = call.session
        self._context.gate.record(call, *self._placed(call))

    def _placed(self, call: Call) -> tuple[Extra | None, Row]:
        """The attributes and columns that place a call below this request, or link it to that."""
        operation = call.operation
        caller = call.caller
        session = call.session
        ours = self._span.context
        columns: Row = {}
        if operation.parent is None and operation.span is None:
            columns["trace_id"], columns["trace_flags"] = ours.trace_id, ours.flags
            columns["parent_span_id"] = ours.span_id
        elif operation.parent is None:
            columns["parent_span_id"], columns["trace_flags"] = ours.span_id, ours.flags
        else:
            columns["links"] = orjson.dumps([{"trace_id": ours.trace_id, "span_id": ours.span_id}]).decode()
        columns.update(self._span.columns())
        extra = None
        if session.source == "protocol_session" and caller.protocol_session is not None:
            extra = {semconv.MCP_SESSION_ID: caller.protocol_session}
        return extra, columns

    # -- who --------------------------------------------------------------------------------------------

    def _find_conversation(self) -> RemoteConversation:
        conversations, request = self._context.conversations, self._request
        if request.method == "POST":
            found = conversations.of_endpoint(request.target)
            if found is not None:
                return found
        session_id = request.headers.get(SESSION_HEADER)
        if session_id and not is_modern(request.headers.get(VERSION_HEADER)):
            return conversations.of_session(session_digest(session_id))
        return conversations.single()

    def _caller(self) -> Caller:
        """Who sends this request, as far as the server has named the session by now."""
        remote, known = self._remote, self._known_caller
        if (
            known is None
            or known.protocol_session != remote.session_id
            or known.sse_endpoint != remote.sse_endpoint
            or known.issued != remote.issued
        ):
            request, parent = self._request, self._span.parent
            known = self._known_caller = Caller(
                connection=request.connection,
                transport="sse" if remote.sse_endpoint is not None else "http",
                peer=request.peer,
                user_agent=self._span.user_agent,
                protocol_session=remote.session_id,
                issued=remote.issued,
                sse_endpoint=remote.sse_endpoint,
                trace=parent.trace_id if parent is not None else None,
                identity=self._identity,
            )
        return known
