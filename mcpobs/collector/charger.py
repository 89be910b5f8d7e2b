"""Keeps the process that charges model calls to budgets running, and counts its reports. Nothing of it stops the
collector: a failure is one warning."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.collector.child import Child, Outcome
from mcpobs.stderr import Once

LAST_S = 8.0
"""Time for the last round after the end of stdin."""
END_S = LAST_S + 4.0
SEALED_MS = 2_000
"""A log segment takes spans for so long: a span's receipt may lie that much before that of its segment."""


class Report(Outcome):
    """A round, as a line of JSON. `uncharged` are model calls of the last day that are charged to nobody, by reason."""

    charged: int
    charged_microusd: int
    uncharged: dict[str, int]
    lag_ms: int
    """From the receipt of the oldest log segment that the round was woken for, to its end; 0 if it charged nothing."""


class Charger(Child[Report]):
    """The charging process of one lake. `command` starts it: it knows queries, of which a collector knows nothing."""

    def __init__(self, command: Sequence[str]) -> None:
        super().__init__(command, "charging", END_S)
        self._warn = Once()
        self.charged = 0
        self.charged_microusd = 0
        self.uncharged: dict[str, int] = {}
        self.lag_ms = 0

    def reported(self, report: Report) -> None:
        super().reported(report)
        if report["error"] is not None:
            return
        self.charged += report["charged"]
        self.charged_microusd += report["charged_microusd"]
        self.uncharged = report["uncharged"]
        if report["lag_ms"]:
            self.lag_ms = report["lag_ms"] + SEALED_MS

    def failed(self, why: str) -> None:
        super().failed(why)
        self._warn("charging", f"model calls are not charged to budgets for now: {why}")

    def committed(self, received_unix_nano: int) -> None:
        """Wakes the process for a stored batch."""
        self.wake(str(received_unix_nano).encode() if received_unix_nano else b"")

    def counters(self) -> dict[str, int]:
        return {
            "spend.charged_model_calls": self.charged,
            "spend.charged_microusd": self.charged_microusd,
            **{f"spend.{reason}_model_calls": number for reason, number in self.uncharged.items()},
            "spend.lag_ms": self.lag_ms,
            "spend.failing": int(self.error is not None),
            "spend.restarts": self.restarts,
        }
