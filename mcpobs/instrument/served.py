"""One message while the SDK serves it: begun before the handler runs, ended before its answer is sent. Never raises."""

from __future__ import annotations

import time
from contextlib import suppress
from contextvars import ContextVar, Token
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

from mcpobs.gate.decisions import DENIED_CODE, UNDECIDED, Answer, Begin, End, Forward, Pass, Pending, Replace
from mcpobs.protocol.call import Error, Response
from mcpobs.protocol.eras import is_modern
from mcpobs.protocol.operation import Peer
from mcpobs.protocol.outcome import OK, Verdict
from mcpobs.protocol.registry import Catalog
from mcpobs.protocol.session import Caller
from mcpobs.protocol.text import bounded
from mcpobs.stderr import Faults

if TYPE_CHECKING:
    from mcpobs.instrument.process import ProcessRecorder
    from mcpobs.instrument.tracing import Tracing

MAX_TYPE = 128
UNJUDGED = Error(DENIED_CODE, UNDECIDED)
"""What a client gets for a message that something of ours kept from being judged."""
Decided = TypeVar("Decided", Begin, End)
CANCELLED = Verdict("cancelled")
LEFT = Verdict("cancelled", "client_disconnect")
DISCONNECTED = Verdict("unfinished", "client_disconnect")
EXITED = Verdict("unfinished", "server_exit")

watched: ContextVar[bool] = ContextVar("mcpobs_watched", default=False)
"""True while a message is served whose span is ours: no other layer of the SDK is to make one."""


@dataclass(slots=True)
class KnownEnds:
    """Both ends, for a front whose SDK knows them."""

    caller: Caller
    client: Peer
    server: Peer
    protocol_version: str | None
    legacy: bool | None


class Message(NamedTuple):
    """A request or notification as the SDK hands it to its server."""

    method: str
    params: dict[str, object]
    request_id: object  # None for a notification
    protocol_version: str | None
    client: Peer
    server: Peer
    legacy: bool  # its connection began with `initialize`


class ServedCall:
    """A message under way. The first of `answered`, `refused`, `broke`, `given_up` ends it; later ones are ignored."""

    __slots__ = (
        "_catalog",
        "_ended",
        "_faults",
        "_opened",
        "_recording",
        "_token",
        "_tracing",
        "_under_way",
        "call",
    )

    def __init__(
        self,
        message: Message,
        caller: Caller | None,
        catalog: Catalog,
        recording: ProcessRecorder,
        tracing: Tracing,
        faults: Faults,
        under_way: set[ServedCall],
    ) -> None:
        self._catalog = catalog
        self._recording = recording
        self._tracing = tracing
        self._faults = faults
        self._under_way = under_way
        self._ended = False
        method, params, request_id, version, client, server, legacy = message
        ends = KnownEnds(caller or recording.stdio_caller, client, server, version, legacy)
        self.call = recording.lifecycle.begin(ends, "client", method, params, request_id, catalog=catalog)
        operation = self.call.operation
        meta = params.get("_meta")
        self._opened = opened = tracing.open(operation, meta if isinstance(meta, dict) else None)
        if opened is not None:
            operation.span = opened.context
            if opened.context is not None or operation.parent is None:
                operation.parent = opened.parent  # as the process's own propagators read it
        self._token: Token[bool] | None = watched.set(True)
        under_way.add(self)

    @property
    def is_piped(self) -> bool:
        return self.call.caller.transport == "stdio"

    @property
    def is_ended(self) -> bool:
        return self._ended

    def answered(self, result: object) -> None:
        """Takes a result as it goes on the wire; a notification has none."""
        stop_ns = time.monotonic_ns()
        try:
            verdict = OK
            if self.call.operation.request_id is not None:
                verdict = self._recording.lifecycle.succeed(self.call, result, None, self._catalog)
            self._end(verdict, stop_ns)
        except Exception as error:  # our fault: the call goes on
            self._faults.report(error)

    def refused(self, code: int, message: str) -> None:
        """Takes a JSON-RPC error."""
        stop_ns = time.monotonic_ns()
        try:
            error = {"code": code, "message": message}
            self._end(self._recording.lifecycle.refuse(self.call, error), stop_ns)
        except Exception as fault:
            self._faults.report(fault)

    def broke(self, error: BaseException) -> None:
        """Takes an exception that the SDK turns into an error of its own."""
        if not self._ended:
            self._recording.lifecycle.explain(self.call, error)
        self.given_up(Verdict("server_error", bounded(type(error).__qualname__, MAX_TYPE)), False)

    def given_up(self, verdict: Verdict, by_client: bool) -> None:
        """Ends the call without an answer."""
        stop_ns = time.monotonic_ns()
        try:
            if by_client and not self._ended:
                self.call.operation.cancelled_by = "client"
            self._end(verdict, stop_ns)
        except Exception as error:
            self._faults.report(error)

    def leave(self) -> None:
        """Restores the context of before the call. Must be called in the task that began it."""
        self._under_way.discard(self)
        try:
            if self._token is not None:
                watched.reset(self._token)
                self._token = None
            if self._opened is not None:
                self._tracing.leave(self._opened)
        except Exception as error:
            self._faults.report(error)

    # -- with a judge ------------------------------------------------------------------------------------------

    async def admit(self) -> Begin:
        """Waits for the decision on the call. After an `Answer` the call is over and recorded."""
        decision = await decided(self._recording.gate.begin(self.call))
        if isinstance(decision, Answer):
            self._end(decision.verdict, time.monotonic_ns())
        return decision

    async def release(self, response: Response) -> End:
        """Ends the call with its response, waits for the decision on that, and records. Never raises an error of ours:
        what cannot be judged does not pass."""
        stop_ns = time.monotonic_ns()
        try:
            if self._ended:
                return Pass()
            self._ended = True
            lifecycle = self._recording.lifecycle
            if response.error is not None:
                verdict = lifecycle.refuse(self.call, response.error)
            elif self.call.operation.request_id is None:
                verdict = OK
            else:
                verdict = lifecycle.succeed(self.call, response.result, None, self._catalog)
            lifecycle.end(self.call, stop_ns, verdict)
            try:
                return await decided(self._recording.gate.end(self.call, response))
            finally:
                self._record()
        except Exception as error:
            self._faults.report(error)
            return Replace(error=UNJUDGED)

    # -- the end -----------------------------------------------------------------------------------------------

    def _end(self, verdict: Verdict, stop_ns: int) -> None:
        if self._ended:
            return
        self._ended = True
        self._recording.lifecycle.end(self.call, stop_ns, verdict)
        self._record()

    def _record(self) -> None:
        call, opened = self.call, self._opened
        exported = opened is not None and opened.span is not None
        link = None if opened is None else opened.link
        shared, own = self._recording.record(call, exported, link)
        if opened is not None and exported:
            legacy = not is_modern(call.operation.protocol_version)  # since then an id that is sent means nothing
            session_id = call.caller.protocol_session if legacy else None
            self._tracing.close(opened, call.operation, shared, own, session_id)


