"""One message while the SDK serves it: begun before the handler runs, ended before its answer is sent. Never raises."""

from __future__ import annotations

import time
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from mcpobs.protocol.eras import is_modern
from mcpobs.protocol.lifecycle import Request
from mcpobs.protocol.outcome import OK, Verdict
from mcpobs.protocol.registry import Catalog
from mcpobs.protocol.session import Caller
from mcpobs.protocol.text import bounded
from mcpobs.stderr import Faults

if TYPE_CHECKING:
    from mcpobs.instrument.recording import ProcessRecording
    from mcpobs.instrument.tracing import Tracing

MAX_TYPE = 128
CANCELLED = Verdict("cancelled")
DISCONNECTED = Verdict("unfinished", "client_disconnect")
EXITED = Verdict("unfinished", "server_exit")

watched: ContextVar[bool] = ContextVar("mcpobs_watched", default=False)
"""True while a message is served whose span is ours: no other layer of the SDK is to make one."""


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
        request: Request,
        caller: Caller | None,
        catalog: Catalog,
        recording: ProcessRecording,
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
        self.call = recording.lifecycle.begin(request, caller or recording.stdio_caller, None, catalog)
        operation = self.call.operation
        self._opened = opened = tracing.open(operation, request.meta)
        if opened is not None:
            operation.span = opened.context
            if opened.context is not None or operation.parent is None:
                operation.parent = opened.parent  # as the process's own propagators read it
        self._token: Token[bool] | None = watched.set(True)
        under_way.add(self)

    @property
    def is_piped(self) -> bool:
        return self.call.caller.transport == "stdio"

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

    def _end(self, verdict: Verdict, stop_ns: int) -> None:
        if self._ended:
            return
        self._ended = True
        call, opened = self.call, self._opened
        self._recording.lifecycle.end(call, stop_ns, verdict)
        exported = opened is not None and opened.span is not None
        link = None if opened is None else opened.link
        shared, own = self._recording.record(call, exported, link)
        if opened is not None and exported:
            legacy = not is_modern(call.operation.protocol_version)  # since then an id that is sent means nothing
            session_id = call.caller.protocol_session if legacy else None
            self._tracing.close(opened, call.operation, shared, own, session_id)


def ended_by(error: BaseException, by_client: bool, on_a_pipe: bool) -> tuple[Verdict, bool]:
    """How a message ended that got no answer: the verdict, and whether the client sent `notifications/cancelled`.

    On a pipe a cancellation without it is the end of the connection; elsewhere a client cancels by closing the stream,
    or by going away."""
    if isinstance(error, KeyboardInterrupt | SystemExit | GeneratorExit):
        return EXITED, False
    if by_client or not on_a_pipe:
        return CANCELLED, by_client
    return DISCONNECTED, False
