"""One operation on its way through a front, beside what only the serving process may see of it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NamedTuple

from mcpobs.protocol.ids import Key
from mcpobs.protocol.operation import Operation, ValueFacts
from mcpobs.protocol.session import Caller, Session


class Error(NamedTuple):
    """A JSON-RPC error object."""

    code: int
    message: str
    data: object = None

    def as_json(self) -> dict[str, object]:
        found: dict[str, object] = {"code": self.code, "message": self.message}
        if self.data is not None:
            found["data"] = self.data
        return found


class Response(NamedTuple):
    """A response as its receiver reads it: `error` is the whole error object, and None if the request succeeded."""

    result: object = None
    error: object = None


@dataclass(slots=True, eq=False)
class Call:
    """A request or notification between its begin and its end.

    `session` is decided at begin and settled at end; `session.enforcement_key` names who is held to account.
    `params` is a transient view: it is None while nobody judges, and it never reaches a row, a log or an export.
    """

    operation: Operation
    session: Session
    caller: Caller
    params: object = None
    key: Key | None = None  # pairs it with its response; None for a notification
    decision: str | None = None  # allow, warn or deny; None while nobody judges
    rule: str | None = None  # which rule decided
    judged: object = None  # what its judge keeps of it
    held: bool = field(default=False)  # its receiver has not seen it yet
    counted: bool = field(default=False)  # a row that stands for several counts it
    tentative: bool = field(default=False)  # it came without `jsonrpc`: no operation unless it is answered
    unread: Callable[[], tuple[ValueFacts, str | None]] | None = None
    """Reads the facts of its arguments; None if they were read."""

    def describe(self) -> None:
        """Reads the facts of the arguments if that was deferred. For any thread: a second call gives the same."""
        if self.unread is not None:
            try:  # noqa: SIM105  # suppress() takes 0.4 µs a call
                self.operation.arguments, self.operation.arguments_features = self.unread()
            except (TypeError, AssertionError):  # in memory a caller can pass what no JSON text holds
                pass
            self.unread = None
