"""The gate: every front takes its calls through `begin` and `end`, and the gate records them. Knows no transport.

Without a judge the gate only records, and fails open: a front passes bytes on before it looks at them and calls
`record` alone. With a judge the gate enforces, and fails closed: a front holds each message until `begin` or `end` has
decided it. Neither method raises, and neither turns a fault of the judge into an allow unless its `on_error` says so.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from mcpobs import semconv
from mcpobs.gate.recorder import Recorder
from mcpobs.gate.row import Extra, Row, Shared
from mcpobs.protocol.call import Call, Response
from mcpobs.stderr import Warn, warn

if TYPE_CHECKING:
    from mcpobs.gate.decisions import Begin, End, Pending
    from mcpobs.gate.judge import Judge
    from mcpobs.protocol.frames import Fault
    from mcpobs.protocol.operation import Sender, Stamp
    from mcpobs.protocol.session import Session


class Gate:
    """Judges and records the calls of one front."""

    def __init__(self, recorder: Recorder, judge: Judge | None = None, warn: Warn = warn) -> None:
        self.recorder = recorder
        self._decider = None
        if judge is not None:
            from mcpobs.gate.decider import Decider  # who only observes loads none of it

            self._decider = Decider(judge, warn)

    @property
    def enforcing(self) -> bool:
        """Whether calls are judged. A front that enforces must hold every message until it is decided."""
        return self._decider is not None

    def begin(self, call: Call) -> Begin | Pending[Begin]:
        """Decides whether a call goes on. A `Pending` is done by its deadline at the latest.

        The front calls it once for each request and notification, before the receiver sees any of it."""
        if self._decider is None:
            from mcpobs.gate.decisions import Forward

            return Forward()
        return self._decider.begin(call)

    def end(self, call: Call, response: Response) -> End | Pending[End]:
        """Decides whether a response goes on as it is. The operation is ended (`Lifecycle.end`) before.

        The front calls it for each response of a receiver, not for an `Answer`. It calls `record` after it, and passes
        bytes on after that."""
        if self._decider is None:
            from mcpobs.gate.decisions import Pass

            return Pass()
        return self._decider.end(call, response)

    def passed_on(self, call: Call) -> None:
        """Does the work that need not delay a call: its arguments' facts, and what its judge puts off.

        A front that reads along calls it once the bytes are written; no other front needs to."""
        call.describe()
        if self._decider is not None:
            self._decider.passed_on(call)

    def record(self, call: Call, extra: Extra | None = None, columns: Row | None = None) -> tuple[Shared, Row]:
        """Writes the row of an ended call; it is durable when this returns. Once for each call, however it ended."""
        if self._decider is not None:
            decided = self._decider.settle(call)
            columns = {**columns, **decided} if columns else decided
        return self.recorder.record(call.operation, call.session, extra, columns)

    def record_pending(self, call: Call, extra: Extra | None = None, columns: Row | None = None) -> None:
        """Writes how an open call stands (`waiting.pending`). Its judge is not asked, and nothing is exported."""
        columns = {**(columns or {}), "pending": True}
        if call.decision is not None:
            columns["decision"] = call.decision
        if call.rule is not None:
            columns["rule"] = call.rule
        self.recorder.record_pending(call.operation, call.session, extra, columns)

    def settle(self, call: Call) -> None:
        """Ends a call without a row, because another row counts it. In place of `record`."""
        if self._decider is not None:
            self._decider.settle(call)

    def close(self) -> None:
        """Ends the judging, when nothing comes any more."""
        if self._decider is not None:
            self._decider.close()

    def refuse(self, session: Session, sender: Sender, fault: Fault, stamp: Stamp) -> None:
        """Records a frame that did not pass: a span beside the operations, with the reason and without content."""
        columns: Row = {
            "trace_id": os.urandom(16).hex(),
            "span_id": os.urandom(8).hex(),
            "trace_flags": 1,
            "name": semconv.REFUSED_SPAN,
            "kind": "server" if sender == "client" else "client",
            "start_unix_nano": stamp.unix_nano,
            "duration_ns": 0,
            "outcome": "denied",
            "error_type": fault.reason,
        }
        if fault.code:
            columns["status_code"] = str(fault.code)
        self.recorder.note(session, columns)
