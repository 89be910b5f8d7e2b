"""`mcpobs report failures`: how many calls failed, and the newest failure with the calls before it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports.answer import Answer
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked
from mcpobs.reports.texts import hint
from mcpobs.reports.unanswered import parts, sentence, unanswered
from mcpobs.reports.wording import Record, count, short, tool
from mcpobs.terminal import printable

_LEFT = "unanswered"
_MOST = "most"
_KINDS = 2
"""Kinds of failure that its sentence names."""


class Failures(Report):
    """The newest failure comes first. Calls that still wait or were abandoned are no failures; its sentences count
    them."""

    groups_rows = True

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        query = catalog.load("failure_groups") if asked.request.group else self.query
        result = run(plan, query, self.values(asked), asked.request.rows)
        left = unanswered(plan, asked.window, asked.filters)
        kinds = result.records() if asked.request.group else self._kinds(plan, asked, result)
        found = replace(result, summary={**result.summary, _LEFT: left, _MOST: kinds[:_KINDS]})
        said = [part for part in (sentence(left), hint(_answered_failures(found), found.summary["texts"])) if part]
        return replace(self.answered(asked.window, found, "; ".join(said) or None), answers=query.answers)

    def _kinds(self, plan: Plan, asked: Asked, result: Result) -> Sequence[Record]:
        """The most frequent kinds of failure, if there is more than one failure."""
        if result.total < 2:
            return []
        return run(plan, catalog.load("failure_groups"), self.values(asked), _KINDS).records()

    def finding(self, result: Result, calls: int) -> str:
        left = parts(result.summary.get(_LEFT, []))
        if not result.rows:
            return "; ".join([f"none of {count(calls, 'call')} failed", *left])
        last, denied = result.records()[0], result.summary["denied"]
        failed, refused = result.total - denied, f", {denied:,} denied" if denied else ""
        if not failed:
            return "; ".join([f"none of {count(calls, 'call')} failed{refused}", *left])
        before = [last[f"before_{place}"] for place in (3, 2, 1) if last[f"before_{place}"] is not None]
        after = f" after {printable(' → '.join(before))}" if before else ""
        open_calls = "".join(f"; {part}" for part in left)
        return (
            f"{failed:,} of {count(calls, 'call')} failed ({failed * 100 / max(calls, 1):.1f} %){refused}{open_calls}"
            f"{_most(result)}; the last: {tool(last)} ({last['outcome']}) in session {short(last['session_id'])}{after}"
        )


def _most(result: Result) -> str:
    """The most frequent kinds of failure, those that happened more than once."""
    kinds = [kind for kind in result.summary.get(_MOST, []) if kind["calls"] > 1]
    named = ", ".join(f"{tool(kind)} ({kind['outcome']}) {kind['calls']:,} ×" for kind in kinds)
    return f"; the most: {named}" if named else ""


def _answered_failures(result: Result) -> int:
    """Failures that a server answered: only these can have a text."""
    return sum(record["outcome"] not in ("denied", _LEFT) for record in result.records())
