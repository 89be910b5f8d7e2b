"""Owns the collector's intake: checks a request, writes it to the log, and has it committed to the lake."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from mcpobs import keys
from mcpobs.collector.charger import Charger
from mcpobs.collector.committer import Committer
from mcpobs.collector.converter import Converter
from mcpobs.collector.intake import Accepted, Encoding, RefusedError, Signal
from mcpobs.collector.log import GroupLog
from mcpobs.errors import LakeError
from mcpobs.lake import backlog, quarantine
from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES, is_expanding
from mcpobs.lake.otlp.decode import Checked, MalformedError, check, from_json
from mcpobs.lake.otlp.request import TooManyValuesError
from mcpobs.lake.wal import Wal

ROLL_BYTES = 16 << 20  # one commit, by lake/writer.py
ROLL_EVERY_S = 2.0  # longest wait before a span appears in reports
MAX_BACKLOG_BYTES = 1 << 30  # of uncommitted requests
ROOM_SHARE = 32
"""A request may take up to 1/ROOM_SHARE of the remaining room. So senders of large requests, which fill the log, are
refused long before senders of usual ones; a request of 20 MiB is accepted while less than 384 MiB wait."""
MAX_EXPANDED_BACKLOG_BYTES = 4 << 30
"""Most bytes repeated by uncommitted expanding requests; the committer writes about 300 MB of them a second. ROOM_SHARE
applies here too: a request of 64 MiB is accepted while less than 2 GiB wait."""
BUSY_S = 5.0
UNAVAILABLE_S = 10.0
INLINE_BYTES = 1 << 18  # largest request parsed on the event loop; a larger one would delay others


class LakeIntake:
    """Stores traces in a lake. Metrics and logs are counted and dropped: the lake has no tables for them."""

    def __init__(
        self, lake: Path, log: GroupLog, committer: Committer, converter: Converter, charger: Charger | None = None
    ) -> None:
        self._lake = lake
        self._log = log
        self._committer = committer
        self._converter = converter
        self._charger = charger
        self._counts: Counter[str] = Counter()
        self._backlog_bytes = 0
        self._expanded_bytes = 0
        self._quarantined: list[quarantine.SetAside] = []
        self._quarantine_deleted = quarantine.NONE_DELETED
        self._large = asyncio.Lock()

    async def take(self, signal: Signal, encoding: Encoding, body: bytes) -> Accepted:
        self._counts[f"{signal}.requests"] += 1
        if signal != "traces":
            self._counts[f"{signal}.dropped_requests"] += 1
            return Accepted()
        if len(body) * ROOM_SHARE > MAX_BACKLOG_BYTES - self._backlog_bytes:
            self._counts["refused.busy"] += 1
            raise RefusedError(
                "busy",
                f"{self._backlog_bytes} bytes wait to be committed, which leaves no room for {len(body)}",
                BUSY_S,
            )
        body, checked = await self._checked(encoding, body)
        if checked.spans:
            await self._store(body, checked.expanded)
            self._backlog_bytes += len(body)  # until the next measurement
        self._counts["traces.spans"] += checked.spans
        rejected = checked.rejected + checked.oversized
        self._counts["traces.rejected_spans"] += rejected
        if rejected:
            self._counts["rejected.invalid_spans"] += checked.rejected
            self._counts["rejected.oversized_spans"] += checked.oversized
        return Accepted(rejected, _rejection(checked))

    def counters(self) -> dict[str, int]:
        return {
            **self._counts,
            "lake.spans": self._committer.stored,
            "lake.duplicates": self._committer.duplicates,
            "lake.implausible_times": self._committer.implausible_times,
            "lake.damaged_requests": self._committer.damaged,
            "lake.set_aside": self._committer.set_aside,
            "lake.quarantined_segments": len(self._quarantined),
            "lake.quarantined_bytes": sum(one.size_bytes for one in self._quarantined),
            "lake.quarantine_deleted_segments": self._quarantine_deleted.segments,
            "lake.quarantine_deleted_bytes": self._quarantine_deleted.size_bytes,
            "lake.backlog_bytes": self._backlog_bytes,
            "lake.backlog_expanded_bytes": self._expanded_bytes,
            "committer.restarts": self._committer.restarts,
            **({} if self._charger is None else self._charger.counters()),
        }

    @property
    def trouble(self) -> str | None:
        """Returns the reason why the lake cannot be written or is incomplete; None if there is none."""
        if self._committer.error is not None:
            return self._committer.error
        if self._quarantined:
            count = len(self._quarantined)
            what = (
                "1 segment that cannot be committed is"
                if count == 1
                else f"{count} segments that cannot be committed are"
            )
            return f"{what} quarantined in {self._lake / quarantine.FOLDER}; `mcpobs lake retry` tries again"
        return None

    async def look_after(self) -> None:
        """Ends segments that have waited long enough, and measures the backlog of the committer. Runs forever."""
        while True:
            with suppress(LakeError):
                self._quarantined = quarantine.listed(self._lake)
                self._quarantine_deleted = quarantine.deleted(self._lake)
            await asyncio.sleep(ROLL_EVERY_S)
            await self._log.roll()
            with suppress(LakeError):
                found = backlog.segments(self._lake, backlog.WAL)
                self._backlog_bytes = sum(segment.size_bytes for segment in found)
                self._measure_expanded({segment.path.name for segment in found})
            if self._backlog_bytes:
                self._committer.wake()

    async def _checked(self, encoding: Encoding, body: bytes) -> tuple[bytes, Checked]:
        try:
            if len(body) <= INLINE_BYTES:
                protobuf = from_json(body) if encoding == "json" else body
                return protobuf, check(protobuf)
            protobuf = await self._converter.convert(body) if encoding == "json" else body
            async with self._large:  # one at a time bounds the memory
                return protobuf, await asyncio.to_thread(check, protobuf)
        except RefusedError:
            self._counts["refused.unavailable"] += 1
            raise
        except MalformedError as error:
            self._counts[
                "refused.too_many_values" if isinstance(error, TooManyValuesError) else "refused.malformed"
            ] += 1
            raise RefusedError("malformed", str(error)) from None

    def _measure_expanded(self, waiting: set[str]) -> None:
        for name in [name for name in self._log.expanded if name not in waiting]:
            self._log.expanded.pop(name, None)
        self._expanded_bytes = sum(self._log.expanded.values())

    async def _store(self, body: bytes, expanded_bytes: int) -> None:
        if is_expanding(len(body), expanded_bytes):
            if expanded_bytes * ROOM_SHARE > MAX_EXPANDED_BACKLOG_BYTES - self._expanded_bytes:
                self._counts["refused.busy"] += 1
                raise RefusedError(
                    "busy",
                    f"{self._expanded_bytes} bytes of repeated resources and scopes wait to be committed, which leaves "
                    f"no room for {expanded_bytes}",
                    BUSY_S,
                )
            self._expanded_bytes += expanded_bytes  # until the next measurement
        try:
            await self._log.append(body, expanded_bytes)
        except OSError as error:
            self._counts["refused.unavailable"] += 1
            raise RefusedError("unavailable", f"cannot store: {error.strerror or error}", UNAVAILABLE_S) from None


def _rejection(checked: Checked) -> str:
    """Returns why spans were rejected; empty if none was."""
    reasons = []
    if checked.rejected:
        reasons.append(f"{checked.rejected} spans without a valid trace id or span id were rejected")
    if checked.oversized:
        reasons.append(
            f"{checked.oversized} spans were rejected: the resource and scope that each span repeats, times the spans, "
            f"exceed the limit of {MAX_EXPANDED_BYTES} bytes a request; send fewer spans in a request, or less in the "
            "resource and scope"
        )
    return "; ".join(reasons)


@asynccontextmanager
async def open_intake(
    lake: Path, *, redact: bool = False, scrub: bool = False, charging: Sequence[str] = ()
) -> AsyncIterator[LakeIntake]:
    """Yields the intake of a lake, which is created if missing. Commits everything at the end.

    With `redact` spans are stored without their content, with `scrub` without personal data and secrets. `charging` is
    the command of the process that charges model calls to budgets, if there is one. Raises LakeError if the lake cannot
    be written.
    """
    keys.open_folder(lake)
    loop = asyncio.get_running_loop()
    try:
        wal = Wal(lake, redact=redact, scrub=scrub)
    except OSError as error:
        raise LakeError(
            f"cannot write to the lake at {lake}: {error.strerror}", "check the folder's permissions and free space"
        ) from None
    charger = Charger(charging) if charging else None
    committer = Committer(lake) if charger is None else Committer(lake, charger.committed)
    log = GroupLog(
        wal,
        ROLL_BYTES,
        lambda: loop.call_soon_threadsafe(committer.wake),
        lambda: Wal(lake, redact=redact, scrub=scrub, expands=True),
    )
    converter = Converter()
    intake = LakeIntake(lake, log, committer, converter, charger)
    await committer.start()
    if charger is not None:
        await charger.start()
    tending = asyncio.create_task(intake.look_after(), name="tending")
    try:
        yield intake
    finally:
        tending.cancel()
        with suppress(asyncio.CancelledError):
            await tending
        await converter.close()
        await log.close()
        await committer.close()
        if charger is not None:
            await charger.close()
