"""One round: reads model calls of the lake, and charges those that are not charged yet.

Which calls are charged is in the store, in the same step as the charge. So a round may die anywhere, and the next one
goes on; what this process remembers only saves it questions.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple, get_args

from mcpobs.lake.reader import open_reading
from mcpobs.policy.spend import WITHIN_NS, Budgets, ModelCall, Sessions, Sharing, Uncharged
from mcpobs.policy.state import Store
from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import on_sound_files

RECENT_NS = 600 * 1_000_000_000
"""What most rounds read: a span arrives soon after its start, and reading a day of 400,000 spans takes 2.3 s."""
WHOLE_EVERY_S = 300.0
WHOLE_REST = 50
"""The first round, and one every WHOLE_EVERY_S, reads all that can be charged: spans that came late, and sessions of
which nothing recent is known. In a large lake it comes less often: at most a 50th of the time."""

PAUSE_S = 0.0005
"""Between two charges, for fronts that wait for the store: without it their p99 is 17 ms while many calls are charged,
with it 3 ms."""

_Span = tuple[str, str]


class Round(NamedTuple):
    """What a round did, and the model calls of the last day that are charged to nobody, by reason."""

    charged: int
    charged_microusd: int
    uncharged: dict[str, int]
    whole: bool


class Rounds:
    """The rounds of one process. `clock` gives seconds."""

    def __init__(self, lake: Path, budgets: Budgets, store: Store, clock: Callable[[], float] = time.monotonic) -> None:
        self._lake = lake
        self._budgets = budgets
        self._store = store
        self._clock = clock
        self._whole_s: float | None = None  # when the next round of all is due
        self._settled: dict[_Span, tuple[int, int]] = {}  # calls: when they began, and how many callers are charged
        self._uncharged: dict[_Span, tuple[Uncharged, int]] = {}
        self._sharing: dict[Sharing, int] = {}  # sessions, without their beginning, and when they began

    def use(self, budgets: Budgets) -> None:
        """Switches to the budgets of another policy. Charged amounts stay charged."""
        self._budgets = budgets

    def round(self) -> Round:
        """Raises LakeError or StoreError; what was charged until then stays charged."""
        began_s = self._clock()
        whole = self._whole_s is None or began_s >= self._whole_s
        since = self._store.now_ns() - (WITHIN_NS if whole else RECENT_NS)
        calls, sharing = self._read(since)
        if whole:
            self._forget(since)
        self._learn(sharing)
        charged, microusd = self._charge_all(calls)
        if whole:
            now_s = self._clock()
            self._whole_s = now_s + max(WHOLE_EVERY_S, WHOLE_REST * (now_s - began_s))
        uncharged = dict.fromkeys(get_args(Uncharged), 0)
        for reason, _ in self._uncharged.values():
            uncharged[reason] += 1
        return Round(charged, microusd, uncharged, whole)

    def _forget(self, since: int) -> None:
        """Forgets what is too old to be charged, and sessions, which a reading of all has anew."""
        self._settled = {span: one for span, one in self._settled.items() if one[0] >= since}
        self._uncharged = {span: one for span, one in self._uncharged.items() if one[1] >= since}
        self._sharing.clear()

    def _learn(self, sharing: Iterable[Sharing]) -> None:
        for one in sharing:
            key = one._replace(first_unix_nano=0)
            self._sharing[key] = min(one.first_unix_nano, self._sharing.get(key, one.first_unix_nano))

    def _read(self, since: int) -> tuple[list[ModelCall], list[Sharing]]:
        """The model calls that may have to be charged, and sessions that share something with model calls."""

        def read(plan: Plan) -> tuple[list[ModelCall], list[Sharing]]:
            calls = [ModelCall(*row) for row in plan.rows(catalog.load("spend_calls"))]
            return calls, [Sharing(*row) for row in plan.rows(catalog.load("spend_sessions"))]

        with open_reading(self._lake, since_unix_nano=since) as reading:
            return on_sound_files(reading, read)

    def _charge_all(self, calls: Iterable[ModelCall]) -> tuple[int, int]:
        """Returns how many calls were charged, and how much."""
        sessions = Sessions(one._replace(first_unix_nano=first) for one, first in self._sharing.items())
        charged = microusd = 0
        for call in calls:
            span = call.trace_id, call.span_id
            found = sessions.of(call)
            if isinstance(found, str):
                if span not in self._settled:
                    self._uncharged[span] = found, call.start_unix_nano
                continue
            if self._settled.get(span, (0, 0))[1] >= len(found):
                continue
            if sum(self._charge(call, one) for one in found):
                charged += 1
                microusd += call.cost_microusd or 0
            self._settled[span] = call.start_unix_nano, len(found)
            self._uncharged.pop(span, None)
        return charged, microusd

    def _charge(self, call: ModelCall, of: Sharing) -> bool:
        """Charges a call to all counters. Returns whether it was not charged before."""
        if not call.cost_microusd:
            return False
        charged = False
        for charge in self._budgets.charges(call, of):
            if self._store.charge(*charge):
                charged = True
                time.sleep(PAUSE_S)
        return charged