async def decided(found: Decided | Pending[Decided]) -> Decided:
    """A decision, waited for in the event loop of whoever asks: asyncio or trio."""
    if not isinstance(found, Pending):
        return found
    try:
        import asyncio

        loop = asyncio.get_running_loop()
    except RuntimeError:
        await _decided_in_trio(found)
        return found.result()
    future: asyncio.Future[None] = loop.create_future()

    def wake() -> None:
        if not future.done():
            future.set_result(None)

    def done(_: object) -> None:
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(wake)

    found.when_done(done)
    await future
    return found.result()


async def _decided_in_trio(found: Pending[Any]) -> None:
    trio: Any = import_module("trio")
    token, event = trio.lowlevel.current_trio_token(), trio.Event()

    def done(_: object) -> None:
        with suppress(RuntimeError):
            token.run_sync_soon(event.set)

    found.when_done(done)
    await event.wait()


def forwarded_params(call: ServedCall, decision: Forward) -> dict[str, object] | None:
    """The parameters for the handler if they were changed; None if it gets the original ones."""
    if not decision.edits:
        return decision.params
    from mcpobs.gate.edits import edited

    came = call.call.params if decision.params is None else decision.params
    made = edited({"params": came}, decision.edits)
    assert isinstance(made, dict)
    params = made["params"]
    return params if isinstance(params, dict) else None


def changed(sent: Response, decision: End) -> Replace | None:
    """The replacement of a response; None if the response goes out unchanged."""
    if isinstance(decision, Replace):
        return decision
    if not decision.edits:
        return None
    from mcpobs.gate.edits import edited

    whole = {"result": sent.result} if sent.error is None else {"error": sent.error}
    made = edited(whole, decision.edits)
    assert isinstance(made, dict)
    error = made.get("error")
    return Replace(made.get("result"), Error(error["code"], error["message"], error.get("data")) if error else None)


def error_of(error: object, code: int) -> dict[str, object]:
    """The object of an error that an SDK sends, with its data as JSON."""
    found: dict[str, object] = {"code": code, "message": str(getattr(error, "message", ""))}
    data = getattr(error, "data", None)
    if data is not None:
        dump = getattr(data, "model_dump", None)
        found["data"] = data if dump is None else dump(by_alias=True, mode="json", exclude_none=True)
    return found


def ended_by(error: BaseException, by_client: bool, on_a_pipe: bool) -> tuple[Verdict, bool]:
    """How a message ended that got no answer: the verdict, and whether the client sent `notifications/cancelled`.

    On a pipe a cancellation without it is the end of the connection; elsewhere a client cancels by closing the stream,
    or by going away."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        return EXITED, False
    if by_client:
        return CANCELLED, True
    if not on_a_pipe:
        return LEFT, False
    return DISCONNECTED, False
