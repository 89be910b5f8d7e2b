"""`python -m mcpobs.collector.committing <lake>`: the collector's committer, a separate process.

It commits for each line on stdin, and writes a line of JSON to stdout after each batch and each commit. It ends when
stdin ends, after a last commit of at most LAST_S; so it never outlives a collector that was killed. As a separate
process it does not delay acknowledgements by its memory and processor use.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from mcpobs.collector.child import Outcome
from mcpobs.collector.orders import Orders
from mcpobs.errors import EXIT_OK, EXIT_UNAVAILABLE, EXIT_USAGE, McpobsError
from mcpobs.lake import memory

if TYPE_CHECKING:
    from mcpobs.lake.received import Receiving
    from mcpobs.lake.writer import Commit

IDLE_S = 30.0  # wrappers on this machine leave segments too
BUSY_PAUSE_S = 0.2
LAST_S = 8.0
"""Time for commits after the end of stdin. The rest stays in the log."""
BATCH_LIMIT_S = 300
"""Limit for one batch of at most 16 MiB and one request, which takes a second or two."""
DATA_BYTES = 2 << 30
"""Most memory of the process, by RLIMIT_DATA, to protect the machine. Beyond it an allocation fails, and the segment
that caused it is set aside."""


class Report(Outcome):
    """The progress since the last report, as a line of JSON."""

    rows: int
    duplicates: int
    damaged: int
    implausible_times: int
    set_aside: int
    received_unix_nano: int
    """When the last batch was received; 0 if there was none."""


def main(arguments: list[str]) -> int:
    if len(arguments) != 1:
        return EXIT_USAGE
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the end of stdin ends it
    memory.limit(DATA_BYTES)
    with suppress(OSError):
        os.nice(5)  # the receiver has priority
    orders = Orders(LAST_S)
    committing = _Committing(Path(arguments[0]), orders)
    while not orders.ended:
        woken = orders.wait(IDLE_S)
        if not committing.commit(busy=woken and not orders.ended):
            return EXIT_UNAVAILABLE
    return EXIT_OK


_NOTHING = Report(rows=0, duplicates=0, damaged=0, implausible_times=0, set_aside=0, received_unix_nano=0, error=None)


class _Committing:
    """Commits to one lake, and keeps its connection while that works. Reports each stored batch."""

    def __init__(self, lake: Path, orders: Orders) -> None:
        self._lake = lake
        self._orders = orders
        self._kept: Receiving | None = None

    def commit(self, busy: bool) -> bool:
        """Commits once. Returns False if the process must end, so that a new one starts with free memory."""
        from mcpobs.lake.received import keep
        from mcpobs.lake.storing import ROOM_BYTES
        from mcpobs.lake.writer import commit

        reporter = _Reporter(self._received)
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

    def _received(self) -> int:
        return 0 if self._kept is None else self._kept.received_unix_nano


class _Reporter:
    """Turns the running totals of one commit into reports of the differences."""

    def __init__(self, received: Callable[[], int]) -> None:
        self._received = received
        self._said = _NOTHING

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
                received_unix_nano=self._received(),
                error=None,
            )
        )

    def failed(self, message: str) -> None:
        _say({**_NOTHING, "error": message})


def _report_of(done: Commit) -> Report:
    return Report(
        rows=done.rows,
        duplicates=done.duplicates,
        damaged=done.damaged_lines,
        implausible_times=done.implausible_times,
        set_aside=done.set_aside,
        received_unix_nano=0,
        error=None,
    )


def _say(report: Report) -> None:
    with suppress(OSError):  # the collector is gone
        os.write(1, orjson.dumps(report) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
