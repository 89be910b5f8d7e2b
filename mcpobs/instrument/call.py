"""One message from its arrival to its answer, and what is recorded of it. Never raises into the SDK."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextvars import ContextVar, Token
from typing import TYPE_CHECKING

from mcpobs.instrument import inbound
from mcpobs.instrument.inbound import Aims, Declared, Inbound
from mcpobs.protocol.eras import is_modern
from mcpobs.protocol.outcome import OK, Verdict
from mcpobs.protocol.session import Caller
from mcpobs.protocol.text import bounded

if TYPE_CHECKING:
    from mcpobs.instrument.recording import ProcessRecording
    from mcpobs.instrument.tracing import Tracing

Report = Callable[[Exception], None]
MAX_TYPE = 128
LISTINGS = frozenset({"tools/list", "prompts/list"})

watched: ContextVar[bool] = ContextVar("mcpobs_watched", default=False)
"""True while a message is served whose span is ours: no other layer of the SDK is to make one."""


class Call:
    """A message under way. One of `answered`, `refused`, `broke`, `given_up` ends it; what comes later is ignored."""

    __slots__ = (
        "_declared",
        "_ended",
        "_opened",
        "_recording",
        "_report",
        "_token",
        "_tracing",
        "_under_way",
        "caller",
        "operation",
    )

    def __init__(
        self,
        message: Inbound,
        caller: Caller | None,
        declared: Declared,
        aims: Aims,
        recording: ProcessRecording,
        tracing: Tracing,
        report: Report,
        under_way: set[Call],
    ) -> None:
        self.caller = caller
        self._declared = declared
        self._recording = recording
        self._tracing = tracing
        self._report = report
        self._under_way = under_way
        self._ended = False
        meta = message.meta
        sequence = next(recording.sequence)
        self.operation = operation = inbound.begin(message, meta, sequence, recording.facts, aims, declared)
        self._opened = opened = tracing.open(operation, meta)
        if opened is not None:
            operation.span = opened.context
            if opened.context is not None or operation.parent is None:
                operation.parent = opened.parent  # as the process's own propagators read it
        self._token: Token[bool] | None = watched.set(True)
        under_way.add(self)

    def answered(self, result: object) -> None:
        """With a result as it goes on the wire; a notification has none."""
        stop_ns = time.monotonic_ns()
        try:
            operation = self.operation
            if operation.request_id is None:
                verdict = OK
            else:
                verdict = inbound.take_result(operation, result, self._recording.facts)
                if operation.method in LISTINGS:
                    self._declared.learn(operation.method, result)
            self._end(verdict, stop_ns)
        except Exception as error:  # our fault: the call goes on
            self._report(error)

    def refused(self, code: int, message: str) -> None:
        """With a JSON-RPC error."""
        stop_ns = time.monotonic_ns()
        try:
            self._end(inbound.take_error(self.operation, code, message, self._recording.facts), stop_ns)
        except Exception as error:
            self._report(error)

    def broke(self, error: BaseException) -> None:
        """By an exception that the SDK turns into an error of its own."""
        self.given_up(Verdict("server_error", bounded(type(error).__qualname__, MAX_TYPE)), False)

    def given_up(self, verdict: Verdict, by_client: bool) -> None:
        """Without an answer."""
        stop_ns = time.monotonic_ns()
        try:
            if by_client and not self._ended:
                self.operation.cancelled_by = "client"
            self._end(verdict, stop_ns)
        except Exception as error:
            self._report(error)

    def leave(self) -> None:
        """What was current before the call is current again. Must be called where the call was made."""
        self._under_way.discard(self)
        try:
            if self._token is not None:
                watched.reset(self._token)
                self._token = None
            if self._opened is not None:
                self._tracing.leave(self._opened)
        except Exception as error:
            self._report(error)

    def _end(self, verdict: Verdict, stop_ns: int) -> None:
        if self._ended:
            return
        self._ended = True
        operation, opened, caller = self.operation, self._opened, self.caller
        operation.duration_ns = max(0, stop_ns - operation.start.mono_ns)
        operation.outcome, operation.error_type, operation.status_code = verdict
        exported = opened is not None and opened.span is not None
        link = None if opened is None else opened.link
        shared, own = self._recording.record(operation, caller, exported, link)
        if opened is not None and exported:
            legacy = not is_modern(operation.protocol_version)  # since then an id that is sent means nothing
            session_id = caller.protocol_session if caller is not None and legacy else None
            self._tracing.close(opened, operation, shared, own, session_id)
