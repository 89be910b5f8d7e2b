"""Makes request bodies durable, many with one sync: bodies that arrive during a sync share the next."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from functools import partial
from typing import NamedTuple

from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES, is_expanding
from mcpobs.lake.wal import Wal

GROUP_BYTES = 8 << 20  # of bodies in one append
EXPANDED_BYTES = MAX_EXPANDED_BYTES  # of repeated text in a segment: one batch of the committer


class _Waiting(NamedTuple):
    body: bytes
    expanded_bytes: int
    durable: asyncio.Future[None]


class _Lane:
    """A log and the bodies that wait to be appended to it."""

    def __init__(self, make: Callable[[], Wal]) -> None:
        self._make = make
        self.wal: Wal | None = None
        self.expanded_bytes = 0  # of the current segment
        self.waiting: deque[_Waiting] = deque()

    def open(self) -> Wal:
        if self.wal is None:
            self.wal = self._make()
        return self.wal

    def close(self) -> None:
        if self.wal is not None:
            self.wal.close()

    def next_group(self) -> list[_Waiting]:
        group = [self.waiting.popleft()]
        size, expanded = len(group[0].body), group[0].expanded_bytes
        while self.waiting:
            size += len(self.waiting[0].body)
            expanded += self.waiting[0].expanded_bytes
            if size > GROUP_BYTES or expanded > EXPANDED_BYTES:
                break
            group.append(self.waiting.popleft())
        return group


class GroupLog:
    """Appends to two logs from one event loop. A sync takes milliseconds and is shared by all waiting bodies.

    Requests that take many times their size when stored have a separate log, which `expanding` opens for the first of
    them: the others must not wait for their commits. A segment ends at `roll_bytes`, before it repeats more than
    EXPANDED_BYTES, or by `roll`; `rolled` is called each time.
    """

    def __init__(
        self, wal: Wal, roll_bytes: int, rolled: Callable[[], object], expanding: Callable[[], Wal] | None = None
    ) -> None:
        self._lanes = [_Lane(lambda: wal)]
        self._lanes[0].open()
        if expanding is not None:
            self._lanes.append(_Lane(expanding))
        self._roll_bytes = roll_bytes
        self._rolled = rolled
        self.expanded: dict[str, int] = {}
        """Bytes that the requests of the expanding log repeat, by segment name. The caller removes a segment that is
        gone."""
        self._wake = asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "wal")  # a Wal is for one thread at a time
        self._task = asyncio.create_task(self._run(), name="wal")
        self._closing = False

    async def append(self, body: bytes, expanded_bytes: int = 0) -> None:
        """Returns when the body is durable. Raises OSError if it could not be stored."""
        durable = asyncio.get_running_loop().create_future()
        lane = self._lanes[-1] if is_expanding(len(body), expanded_bytes) else self._lanes[0]
        lane.waiting.append(_Waiting(body, expanded_bytes, durable))
        self._wake.set()
        await durable

    async def roll(self) -> None:
        """Ends the non-empty segments."""
        for lane in self._lanes:
            await self._in_thread(partial(self._end_segment, lane))

    async def close(self) -> None:
        """Writes the waiting bodies and ends the segments."""
        self._closing = True
        self._wake.set()
        await self._task
        for lane in self._lanes:
            await self._in_thread(lane.close)
        self._thread.shutdown()

    async def _run(self) -> None:
        while any(lane.waiting for lane in self._lanes) or not self._closing:
            if not any(lane.waiting for lane in self._lanes):
                self._wake.clear()
                await self._wake.wait()
                continue
            for lane in self._lanes:
                if lane.waiting:
                    await self._store_group(lane)

    async def _store_group(self, lane: _Lane) -> None:
        group = lane.next_group()
        try:
            await self._in_thread(partial(self._store, lane, group))
        except OSError as error:
            for waiting in group:
                if not waiting.durable.done():  # its client may have disconnected
                    waiting.durable.set_exception(OSError(error.errno, error.strerror))
        else:
            for waiting in group:
                if not waiting.durable.done():
                    waiting.durable.set_result(None)

    def _store(self, lane: _Lane, group: list[_Waiting]) -> None:
        wal = lane.open()
        more = sum(waiting.expanded_bytes for waiting in group)
        if lane.expanded_bytes + more > EXPANDED_BYTES:
            self._end_segment(lane)
        wal.append([waiting.body for waiting in group])
        lane.expanded_bytes += more
        if lane is not self._lanes[0]:
            self.expanded[wal.segment_name] = lane.expanded_bytes
        if wal.segment_bytes >= self._roll_bytes:
            self._end_segment(lane)

    def _end_segment(self, lane: _Lane) -> None:
        if lane.wal is None or not lane.wal.segment_bytes:
            return
        lane.expanded_bytes = 0
        with suppress(OSError):  # its content is durable; the next append opens another segment or raises
            lane.wal.roll()
        self._rolled()

    async def _in_thread(self, work: Callable[[], None]) -> None:
        await asyncio.get_running_loop().run_in_executor(self._thread, work)
