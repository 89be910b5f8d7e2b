"""One message from its arrival to its answer, and what is recorded of it. Never raises into the SDK."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from mcpobs.instrument import inbound
from mcpobs.instrument.inbound import Declared, Inbound
from mcpobs.protocol.outcome import OK, Verdict
from mcpobs.protocol.remote import Caller
from mcpobs.protocol.text import bounded

if TYPE_CHECKING:
    from mcpobs.instrument.recording import ProcessRecording
    from mcpobs.instrument.tracing import Tracing

Report = Callable[[Exception], None]
MAX_TYPE = 128
MODERN = "2026-07-28"

watched: ContextVar[bool] = ContextVar("mcpobs_watched", default=False)
"""True while a message is served whose span is ours: no other layer of the SDK is to make one."""


class Call:
    """A message under way. One of `answered`, `refused`, `broke`, `given_up` ends it; what comes later is ignored."""

    def __init__(
        self,
        message: Inbound,
        caller: Caller | None,
        declared: Declared,
        recording: ProcessRecording,
        tracing: Tracing,
        report: Report,
    ) -> None:
        self.caller = caller
        self._declared = declared
        self._recording = recording
        self._tracing = tracing
        self._report = report
        self._ended = False
        operation = inbound.begin(message, next(recording.sequence), recording.facts, declared)
        self.operation = operation
        self._opened = tracing.open(operation, message.meta)
        if self._opened is not None:
            operation.span = self._opened.context
            operation.parent = operation.parent or self._opened.parent
        self._token: Token[bool] | None = watched.set(True)

    def answered(self, result: object) -> None:
        """With a result as it goes on the wire."""

        def verdict() -> Verdict:
            verdict = inbound.take_result(self.operation, result, self._recording.facts)
            self._declared.learn(self.operation.method, result)
            return verdict

        self._end(verdict if self.operation.request_id is not None else lambda: OK)

    def refused(self, code: int, message: str) -> None:
        """With a JSON-RPC error."""
        self._end(lambda: inbound.take_error(self.operation, code, message, self._recording.facts))

    def broke(self, error: BaseException) -> None:
        """By an exception that the SDK turns into an error of its own."""
        self._end(lambda: Verdict("server_error", bounded(type(error).__qualname__, MAX_TYPE)))

    def given_up(self, verdict: Verdict, by_client: bool) -> None:
        """Without an answer."""
        if by_client:
            self.operation.cancelled_by = "client"
        self._end(lambda: verdict)

    def leave(self) -> None:
        """What was current before the call is current again. Must be called where the call was made."""
        try:
            if self._token is not None:
                watched.reset(self._token)
                self._token = None
            if self._opened is not None:
                self._tracing.leave(self._opened)
        except Exception as error:
            self._report(error)

    def _end(self, judge: Callable[[], Verdict]) -> None:
        if self._ended:
            return
        self._ended = True
        try:
            operation, opened = self.operation, self._opened
            operation.duration_ns = max(0, time.monotonic_ns() - operation.start.mono_ns)
            operation.outcome, operation.error_type, operation.status_code = judge()
            caller = self.caller
            exported = opened is not None and opened.span is not None
            shared, own = self._recording.record(operation, caller, exported)
            if opened is not None:
                legacy = (operation.protocol_version or "") < MODERN  # since then an id that is sent means nothing
                session_id = caller.protocol_session if caller is not None and legacy else None
                self._tracing.close(opened, operation, shared, own, session_id)
        except Exception as error:  # our fault: the call goes on
            self._report(error)
