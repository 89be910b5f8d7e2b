"""One round: reads the model calls of the lake, and charges those that are not charged yet.

Which calls are charged is in the store, in the same step as the charge. So a round may die anywhere, and the next one
goes on; what this process remembers only saves it questions.
"""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, get_args

from mcpobs.lake.reader import open_reading
from mcpobs.policy.spend import WITHIN_NS, Budgets, ModelCall, Sessions, Sharing, Uncharged
from mcpobs.policy.state import Store
from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import on_sound_files


class Round(NamedTuple):
    """What a round did, and the model calls of the last day that are charged to nobody."""

    charged: int
    charged_microusd: int
    uncharged: dict[str, int]


class Rounds:
    """The rounds of one process."""

    def __init__(self, lake: Path, budgets: Budgets, store: Store) -> None:
        self._lake = lake
        self._budgets = budgets
        self._store = store
        self._settled: dict[tuple[str, str], int] = {}  # calls that need no more charging, and when they began

    def round(self) -> Round:
        """Raises LakeError or StoreError; what was charged until then stays charged."""
        since = self._store.now_ns() - WITHIN_NS
        self._settled = {span: start for span, start in self._settled.items() if start >= since}
        calls, sessions = self._read(since)
        charged = microusd = 0
        uncharged = dict.fromkeys(get_args(Uncharged), 0)
        for call in calls:
            found = sessions.of(call)
            if not isinstance(found, Sharing):
                uncharged[found] += 1
                continue
            if self._charge(call, found):
                charged += 1
                microusd += call.cost_microusd or 0
            self._settled[call.trace_id, call.span_id] = call.start_unix_nano
        return Round(charged, microusd, uncharged)

    def _read(self, since: int) -> tuple[list[ModelCall], Sessions]:
        """The model calls that may have to be charged, and the sessions that share something with model calls."""

        def read(plan: Plan) -> tuple[list[ModelCall], Sessions]:
            calls = [ModelCall(*row) for row in plan.rows(catalog.load("spend_calls"))]
            calls = [call for call in calls if (call.trace_id, call.span_id) not in self._settled]
            sharing = plan.rows(catalog.load("spend_sessions")) if calls else []
            return calls, Sessions(Sharing(*row) for row in sharing)

        with open_reading(self._lake, since_unix_nano=since) as reading:
            return on_sound_files(reading, read)

    def _charge(self, call: ModelCall, of: Sharing) -> bool:
        """Charges a call to all counters. Returns whether it was not charged before."""
        if not call.cost_microusd:
            return False
        charged = [self._store.charge(*charge) for charge in self._budgets.charges(call, of)]
        return any(charged)
