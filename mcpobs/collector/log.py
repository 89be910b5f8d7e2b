"""Makes request bodies durable, many with one sync: whoever comes while one is under way shares the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from mcpobs.lake.wal import Wal

GROUP_BYTES = 8 << 20  # of bodies in one append


class _Waiting(NamedTuple):
    body: bytes
    durable: asyncio.Future[None]


class GroupLog:
    """Appends to a Wal from one event loop. A sync takes milliseconds, and is shared by all that wait for it.

    A segment is ended at `roll_bytes`, and by `roll`; `rolled` is called each time.
    """

    def __init__(self, wal: Wal, roll_bytes: int, rolled: Callable[[], object]) -> None:
        self._wal = wal
        self._roll_bytes = roll_bytes
        self._rolled = rolled
        self._waiting: deque[_Waiting] = deque()
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "wal")  # a Wal is for one thread at a time
        self._task = asyncio.create_task(self._run(), name="wal")
        self._closing = False

    async def append(self, body: bytes) -> None:
        """Returns when the body is durable. Raises OSError where it could not be stored."""
        durable = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(body, durable))
        self._wake.set()
        await durable

    async def roll(self) -> None:
        """Ends the segment, where it holds anything."""
        await self._in_thread(self._end_segment)

    async def close(self) -> None:
        """Writes what waits and ends the segment."""
        self._closing = True
        self._wake.set()
        await self._task
        await self._in_thread(self._wal.close)
        self._thread.shutdown()

    async def _run(self) -> None:
        while self._waiting or not self._closing:
            if not self._waiting:
                self._wake.clear()
                await self._wake.wait()
                continue
            group = self._next_group()
            try:
                await self._in_thread(partial(self._store, group))
            except OSError as error:
                for waiting in group:
                    if not waiting.durable.done():  # its client may have gone away
                        waiting.durable.set_exception(OSError(error.errno, error.strerror))
            else:
                for waiting in group:
                    if not waiting.durable.done():
                        waiting.durable.set_result(None)

    def _next_group(self) -> list[_Waiting]:
        group = [self._waiting.popleft()]
        size = len(group[0].body)
        while self._waiting and size + len(self._waiting[0].body) <= GROUP_BYTES:
            group.append(self._waiting.popleft())
            size += len(group[-1].body)
        return group

    def _store(self, group: list[_Waiting]) -> None:
        self._wal.append([waiting.body for waiting in group])
        if self._wal.segment_bytes >= self._roll_bytes:
            self._end_segment()

    def _end_segment(self) -> None:
        if not self._wal.segment_bytes:
            return
        with suppress(OSError):  # what is in it is durable; the next append opens another, or says why it cannot
            self._wal.roll()
        self._rolled()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)
