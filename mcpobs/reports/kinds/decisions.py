"""`mcpobs report decisions`, and `mcpobs decisions`: what a policy refused, by code, and the newest."""

from __future__ import annotations

from mcpobs.errors import UsageError, nearest
from mcpobs.queries.run import Result
from mcpobs.reports.report import Report
from mcpobs.reports.request import Request
from mcpobs.reports.wording import count, short
from mcpobs.terminal import printable

_WORDS = {"deny": "denied", "would deny": "would have been denied", "warn": "passed with a warning"}
NAMED = 3
"""Codes that the summary names of each effect, so that it fits a terminal."""


class Decisions(Report):
    """The newest decision comes first."""

    def check(self, request: Request) -> None:
        super().check(request)
        if request.code is not None:
            from mcpobs.policy.codes import Code

            known = [str(code) for code in Code]
            if request.code not in known:
                close = nearest(request.code, known)
                hint = f"did you mean {close}?" if close else "docs/policy.md lists the codes, e.g. call_limit"
                raise UsageError(f"no denial has the code {request.code!r}", hint)

    def sentence(self, result: Result) -> str | None:
        return self._words(result) if result.rows else None

    def finding(self, result: Result, calls: int) -> str:
        if not result.rows:
            return f"none of {count(calls, 'call')} was refused by a policy"
        last = result.records()[0]
        why = f" ({printable(str(last['code']))})" if last["code"] else ""
        return (
            f"{self._words(result)}; the last: {printable(str(last['target']))}{why} in session "
            f"{short(last['session_id'])}"
        )

    @staticmethod
    def _words(result: Result) -> str:
        """How many had which effect, and the codes of each."""
        parts: list[str] = []
        for effect, words in _WORDS.items():
            codes = sorted(
                ((n, code) for of, code, n in result.tally if of == effect), key=lambda one: (-one[0], str(one[1]))
            )
            total = sum(n for n, _ in codes)
            known = [f"{printable(str(code))} {n:,}" for n, code in codes if code is not None]
            more = [f"{len(known) - NAMED} more"] if len(known) > NAMED else []
            named = ", ".join(known[:NAMED] + more)
            if total:
                parts.append(
                    f"{count(total, 'call') if not parts else f'{total:,}'} {words}{f' ({named})' if named else ''}"
                )
        return "; ".join(parts)
