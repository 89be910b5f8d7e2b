"""`mcpobs report findings`: what inspectors found, by tool, kind and action."""

from __future__ import annotations

from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.wording import count, short
from mcpobs.terminal import printable

_ACTIONS = ("block", "mask", "flag", "pass", "would block", "would mask", "would flag", "would pass")
_DONE = {"block": "withheld", "mask": "masked", "flag": "flagged", "pass": "passed"}


class Findings(Report):
    """The most frequent finding comes first."""

    def sentence(self, result: Result) -> str | None:
        return self._words(result) if result.rows else None

    def finding(self, result: Result, calls: int) -> str:
        if not result.rows:
            return f"nothing in {count(calls, 'call')}, or no policy inspects results"
        most = result.records()[0]
        return (
            f"{self._words(result)}; the most: {printable(str(most['find']))} in {printable(str(most['target']))}, "
            f"last in session {short(most['last_session_id'])}"
        )

    @staticmethod
    def _words(result: Result) -> str:
        """Places by their action."""
        totals: dict[str, int] = {}
        for record in result.records():
            totals[record["action"]] = totals.get(record["action"], 0) + record["findings"]
        parts = [(_done(action), totals[action]) for action in _ACTIONS if action in totals]
        first, *others = parts
        words = [f"{count(first[1], 'finding')} {first[0]}", *(f"{n:,} {done}" for done, n in others)]
        return ", ".join(words)


def _done(action: str) -> str:
    would = action.removeprefix("would ")
    return f"would be {_DONE[would]}" if would != action else _DONE[action]
