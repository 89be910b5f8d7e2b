"""What a judge decides of a call and of its response, now or by a deadline. Knows no frame and no SDK."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from threading import Lock
from typing import Final, Generic, Literal, NamedTuple, TypeVar

from mcpobs.protocol.call import Error
from mcpobs.protocol.outcome import Verdict
from mcpobs.semconv import Outcome

DENIED_CODE: Final = -32010
"""The JSON-RPC error code of a call that the gate denies; of the range that JSON-RPC leaves to implementations."""


DECISION_META: Final = "mcpobs/decision"
"""The member of `_meta`, or of the data of an error, that describes a denial to the client."""
UNDECIDED: Final = "refused: the policy could not be evaluated"


class Edit(NamedTuple):
    """A place in a text of a message, and its new text. All other bytes stay."""

    at: tuple[str | int, ...]
    """The path from the root of the message, e.g. `("result", "content", 0, "text")`. A member name has the path of its
    member."""
    start: int
    """In characters of the text."""
    end: int | None
    """None: the end of the text."""
    text: str
    is_key: bool = False


@dataclass(frozen=True, slots=True)
class Forward:
    """The message goes on to its receiver, byte for byte unless `params` replaces the sender's params; the sender's
    `_meta` stays if they have none. `edits` change single places of it."""

    params: dict[str, object] | None = None
    decision: Literal["allow", "warn"] = "allow"
    rule: str | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Answer:
    """The sender gets this answer in its receiver's place, and the receiver never sees the message. A notification is
    dropped instead, because nothing answers one.

    Exactly one of `result` and `error` is given. Clients hand a result (`{"content": […], "isError": true}`) to the
    model, and often keep an error to themselves. `outcome` is recorded either way, with the error's code as status
    code; a result with `isError` does not make it `tool_error`.
    """

    result: dict[str, object] | None = None
    error: Error | None = None
    outcome: Outcome = "denied"
    error_type: str | None = None
    decision: Literal["allow", "warn", "deny"] = "deny"
    rule: str | None = None

    @property
    def verdict(self) -> Verdict:
        """How the call ends that is answered so."""
        return Verdict(self.outcome, self.error_type, None if self.error is None else str(self.error.code))


@dataclass(frozen=True, slots=True)
class Pass:
    """The response goes on to the requester, unchanged except for `edits`."""

    decision: Literal["allow", "warn"] = "allow"
    rule: str | None = None
    edits: tuple[Edit, ...] = ()


@dataclass(frozen=True, slots=True)
class Replace:
    """The requester gets this result or error in the response's place: masked, cut or blocked.

    Exactly one of `result` and `error` is given. `outcome` None keeps the outcome of the receiver's response; the
    recorded size, shape and digest are always those of the receiver's response.
    """

    result: dict[str, object] | None = None
    error: Error | None = None
    outcome: Outcome | None = None
    error_type: str | None = None
    decision: Literal["allow", "warn", "deny"] = "deny"
    rule: str | None = None


Begin = Forward | Answer
End = Pass | Replace

FORWARD: Final = Forward()
PASS: Final = Pass()
"""The usual decisions, made once because each call needs both."""

Decided = TypeVar("Decided")


class Pending(Generic[Decided]):
    """A decision that comes later. A judge returns one and completes it from any thread; the gate completes its own
    by the deadline at the latest, so a front that waits for one never waits for ever."""

    def __init__(self, timeout_s: float) -> None:
        self.deadline_mono_s = time.monotonic() + timeout_s
        self._lock = Lock()
        self._outcome: Decided | BaseException | None = None
        self._done = False
        self._callbacks: list[Callable[[Pending[Decided]], None]] = []

    @property
    def done(self) -> bool:
        return self._done

    def complete(self, decision: Decided) -> bool:
        """Gives the decision. False if there was one before: the first one counts."""
        return self._finish(decision)

    def fail(self, error: BaseException) -> bool:
        """Says that there will be no decision: the judge's `on_error` decides."""
        return self._finish(error)

    def result(self) -> Decided:
        """The decision of a done one; raises the error of a failed one."""
        outcome = self._outcome
        if not self._done or outcome is None:
            raise LookupError("not decided yet")
        if isinstance(outcome, BaseException):
            raise outcome
        return outcome

    def when_done(self, callback: Callable[[Pending[Decided]], None]) -> None:
        """Calls back once: in the thread that completes it, or now if it is done. The callback must only wake its
        front: it may run in a judge's thread."""
        with self._lock:
            if not self._done:
                self._callbacks.append(callback)
                return
        callback(self)

    def _finish(self, outcome: Decided | BaseException) -> bool:
        with self._lock:
            if self._done:
                return False
            self._outcome, self._done = outcome, True
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback(self)
        return True
