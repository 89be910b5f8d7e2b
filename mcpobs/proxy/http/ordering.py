"""Lets the requests of one session reach the server in the order in which they came. Does no I/O, and holds a request
back for no longer than its predecessor said.

The requests of a session go over several connections, and a server reads those in an order of its own: one that was
busy for 14 ms read a tools/call before the GET for its session's standing stream, sent 8 ms earlier on a connection
that had been quiet (epoll names first what it named last). What it then asked the client was lost. Only an answer
proves that a request was read.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field

MAX_WAIT_S = 0.1  # a server that does not accept connections delays no request by more
MAX_STREAM_WAIT_S = 1.0  # a server may keep the head of a stream to itself until there is an event


@dataclass(slots=True, eq=False)
class _Entry:
    until_s: float  # when the next one need not wait any more, by the loop's clock
    before: _Entry | None  # as long as it waits for that
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def goes_on(self) -> _Entry | None:
        """Whom the next one has to wait for: this one, or the one before where this one gave up waiting for it."""
        entry: _Entry | None = self
        while entry is not None and entry.over.is_set():
            entry = entry.before
        return entry


class SessionOrder:
    """One object a front. `key` names the session; requests without one wait for nobody."""

    def __init__(self) -> None:
        self._last: dict[str, _Entry] = {}

    @asynccontextmanager
    async def enter(self, key: str | None, longest_s: float | None = None) -> AsyncIterator[Callable[[], None]]:
        """Waits for the turn, and gives what is to be called once the next may go; leaving ends the turn too. The next
        waits until then, and no later than `longest_s` (MAX_WAIT_S) after this one came."""
        if key is None:
            yield _nothing
            return
        until_s = asyncio.get_running_loop().time() + (MAX_WAIT_S if longest_s is None else longest_s)
        before = self._last.get(key)
        if before is not None:  # or the next would overtake this one, which may have to wait until then
            until_s = max(until_s, before.until_s)
        mine = self._last[key] = _Entry(until_s, before)

        def over() -> None:
            mine.over.set()
            if self._last.get(key) is mine:
                left = mine.goes_on()
                if left is not None:
                    self._last[key] = left
                else:
                    del self._last[key]

        try:
            with suppress(TimeoutError):
                while before is not None and (first := before.goes_on()) is not None:
                    async with asyncio.timeout_at(first.until_s):
                        await first.over.wait()
            mine.before = None
            yield over
        finally:
            over()


def _nothing() -> None:
    pass
