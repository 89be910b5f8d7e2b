"""The gate: every front takes its calls through `begin` and `end`, and the gate records them. Knows no transport.

Without a judge the gate only records, and fails open: a front passes bytes on before it looks at them and calls
`record` alone. With a judge the gate enforces, and fails closed: a front holds each message until `begin` or `end` has
decided it. Neither method raises, and neither turns a fault of the judge into an allow unless its `on_error` says so.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TypeVar

from mcpobs import semconv
from mcpobs.gate.deadlines import Deadlines
from mcpobs.gate.decisions import DENIED_CODE, Answer, Begin, End, Forward, Pass, Pending, Replace
from mcpobs.gate.judge import Judge
from mcpobs.gate.recorder import Recorder
from mcpobs.gate.row import Extra, Row, Shared
from mcpobs.protocol.call import Call, Error, Response
from mcpobs.protocol.frames import Fault
from mcpobs.protocol.operation import Sender, Stamp
from mcpobs.protocol.session import Session
from mcpobs.stderr import Faults, Warn, warn

JUDGE_ERROR = "judge_error"
JUDGE_TIMEOUT = "judge_timeout"
_FORWARD, _PASS = Forward(), Pass()
UNDECIDED = "refused: the policy could not be evaluated"

Decided = TypeVar("Decided", Begin, End)


class Gate:
    """Judges and records the calls of one front."""

    def __init__(self, recorder: Recorder, judge: Judge | None = None, warn: Warn = warn) -> None:
        self.recorder = recorder
        self._judge = judge
        self._deadlines = Deadlines()
        self._faults = Faults("a judge failed", "its on_error decides", warn)

    @property
    def enforcing(self) -> bool:
        """Whether calls are judged. A front that enforces must hold every message until it is decided."""
        return self._judge is not None

    def begin(self, call: Call) -> Begin | Pending[Begin]:
        """Decides whether a call goes on. A `Pending` is done by its deadline at the latest.

        The front calls it once for each request and notification, before the receiver sees any of it."""
        judge = self._judge
        if judge is None:
            return _FORWARD
        return self._decided(lambda: judge.begin(call), (Forward, Answer), self._undecided_begin, call)

    def end(self, call: Call, response: Response) -> End | Pending[End]:
        """Decides whether a response goes on as it is. The operation is ended (`Lifecycle.end`) before.

        The front calls it for each response of a receiver, not for an `Answer`. It calls `record` after it, and passes
        bytes on after that."""
        judge = self._judge
        if judge is None:
            return _PASS
        return self._decided(lambda: judge.end(call, response), (Pass, Replace), self._undecided_end, call)

    def record(self, call: Call, extra: Extra | None = None, columns: Row | None = None) -> tuple[Shared, Row]:
        """Writes the row of an ended call; it is durable when this returns. Once for each call, however it ended."""
        if self._judge is not None:
            columns = {**(columns or {}), **_decision_columns(call)}
            try:
                self._judge.settled(call)
            except Exception as error:
                self._faults.report(error)
        return self.recorder.record(call.operation, call.session, extra, columns)

    def refuse(self, session: Session, sender: Sender, fault: Fault, stamp: Stamp) -> None:
        """Records a frame that did not pass: a span beside the operations, with the reason and without content."""
        self.recorder.note(
            session,
            {
                "trace_id": os.urandom(16).hex(),
                "span_id": os.urandom(8).hex(),
                "trace_flags": 1,
                "name": semconv.REFUSED_SPAN,
                "kind": "server" if sender == "client" else "client",
                "start_unix_nano": stamp.unix_nano,
                "duration_ns": 0,
                "outcome": "denied",
                "error_type": fault.reason,
                **({"status_code": str(fault.code)} if fault.code else {}),
            },
        )

    def _decided(
        self,
        ask: Callable[[], Decided | Pending[Decided]],
        kinds: tuple[type, ...],
        undecided: Callable[[str], Decided],
        call: Call,
    ) -> Decided | Pending[Decided]:
        def checked(get: Callable[[], Decided]) -> Decided:
            try:
                decision = get()
                if not isinstance(decision, kinds):
                    raise TypeError("a judge returned no decision")
            except TimeoutError as error:
                self._faults.report(error)
                decision = undecided(JUDGE_TIMEOUT)
            except Exception as error:
                self._faults.report(error)
                decision = undecided(JUDGE_ERROR)
            _note(call, decision)
            return decision

        try:
            found = ask()
        except Exception as error:
            self._faults.report(error)
            decision = undecided(JUDGE_ERROR)
            _note(call, decision)
            return decision
        if not isinstance(found, Pending):
            return checked(lambda: found)
        ours: Pending[Decided] = Pending(0)
        ours.deadline_mono_s = found.deadline_mono_s

        def settle(judged: Pending[Decided]) -> None:
            ours.complete(checked(judged.result))

        found.when_done(settle)
        if not found.done:
            self._deadlines.watch(found)
        return ours

    def _allows_on_error(self) -> bool:
        try:
            return self._judge is not None and self._judge.on_error == "allow"
        except Exception:  # a judge that cannot even say so allows nothing
            return False

    def _undecided_begin(self, why: str) -> Begin:
        if self._allows_on_error():
            return Forward(decision="warn")
        return Answer(error=Error(DENIED_CODE, UNDECIDED), error_type=why)

    def _undecided_end(self, why: str) -> End:
        if self._allows_on_error():
            return Pass(decision="warn")
        return Replace(error=Error(DENIED_CODE, UNDECIDED), outcome="denied", error_type=why)


def _decision_columns(call: Call) -> Row:
    columns: Row = {}
    if call.decision is not None:
        columns["decision"] = call.decision
    if call.rule is not None:
        columns["rule"] = call.rule
    return columns


_STRENGTH = {"allow": 1, "warn": 2, "deny": 3}


def _note(call: Call, decision: Begin | End) -> None:
    """Keeps the strongest decision on a call, its rule, and the outcome that a replacement gives it."""
    if _STRENGTH[decision.decision] > _STRENGTH.get(call.decision or "", 0):
        call.decision, call.rule = decision.decision, decision.rule
    if isinstance(decision, Replace) and decision.outcome is not None:
        operation = call.operation
        operation.outcome, operation.error_type = decision.outcome, decision.error_type
        operation.status_code = None if decision.error is None else str(decision.error.code)
