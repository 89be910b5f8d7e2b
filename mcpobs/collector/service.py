"""The collector's intake: checks a request, makes it durable in the log, and has it committed to the lake."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from mcpobs import keys
from mcpobs.collector.committer import Committer
from mcpobs.collector.intake import Accepted, Encoding, RefusedError, Signal
from mcpobs.collector.log import GroupLog
from mcpobs.errors import LakeError
from mcpobs.lake import backlog
from mcpobs.lake.otlp.decode import Checked, MalformedError, check, from_json
from mcpobs.lake.wal import Wal

ROLL_BYTES = 16 << 20  # one commit, by lake/writer.py
ROLL_EVERY_S = 2.0  # how long a span waits before it is to be seen in reports, at most
MAX_BACKLOG_BYTES = 1 << 30  # of requests that are not committed yet
BUSY_S = 5.0
UNAVAILABLE_S = 10.0
INLINE_BYTES = 1 << 18  # what is parsed on the event loop; more would hold up the others


class LakeIntake:
    """Takes traces into a lake. Metrics and logs are counted and dropped: the lake has no place for them."""

    def __init__(self, lake: Path, log: GroupLog, committer: Committer) -> None:
        self._lake = lake
        self._log = log
        self._committer = committer
        self._counts: Counter[str] = Counter()
        self._backlog_bytes = 0

    async def take(self, signal: Signal, encoding: Encoding, body: bytes) -> Accepted:
        self._counts[f"{signal}.requests"] += 1
        if signal != "traces":
            self._counts[f"{signal}.dropped_requests"] += 1
            return Accepted()
        if self._backlog_bytes > MAX_BACKLOG_BYTES:
            self._counts["refused.busy"] += 1
            raise RefusedError("busy", "more waits to be committed than the lake takes now", BUSY_S)
        body, checked = await self._checked(encoding, body)
        if checked.spans:
            await self._store(body)
        self._counts["traces.spans"] += checked.spans
        self._counts["traces.rejected_spans"] += checked.rejected
        message = "spans without a valid trace id or span id were rejected" if checked.rejected else ""
        return Accepted(checked.rejected, message)

    def counters(self) -> dict[str, int]:
        return {
            **self._counts,
            "lake.spans": self._committer.stored,
            "lake.duplicates": self._committer.duplicates,
            "lake.implausible_times": self._committer.implausible_times,
            "lake.damaged_requests": self._committer.damaged,
            "lake.backlog_bytes": self._backlog_bytes,
            "committer.restarts": self._committer.restarts,
        }

    @property
    def trouble(self) -> str | None:
        """What keeps the lake from being written now; None where nothing does."""
        return self._committer.error

    async def look_after(self) -> None:
        """Ends a segment that has waited long enough, and measures what waits for the committer. Runs for ever."""
        while True:
            await asyncio.sleep(ROLL_EVERY_S)
            await self._log.roll()
            with suppress(LakeError):
                found = backlog.segments(self._lake, backlog.WAL)
                self._backlog_bytes = sum(segment.size_bytes for segment in found)
            if self._backlog_bytes:
                self._committer.wake()

    async def _checked(self, encoding: Encoding, body: bytes) -> tuple[bytes, Checked]:
        def parse() -> tuple[bytes, Checked]:
            protobuf = from_json(body) if encoding == "json" else body
            return protobuf, check(protobuf)

        try:
            if len(body) <= INLINE_BYTES:
                return parse()
            return await asyncio.to_thread(parse)
        except MalformedError as error:
            self._counts["refused.malformed"] += 1
            raise RefusedError("malformed", str(error)) from None

    async def _store(self, body: bytes) -> None:
        try:
            await self._log.append(body)
        except OSError as error:
            self._counts["refused.unavailable"] += 1
            raise RefusedError("unavailable", f"cannot store: {error.strerror or error}", UNAVAILABLE_S) from None


@asynccontextmanager
async def open_intake(lake: Path, *, redact: bool = False) -> AsyncIterator[LakeIntake]:
    """The intake of a lake, which is made where there is none. At the end everything is committed.

    With `redact` spans are stored without their content. Raises LakeError where the lake cannot be written.
    """
    keys.open_folder(lake)
    loop = asyncio.get_running_loop()
    try:
        wal = Wal(lake, redact=redact)
    except OSError as error:
        raise LakeError(
            f"cannot write to the lake at {lake}: {error.strerror}", "check the folder's permissions and free space"
        ) from None
    committer = Committer(lake)
    log = GroupLog(wal, ROLL_BYTES, lambda: loop.call_soon_threadsafe(committer.wake))
    intake = LakeIntake(lake, log, committer)
    await committer.start()
    tending = asyncio.create_task(intake.look_after(), name="tending")
    try:
        yield intake
    finally:
        tending.cancel()
        with suppress(asyncio.CancelledError):
            await tending
        await log.close()
        await committer.close()
