"""Lets the requests of one session go out in the order in which they came. Does no I/O and never holds one back for
longer than until the one before it was sent, nor than MAX_WAIT_S.

Without it a request that finds an idle connection to the server overtakes one that waits for a new connection: a
tools/call came to the server before the GET for the stream on which the server then wanted to ask something.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

MAX_WAIT_S = 0.1  # a server that does not accept connections delays no request by more


class Turns:
    """One object a front. `key` names the session; requests without one wait for nobody."""

    def __init__(self) -> None:
        self._last: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def take(self, key: str | None) -> AsyncIterator[Callable[[], None]]:
        """Waits for the turn, and gives what is to be called once the request was sent. Leaving ends the turn too."""
        if key is None:
            yield _nothing
            return
        before, mine = self._last.get(key), asyncio.Event()
        self._last[key] = mine

        def sent() -> None:
            mine.set()
            if self._last.get(key) is mine:
                del self._last[key]

        try:
            if before is not None:
                with suppress(TimeoutError):
                    await asyncio.wait_for(before.wait(), MAX_WAIT_S)
            yield sent
        finally:
            sent()


def _nothing() -> None:
    pass
