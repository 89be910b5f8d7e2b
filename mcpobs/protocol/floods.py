"""Bounds the rows of progress and log notifications: the first few have rows, the rest are counted.

Those of a request are counted on its operation. Those of no request are counted by burst: one more operation stands for
the rest of a burst, and ends with it. Does no I/O and has no timer: a burst is over when the next message finds it so.
"""

from __future__ import annotations

from collections.abc import Callable

from mcpobs.protocol.call import Call
from mcpobs.protocol.operation import Operation, Stamp

FIRST_ROWS = 5
"""Notifications of one request and kind, or of one burst, that have rows of their own."""
BURST_GAP_NS = 1_000_000_000
"""Silence that ends a burst."""
PROGRESS = "notifications/progress"
LOG = "notifications/message"
COUNTED = frozenset({PROGRESS, LOG})


def count(operation: Operation, method: str) -> bool:
    """Counts a notification on the request that it belongs to. Returns whether it has a row of its own."""
    if method == PROGRESS:
        operation.progress += 1
        return operation.progress <= FIRST_ROWS
    operation.log_messages += 1
    return operation.log_messages <= FIRST_ROWS


class Burst:
    """The notifications of one kind and sender that belong to no request, as long as they follow each other closely."""

    def __init__(self) -> None:
        self._rows = 0
        self._last: Stamp | None = None
        self._rest: Call | None = None  # stands for those without a row

    def count(self, method: str, stamp: Stamp, begin: Callable[[], Call]) -> bool:
        """Counts a notification. Returns whether it has a row of its own; if not, `begin` makes the call that stands
        for it, once a burst. `end` has to be called before if the burst is over."""
        self._last = stamp
        self._rows += 1
        if self._rows <= FIRST_ROWS:
            return True
        if self._rest is None:
            self._rest = begin()
        operation = self._rest.operation
        if method == PROGRESS:
            operation.progress += 1
        else:
            operation.log_messages += 1
        return False

    def is_over(self, stamp: Stamp) -> bool:
        return self._last is not None and stamp.mono_ns - self._last.mono_ns > BURST_GAP_NS

    def end(self) -> tuple[Call, Stamp] | None:
        """The call that stands for the rest of the burst, with the time of the last; None if all have rows."""
        rest, last = self._rest, self._last
        self._rows, self._rest, self._last = 0, None, None
        return None if rest is None or last is None else (rest, last)
