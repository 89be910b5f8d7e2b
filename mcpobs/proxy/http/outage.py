"""Logs when the server cannot be reached, once an outage, and when it answers again."""

from __future__ import annotations

from mcpobs.stderr import Warn


class Outage:
    """One object a front. `place` names the server."""

    def __init__(self, place: str, warn: Warn) -> None:
        self._place = place
        self._warn = warn
        self._failed = 0

    def failed(self, kind: str) -> None:
        """Counts a request that the server did not answer. `kind` is the class of the reason."""
        self._failed += 1
        if self._failed == 1:
            self._warn(f"warning: {self._place} does not answer: {kind}; requests get 502 until it does")

    def answered(self) -> None:
        if self._failed:
            requests = "1 request" if self._failed == 1 else f"{self._failed} requests"
            self._warn(f"{self._place} answers again; {requests} got 502")
            self._failed = 0
