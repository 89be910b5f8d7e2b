"""Keeps the committing process running, and counts its reports."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from mcpobs import interpreter
from mcpobs.collector.child import Child
from mcpobs.collector.committing import LAST_S, Report

END_S = LAST_S + 6.0
"""Time for the last commit, which stops by itself after LAST_S and the current batch; then the process is killed."""
_MALLOC = {"MALLOC_MMAP_THRESHOLD_": str(1 << 30), "MALLOC_TRIM_THRESHOLD_": str(256 << 20)}
"""Settings for glibc: each batch has buffers of megabytes, and page faults on new memory cost more than the
decoding."""


class Committer(Child[Report]):
    """The committing process of one lake. Close it after the log is closed. A process that is killed leaves
    uncommitted requests in the log.

    `committed` is called for each stored batch with the time of its receipt, in unix nanoseconds."""

    def __init__(self, lake: Path, committed: Callable[[int], None] = lambda received: None) -> None:
        super().__init__(interpreter.command("mcpobs.collector.committing", str(lake)), "committing", END_S, _MALLOC)
        self._committed = committed
        self.stored = 0
        self.duplicates = 0
        self.damaged = 0
        self.implausible_times = 0
        self.set_aside = 0

    def killed(self) -> None:
        self.error = "the last commit takes too long; the next command on the lake completes it"

    def reported(self, report: Report) -> None:
        super().reported(report)
        self.stored += report["rows"]
        self.duplicates += report["duplicates"]
        self.damaged += report["damaged"]
        self.implausible_times += report["implausible_times"]
        self.set_aside += report["set_aside"]
        if report["rows"]:
            self._committed(report["received_unix_nano"])
