"""`python -m mcpobs.charging.process <lake> <state> <policy file>…`: charges model calls, beside the collector.

It works for each line on stdin, which may hold the time of a receipt, and in pauses without one, because fronts on this
machine write to the lake too. It writes a line of JSON after each round, and ends with stdin.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import orjson

from mcpobs.charging.rounds import Rounds
from mcpobs.collector.charger import LAST_S, Report
from mcpobs.collector.orders import Orders
from mcpobs.errors import EXIT_OK, EXIT_USAGE, McpobsError
from mcpobs.lake import memory
from mcpobs.policy import file
from mcpobs.policy.model import Policy
from mcpobs.policy.reload import Reloader
from mcpobs.policy.spend import Budgets
from mcpobs.policy.sqlite import SqliteStore
from mcpobs.policy.state import StoreError

IDLE_S = 30.0
WAITING_S = 5.0
"""The pause while some model call has no session yet: its first call is in the spool of a front, without a commit."""
REST = 4
"""A round of recent spans is followed by a pause of so many times its length: heavy traffic must not take a processor
for this."""
DATA_BYTES = 2 << 30


def main(arguments: Sequence[str]) -> int:
    if len(arguments) < 3:
        return EXIT_USAGE
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)  # only the end of stdin ends it
    memory.limit(DATA_BYTES)
    with suppress(OSError):
        os.nice(5)  # the receiver has priority
    lake, state, *files = arguments
    charging = _Charging(Path(lake), Path(state), files)
    orders = Orders(LAST_S)
    pause_s = 0.0  # a collector that was killed left something, perhaps
    while not orders.ended:
        received = charging.wait(orders, pause_s)
        pause_s = charging.work(received)
    return EXIT_OK


class _Charging:
    def __init__(self, lake: Path, state: Path, files: Sequence[str]) -> None:
        self._lake = lake
        self._state = state
        policy = file.load(files)
        self._budgets = Budgets(policy)
        self._reloader = Reloader(files, policy, self._use)
        self._rounds: Rounds | None = None
        self._rested_s = 0.0

    def wait(self, orders: Orders, pause_s: float) -> int | None:
        """Waits for an order, or as long as the pause. Returns the earliest receipt that an order names."""
        received = _received(orders.text) if orders.wait(pause_s) else None
        while not orders.ended and (left_s := self._rested_s - time.monotonic()) > 0:
            if orders.wait(left_s):
                received = min((one for one in (received, _received(orders.text)) if one is not None), default=None)
        return received

    def work(self, received: int | None) -> float:
        """Does one round. Returns how long to wait for an order after it."""
        began_s = time.monotonic()
        waiting, rest = True, REST
        self._reloader.look()
        try:
            if self._rounds is None:
                self._rounds = Rounds(self._lake, self._budgets, SqliteStore(self._state))
            done = self._rounds.round()
            lag_ms = 0 if received is None or not done.charged else max(0, time.time_ns() - received) // 1_000_000
            _say(
                Report(
                    charged=done.charged,
                    charged_microusd=done.charged_microusd,
                    uncharged=done.uncharged,
                    lag_ms=lag_ms,
                    error=None,
                )
            )
            waiting = done.uncharged["unmatched"] > 0
            rest = 0 if done.whole else REST  # which comes seldom
        except (McpobsError, StoreError) as error:
            _say(Report(charged=0, charged_microusd=0, uncharged={}, lag_ms=0, error=error.message))
        self._rested_s = time.monotonic() + rest * (time.monotonic() - began_s)
        return WAITING_S if waiting else IDLE_S

    def _use(self, policy: Policy) -> None:
        """Switches to a changed policy, like the fronts."""
        self._budgets = Budgets(policy)
        if self._rounds is not None:
            self._rounds.use(self._budgets)


def _received(text: bytes) -> int | None:
    """The earliest receipt, in unix nanoseconds, of what was read from stdin."""
    return min((int(line) for line in text.splitlines() if line.isdigit()), default=None)


def _say(report: Report) -> None:
    with suppress(OSError):  # the collector is gone
        os.write(1, orjson.dumps(report) + b"\n")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
