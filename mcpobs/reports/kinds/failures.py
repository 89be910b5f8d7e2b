"""`mcpobs report failures`: how many calls failed, and the newest failure with the calls before it."""

from __future__ import annotations

from dataclasses import replace

from mcpobs.queries import catalog
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports.answer import Answer
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked
from mcpobs.reports.texts import hint
from mcpobs.reports.unanswered import parts, sentence, unanswered
from mcpobs.reports.wording import count, short, tool
from mcpobs.terminal import printable

_LEFT = "unanswered"


class Failures(Report):
    """The newest failure comes first. Calls that still wait or were abandoned are no failures; its sentences count
    them."""

    groups_rows = True

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        query = catalog.load("failure_groups") if asked.request.group else self.query
        result = run(plan, query, self.values(asked), asked.request.rows)
        left = unanswered(plan, asked.window, asked.filters)
        found = replace(result, summary={**result.summary, _LEFT: left})
        said = [part for part in (sentence(left), hint(_answered_failures(found), found.summary["texts"])) if part]
        return replace(self.answered(asked.window, found, "; ".join(said) or None), answers=query.answers)

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
            f"{failed:,} of {count(calls, 'call')} failed ({failed * 100 / max(calls, 1):.1f} %){refused}{open_calls}; "
            f"the last: {tool(last)} ({last['outcome']}) in session {short(last['session_id'])}{after}"
        )


def _answered_failures(result: Result) -> int:
    """Failures that a server answered: only these can have a text."""
    return sum(record["outcome"] not in ("denied", _LEFT) for record in result.records())
