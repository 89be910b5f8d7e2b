"""Chooses the open calls that get a pending line, and records these. Does no I/O of its own and owns no timer.

A call that is never answered has no end that could be recorded. So a call that is open for FIRST_NS gets a line that
says how long it has waited so far, and another one each time that this has doubled. Its end supersedes them all: they
are one span. A front calls `look` from time to time while calls are open; fast calls cost it nothing.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Final

from mcpobs.protocol.call import Call
from mcpobs.protocol.operation import TraceContext

FIRST_NS: Final = 5_000_000_000
LOOK_S: Final = 1.0
"""Pause between two looks while calls are open."""
_STAYS_OPEN: Final = frozenset({"subscriptions/listen"})
"""Requests that are to be open for as long as their client likes."""

Write = Callable[[Call], object]
"""Records a call whose operation says how it stands."""

Failed = Callable[[Exception], None]
"""Takes a fault of ours."""


class Waiting:
    """The open calls of one front that have a pending line, by the wait after which they get the next."""

    def __init__(self, write: Write, failed: Failed, above: TraceContext | None = None) -> None:
        """`above` is the span that a call without a parent belongs to."""
        self._write = write
        self._failed = failed
        self._above = above
        self._next_ns: dict[Call, int] = {}

    def look(self, open_calls: Iterable[Call], mono_ns: int) -> None:
        """Records those of the open calls that have waited long enough. Never raises."""
        known, self._next_ns = self._next_ns, {}
        for call in open_calls:
            waited_ns = mono_ns - call.operation.start.mono_ns
            due_ns = known.get(call, FIRST_NS)
            if waited_ns < FIRST_NS or not is_awaited(call):
                continue
            if waited_ns >= due_ns:
                due_ns = 2 * max(waited_ns - waited_ns % FIRST_NS, due_ns)
                self._record(call, waited_ns)
            self._next_ns[call] = due_ns

    def _record(self, call: Call, waited_ns: int) -> None:
        try:
            self._write(pending(call, waited_ns, self._above))
        except Exception as error:  # our fault: the call goes on
            self._failed(error)


def is_awaited(call: Call) -> bool:
    """Whether a client waits for the server: not while a judge holds the call, and not if it may be no operation."""
    operation = call.operation
    return (
        operation.sender == "client"
        and operation.outcome is None
        and not (call.held or call.tentative)
        and operation.method not in _STAYS_OPEN
    )


def pending(call: Call, waited_ns: int, above: TraceContext | None) -> Call:
    """Returns a copy of an open call that says how it stands. Settles the ids of its span, which its end has too."""
    call.describe()
    operation = call.operation
    if operation.span is None:
        parent = operation.parent or above
        trace_id, flags = (os.urandom(16).hex(), 1) if parent is None else (parent.trace_id, parent.flags)
        operation.span = TraceContext(trace_id, os.urandom(8).hex(), flags)
    return replace(call, operation=replace(operation, outcome="unfinished", duration_ns=waited_ns))
