"""Asks a judge, and makes a valid decision of whatever comes of it: also of an exception, of no decision, and of none
in time. Never raises, and never turns a fault into an allow unless the judge's `on_error` says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import TypeVar, cast

from mcpobs.gate.deadlines import Deadlines
from mcpobs.gate.decisions import (
    DENIED_CODE,
    FORWARD,
    PASS,
    UNDECIDED,
    Answer,
    Begin,
    End,
    Forward,
    Pass,
    Pending,
    Replace,
)
from mcpobs.gate.judge import Closing, Following, Judge
from mcpobs.gate.row import Row
from mcpobs.protocol.call import Call, Error, Response
from mcpobs.protocol.eras import is_modern
from mcpobs.stderr import Faults, Warn

JUDGE_ERROR = "judge_error"
JUDGE_TIMEOUT = "judge_timeout"
_STRENGTH = {"allow": 1, "warn": 2, "deny": 3}

_BEGINS = Forward, Answer
_ENDS = Pass, Replace

Decided = TypeVar("Decided", Begin, End)


class Decider:
    """Decides the calls of one front by one judge."""

    def __init__(self, judge: Judge, warn: Warn) -> None:
        self._judge = judge
        self._follows = judge.passed_on if isinstance(judge, Following) else None
        self._deadlines = Deadlines()
        self._faults = Faults("a judge failed", "its on_error decides", warn)

    def begin(self, call: Call) -> Begin | Pending[Begin]:
        decision: Begin | Pending[Begin]
        try:
            decision = self._judge.begin(call)
        except Exception as error:
            decision = self._undecided_begin(self._why(error))
        return self._decided(decision, _BEGINS, self._undecided_begin, call)

    def end(self, call: Call, response: Response) -> End | Pending[End]:
        decision: End | Pending[End]
        try:
            decision = self._judge.end(call, response)
        except Exception as error:
            decision = self._undecided_end(self._why(error))
        return self._decided(decision, _ENDS, self._undecided_end, call)

    def passed_on(self, call: Call) -> None:
        """Lets the judge work while the receiver does."""
        if self._follows is not None and call.operation.outcome is None:
            try:
                self._follows(call)
            except Exception as error:
                self._faults.report(error)

    def settle(self, call: Call) -> Row:
        """Calls the judge's `settled`, and returns what the row says of its decision."""
        columns: Row = {}
        try:
            settled = self._judge.settled(call)
            if settled:
                columns = dict(settled)
        except Exception as error:
            self._faults.report(error)
        if call.decision is not None:
            columns["decision"] = call.decision
        if call.rule is not None:
            columns["rule"] = call.rule
        return columns

    def close(self) -> None:
        """Lets the judge finish."""
        try:
            if isinstance(self._judge, Closing):
                self._judge.close()
        except Exception as error:
            self._faults.report(error)

    def _decided(
        self,
        decision: Decided | Pending[Decided],
        kinds: tuple[type, ...],
        undecided: Callable[[str], Decided],
        call: Call,
    ) -> Decided | Pending[Decided]:
        """Returns a valid decision of what the judge returned."""
        if decision is FORWARD or decision is PASS:
            call.decision = call.decision or "allow"
            return decision
        if isinstance(decision, Pending):
            return self._later(decision, kinds, undecided, call)
        if not isinstance(decision, kinds):
            decision = undecided(self._why(TypeError("a judge returned no decision")))
        _note(call, decision)
        return cast("Decided", _fitted(call, decision))

    def _later(
        self, found: Pending[Decided], kinds: tuple[type, ...], undecided: Callable[[str], Decided], call: Call
    ) -> Pending[Decided]:
        ours: Pending[Decided] = Pending(0)
        ours.deadline_mono_s = found.deadline_mono_s

        def settle(judged: Pending[Decided]) -> None:
            try:
                decision = judged.result()
            except Exception as error:
                decision = undecided(self._why(error))
            if isinstance(decision, Pending):  # a judge that puts off what it has put off
                decision = undecided(JUDGE_ERROR)
            ours.complete(cast("Decided", self._decided(decision, kinds, undecided, call)))

        found.when_done(settle)
        if not found.done:
            self._deadlines.watch(found)
        return ours

    def _why(self, error: Exception) -> str:
        """Reports a fault of the judge, and returns the error type of the undecided call."""
        self._faults.report(error)
        return JUDGE_TIMEOUT if isinstance(error, TimeoutError) else JUDGE_ERROR

    def _allows_on_error(self) -> bool:
        try:
            return self._judge.on_error == "allow"
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


def _fitted(call: Call, decision: Begin | End) -> Begin | End:
    """The decision as its receiver needs it: new params keep the sender's `_meta`, which names version and trace; a
    result says its `resultType`, as each must since 2026-07-28."""
    if isinstance(decision, Forward):
        params, sent = decision.params, call.params
        if params is not None and "_meta" not in params and isinstance(sent, dict) and "_meta" in sent:
            return replace(decision, params={**params, "_meta": sent["_meta"]})
    elif isinstance(decision, Answer | Replace):
        result = decision.result
        if result is not None and "resultType" not in result and is_modern(call.operation.protocol_version):
            return replace(decision, result={**result, "resultType": "complete"})
    return decision


def _note(call: Call, decision: Begin | End) -> None:
    """Keeps the strongest decision on a call, its rule, and the outcome that a replacement gives it."""
    if _STRENGTH[decision.decision] > _STRENGTH.get(call.decision or "", 0):
        call.decision, call.rule = decision.decision, decision.rule
    if isinstance(decision, Replace) and decision.outcome is not None:
        operation = call.operation
        operation.outcome, operation.error_type = decision.outcome, decision.error_type
        operation.status_code = None if decision.error is None else str(decision.error.code)
