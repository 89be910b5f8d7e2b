"""A judge for tests: what it does to a call is the name of the tool."""

from __future__ import annotations

import threading
from typing import Any

from mcpobs.gate.decisions import DENIED_CODE, Answer, Begin, End, Forward, Pass, Pending, Replace
from mcpobs.gate.judge import OnError
from mcpobs.protocol.call import Call, Error, Response

DENIED = "not on Fridays"
SHORT_S = 0.05
LONG_S = 60.0


class ByName:
    """deny · answer · rewrite · throw · hang (no decision before its deadline) · later, later_deny (decided in another
    thread) · mask, block, end_throw, end_hang, end_later: the same for its response. Anything else is allowed."""

    def __init__(self, on_error: OnError = "deny") -> None:
        self.on_error: OnError = on_error
        self.seen: list[tuple[str, str, str | None, object]] = []
        self.over: list[str | None] = []
        self.waiting: list[tuple[Pending[Any], Begin | End]] = []

    def begin(self, call: Call) -> Begin | Pending[Begin]:
        operation = call.operation
        self.seen.append(("begin", operation.method, operation.tool, call.params))
        match operation.tool:
            case "deny":
                return Answer(error=Error(DENIED_CODE, DENIED), rule="fridays")
            case "answer":
                return Answer(result=text("answered by the judge"), outcome="ok", decision="allow")
            case "rewrite":
                return Forward(params={"name": "echo", "arguments": {"text": "rewritten"}})
            case "throw":
                raise ValueError("a secret of the judge")
            case "hang":
                return Pending(SHORT_S)
            case "later":
                return self._later(Forward(rule="store"))
            case "later_deny":
                return self._later(Answer(error=Error(DENIED_CODE, DENIED), rule="store"))
            case "held":
                return self._held(Forward())
        if operation.method == "sampling/createMessage" and self.on_error == "deny":
            return Answer(error=Error(DENIED_CODE, "no sampling"), rule="sampling")
        return Forward()

    def end(self, call: Call, response: Response) -> End | Pending[End]:
        self.seen.append(("end", call.operation.method, call.operation.tool, response))
        match call.operation.tool:
            case "mask":
                return Replace(result=text("***"), decision="warn", rule="pii")
            case "block":
                return Replace(error=Error(DENIED_CODE, "blocked"), outcome="denied", rule="injection")
            case "end_throw":
                raise ValueError("a secret of the judge")
            case "end_hang":
                return Pending(SHORT_S)
            case "end_later":
                return self._later(Pass())
        return Pass()

    def settled(self, call: Call) -> None:
        self.over.append(call.operation.outcome)

    def release(self) -> None:
        """Decides what `held` left open."""
        while self.waiting:
            pending, decision = self.waiting.pop(0)
            pending.complete(decision)

    def _held(self, decision: Any) -> Pending[Any]:
        pending: Pending[Any] = Pending(LONG_S)
        self.waiting.append((pending, decision))
        return pending

    def _later(self, decision: Any) -> Pending[Any]:
        pending: Pending[Any] = Pending(LONG_S)
        threading.Thread(target=pending.complete, args=(decision,)).start()
        return pending


def text(words: str) -> dict[str, object]:
    return {"content": [{"type": "text", "text": words}], "structuredContent": {"result": words}}
