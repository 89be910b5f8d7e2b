"""Passes an answer back while the front enforces: each message is held until the gate has decided it. Fails closed."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable

import aiohttp
import orjson
from aiohttp import web
from multidict import CIMultiDict

from mcpobs.gate.frames import Held, Outgoing
from mcpobs.protocol import frames
from mcpobs.protocol.decode import MAX_BYTES, decode
from mcpobs.protocol.lifecycle import now
from mcpobs.protocol.sse import Event, EventSplitter, Piece, with_data
from mcpobs.proxy.http.exchange import Exchange
from mcpobs.proxy.http.judging import TOO_LARGE, UnreadableError, as_one_line, released, without_coding
from mcpobs.proxy.http.observation import Observation
from mcpobs.proxy.http.own_urls import OwnUrls
from mcpobs.proxy.http.redirects import STATUSES
from mcpobs.proxy.http.reply import OF_THE_BYTES, WITHOUT_BODY, Refuse, Reply, plain
from mcpobs.proxy.http.server_names import ServerNames
from mcpobs.proxy.http.upstream import Answer

_LINE_ENDS_OF_SOME = re.compile(rb"[\x0b\x0c\x1c-\x1e]|\xc2\x85|\xe2\x80[\xa8\xa9]")
"""Where some clients end a line of an event stream, and the standard does not (str.splitlines of Python)."""

SendBack = Callable[[bytes], None]
"""Sends the server the answer to a request that it made of the client."""


class JudgedReply(Reply):
    """The answer to one request. `asked` is the message that the client sent, `beside` an answer of the gate to a part
    of it, for the client to get with the server's."""

    def __init__(
        self,
        request: web.BaseRequest,
        target: str,
        observation: Observation,
        urls: OwnUrls,
        names: ServerNames,
        exchange: Exchange,
        send_back: SendBack,
    ) -> None:
        super().__init__(request, target, observation, urls, names)
        self._exchange = exchange
        self._send_back = send_back
        self.asked: bytes | None = None
        self.beside: bytes | None = None

    async def pass_back(self, answer: Answer, refuse: Refuse) -> web.StreamResponse:
        if self.asked is not None and answer.status in STATUSES and answer.headers.get("Location"):
            return self._pass_redirect(answer)
        if answer.is_events:
            return await self._pass_events(answer, refuse)
        if self.asked is None or self._request.method == "HEAD" or answer.status in WITHOUT_BODY:
            return await super().pass_back(answer, refuse)
        return await self._pass_message(answer, refuse)

    def _pass_redirect(self, answer: Answer) -> web.StreamResponse:
        """Passes a redirect without its body, which a client that does not follow could take for its answer."""
        headers = self._begin(answer, is_rewritten=True)
        for name in (*OF_THE_BYTES, "Content-Type"):
            headers.popall(name, None)
        return plain(answer, headers, b"")

    # -- one message as the body --------------------------------------------------------------------------

    async def _pass_message(self, answer: Answer, refuse: Refuse) -> web.StreamResponse:
        headers = self._begin(answer, is_rewritten=True)
        try:
            body = await self._whole(answer)
        except (aiohttp.ClientError, OSError):
            self.ending = "server_disconnect"
            return refuse(502, "the server broke off its answer")
        except UnreadableError as error:
            self._exchange.refuse("server", TOO_LARGE, now())
            return refuse(502, f"the server's answer cannot be read: {error.why}")
        if answer.status >= 400:
            self._exchange.rejected(body, ends=False)
        body = self._with_id(body)
        outgoing = await self._judged(body) if body else Outgoing(b"")
        if outgoing.back is not None:
            self._send_back(outgoing.back)
        onward = outgoing.onward
        if onward is None:
            return refuse(answer.status if answer.status >= 400 else 502, "the server's answer cannot be passed on")
        if self.beside is not None:
            return self._both(answer, headers, onward)
        if not body:
            return plain(answer, headers, b"")
        for name in OF_THE_BYTES:
            headers.popall(name, None)
        return plain(answer, headers, onward)

    async def _judged(self, body: bytes) -> Outgoing:
        held = self._exchange.hold_response(body, now())
        is_no_message = held.outgoing is not None  # on stdio a line of the server's log
        outgoing = await released(held)
        return await self._as_note(body) if is_no_message and outgoing.onward == body else outgoing

    async def _as_note(self, body: bytes) -> Outgoing:
        """Judges a body that is no message, as of an HTTP error, as one of the server's log: some clients show it to
        the model."""
        words = body.decode("utf-8", "replace")
        note = orjson.dumps({"jsonrpc": "2.0", "method": "notifications/message", "params": {"data": words}})
        outgoing = await released(self._exchange.hold_response(note, now()))
        if outgoing.onward is None or outgoing.onward == note:
            return Outgoing(None if outgoing.onward is None else body)
        made = orjson.loads(outgoing.onward)
        return Outgoing(str(made["params"]["data"]).encode())

    async def _whole(self, answer: Answer) -> bytes:
        """The body without its coding. Raises UnreadableError if it is too large or cannot be unpacked."""
        parts: list[bytes] = []
        size = 0
        async for part in answer.content.iter_any():
            size += len(part)
            if size > MAX_BYTES:
                raise UnreadableError(413, "the body is too large")
            parts.append(part)
        self._exchange.count(size)
        return as_one_line(without_coding(b"".join(parts), answer.coding))

    def _with_id(self, body: bytes) -> bytes:
        """An error without an id is the answer to this request, and is judged as that."""
        if b'"error"' not in body:
            return body
        message = decode(body)
        known = frames.sole_id(self.asked or b"")
        if not isinstance(message, dict) or message.get("id") is not None or known == b"null":
            return body
        read = frames.read(body)
        if isinstance(read, frames.Fault) or not isinstance(message.get("error"), dict):
            return body
        return frames.response(known, error=message["error"])

    def _both(self, answer: Answer, headers: CIMultiDict[str], body: bytes) -> web.StreamResponse:
        """The server's answer to a part of a batch, with the gate's to the rest."""
        assert self.beside is not None
        parts = [part[1:-1] if part.startswith(b"[") else part for part in (body.strip(), self.beside) if part]
        for name in (*OF_THE_BYTES, "Content-Type"):
            headers.popall(name, None)
        headers["Content-Type"] = "application/json"
        status = 200 if answer.status in (202, 204) else answer.status
        return web.Response(status=status, headers=headers, body=b"[%b]" % b",".join(parts))

    # -- a stream of messages -------------------------------------------------------------------------------

    async def _pass_events(self, answer: Answer, refuse: Refuse) -> web.StreamResponse:
        headers = self._begin(answer, is_rewritten=True)
        if self._request.method == "HEAD" or answer.status in WITHOUT_BODY:
            return plain(answer, headers, b"")
        try:
            without_coding(b"", answer.coding)
        except UnreadableError as error:
            self._exchange.refuse("server", TOO_LARGE, now())
            return refuse(502, f"the server's answer cannot be read: {error.why}")
        conversation = self._exchange.judged
        if self._request.method == "GET":
            conversation.inject = self.inject
        try:
            return await self._pass_rewritten(answer, headers, EventSplitter(MAX_BYTES), self._judge)
        finally:
            if conversation.inject == self.inject:
                conversation.inject = None

    async def inject(self, message: bytes) -> None:
        """Writes a message of ours between two events."""
        if self.stream is None:
            raise ConnectionError("the stream has not begun")
        await self.stream.write(_event(message))

    async def _begun(self, answer: Answer, headers: CIMultiDict[str]) -> web.StreamResponse:
        response = await super()._begun(answer, headers)
        if self.beside is not None:
            await response.write(_event(self.beside))
        return response

    async def _show(self, chunk: bytes) -> None:
        self._exchange.count(len(chunk))

    def _judge(self, piece: Piece) -> bytes | Awaitable[bytes]:
        """What to write in the place of a piece of the stream."""
        if piece.excess:
            return self._too_large() if piece.excess == "begins" else b""
        if piece.cut_off:
            return b""  # no event by the standard, but some clients read it at the end of the stream
        event = piece.event
        if event is None or not event.data:
            return b"" if _LINE_ENDS_OF_SOME.search(piece.raw) else piece.raw
        if event.name == "endpoint":
            self._exchange.endpoint(event.data)
            return b"" if _LINE_ENDS_OF_SOME.search(piece.raw) else self._endpoint(piece)
        if event.name != "message" and decode(event.data):
            return b""  # no client of MCP reads it
        if event.id is not None:
            self._exchange.remote.resumable = True
            known = self._exchange.judged.decided(event) if self._exchange.resumes else None
            if known is not None:
                return _written(piece, event, known.onward)
        held = self._exchange.hold_response(self._with_id(event.data), now())
        return self._settled(piece, event, held.release()) if held.ready else self._later(piece, event, held)

    async def _later(self, piece: Piece, event: Event, held: Held) -> bytes:
        return self._settled(piece, event, await released(held))

    def _settled(self, piece: Piece, event: Event, outgoing: Outgoing) -> bytes:
        if outgoing.back is not None:
            self._send_back(outgoing.back)
        if event.id is not None:
            self._exchange.judged.decide(event, outgoing)
        return _written(piece, event, outgoing.onward)

    def _too_large(self) -> bytes:
        """An error for the request to which an event is the answer, as far as anybody can know without reading it."""
        self._exchange.refuse("server", TOO_LARGE, now())
        asked = frames.sole_id(self.asked or b"")
        if asked == b"null":
            return b""
        error = {"code": TOO_LARGE.code, "message": TOO_LARGE.message}
        return _event(frames.response(asked, error=error))


def _written(piece: Piece, event: Event, onward: bytes | None) -> bytes:
    """The bytes of an event whose data is now `onward`; none if it does not pass."""
    if onward is None:
        return b""
    if _LINE_ENDS_OF_SOME.search(piece.raw) is None:
        return piece.raw if onward is event.data or onward == event.data else with_data(piece.raw, onward)
    lines = [b"event: " + event.name.encode()] if event.name != "message" else []
    lines += [b"id: " + event.id.encode()] if event.id is not None else []
    if any(_LINE_ENDS_OF_SOME.search(line) for line in lines):
        return b""
    return b"".join(line + b"\n" for line in lines) + b"data: " + _LINE_ENDS_OF_SOME.sub(_escape, onward) + b"\n\n"


def _escape(found: re.Match[bytes]) -> bytes:
    """A character of a JSON text, written so that no reader ends a line at it."""
    return b"\\u%04x" % ord(found[0].decode())


def _event(message: bytes) -> bytes:
    return b"event: message\ndata: " + message + b"\n\n"
