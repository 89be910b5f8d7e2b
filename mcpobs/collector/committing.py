"""`python -m mcpobs.collector.committing <lake>`: the collector's committer, a separate process.

It commits for each line on stdin, and writes a line of JSON to stdout after each batch and each commit. It ends when
stdin ends, after a last commit of at most LAST_S; so it never outlives a collector that was killed. As a separate
process it does not delay acknowledgements by its memory and processor use.
"""

from __future__ import annotations

import os
import select
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict

import orjson

from mcpobs.errors import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE, McpobsError
from mcpobs.lake import memory

if TYPE_CHECKING:
    from mcpobs.lake.received import Receiving
    from mcpobs.lake.writer import Commit

IDLE_S = 30.0  # wrappers on this machine leave segments too
BUSY_PAUSE_S = 0.2
CHUNK = 1 << 12
LAST_S = 8.0
"""Time for commits after the end of stdin. The rest stays in the log."""
BATCH_LIMIT_S = 300
"""Limit for one batch of at most 16 MiB and one request, which takes a second or two."""
DATA_BYTES = 2 << 30
"""Most memory of the process, by RLIMIT_DATA, to protect the machine. Beyond it an allocation fails, and the segment
that caused it is set aside."""


class Report(TypedDict):
    """The progress since the last report, as a line of JSON. `error` is None on success."""

    rows: int
    duplicates: int
    damaged: int
    implausible_times: int
    set_aside: int
    error: str | None


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        return EXIT_USAGE
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the end of stdin ends it
    memory.limit(DATA_BYTES)
    with suppress(OSError):
        os.nice(5)  # the receiver has priority
    orders = _Orders()
    committing = _Committing(Path(arguments[0]), orders)
    while not orders.ended:
        woken = orders.wait(IDLE_S)
        if not committing.commit(busy=woken and not orders.ended):
            return EXIT_UNAVAILABLE
    return EXIT_OK


class _Orders:
    """Reads orders from stdin."""

    def __init__(self) -> None:
        self._ended_s: float | None = None

    @property
    def ended(self) -> bool:
        return self._ended_s is not None

    def wait(self, seconds: float) -> bool:
        """Waits until there may be work; returns whether a line or the end came."""
        if self.ended:
            return True
        ready, _, _ = select.select([0], [], [], seconds)
        if ready and not os.read(0, CHUNK):
            self._ended_s = time.monotonic()
        return bool(ready)

    def overdue(self) -> bool:
        """Returns whether stdin ended LAST_S ago. Drops lines that it finds: the current commit takes every segment
        sealed before its end."""
        self.wait(0)
        return self._ended_s is not None and time.monotonic() - self._ended_s > LAST_S


class _Committing:
    """Commits to one lake, and keeps its connection while that works. Reports each stored batch."""

    def __init__(self, lake: Path, orders: _Orders) -> None:
        self._lake = lake
        self._orders = orders
        self._kept: Receiving | None = None

    def commit(self, busy: bool) -> bool:
        """Commits once. Returns False if the process must end, so that a new one starts with free memory."""
        from mcpobs.lake.received import keep
        from mcpobs.lake.storing import ROOM_BYTES
        from mcpobs.lake.writer import commit

        reporter = _Reporter()
        try:
            self._kept = self._kept or keep(self._lake)
            while (
                done := commit(
                    self._lake,
                    busy=busy,
                    kept=self._kept,
                    limit_s=BATCH_LIMIT_S,
                    step=reporter.report,
                    stop=self._orders.overdue,
                )
            ).busy and not self._orders.overdue():
                time.sleep(BUSY_PAUSE_S)
        except McpobsError as error:
            self._kept = None
            reporter.failed(error.message)
            return memory.is_obtainable(ROOM_BYTES)
        if done.failures:
            self._kept = None
        reporter.report(done)
        return True


class _Reporter:
    """Turns the running totals of one commit into reports of the differences."""

    def __init__(self) -> None:
        self._said = Report(rows=0, duplicates=0, damaged=0, implausible_times=0, set_aside=0, error=None)

    def report(self, done: Commit) -> None:
        before, self._said = self._said, _report_of(done)
        now = self._said
        _say(
            Report(
                rows=now["rows"] - before["rows"],
                duplicates=now["duplicates"] - before["duplicates"],
                damaged=now["damaged"] - before["damaged"],
                implausible_times=now["implausible_times"] - before["implausible_times"],
                set_aside=now["set_aside"] - before["set_aside"],
                error=None,
            )
        )

    def failed(self, message: str) -> None:
        _say(Report(rows=0, duplicates=0, damaged=0, implausible_times=0, set_aside=0, error=message))


def _report_of(done: Commit) -> Report:
    return Report(
        rows=done.rows,
        duplicates=done.duplicates,
        damaged=done.damaged_lines,
        implausible_times=done.implausible_times,
        set_aside=done.set_aside,
        error=None,
    )


def _say(report: Report) -> None:
    with suppress(OSError):  # the collector is gone
        os.write(1, orjson.dumps(report) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
