"""`mcpobs report shapes`: which arguments are unusual."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any, Final

from mcpobs.queries.plan import Plan
from mcpobs.queries.run import Result, run
from mcpobs.reports.answer import Answer
from mcpobs.reports.early import EarlyShapes, HashName
from mcpobs.reports.report import Report
from mcpobs.reports.request import Asked
from mcpobs.reports.wording import short, tool

_BITS: Final = re.compile(r", \+(\d+) bits?")
_BY_NAME: Final = re.compile(r"a key that the tool does not declare in |#[0-9a-f]{6}: an argument in |a shape seen in ")
"""Reasons that the names of the arguments give."""


class Shapes(Report):
    """The oddest arguments come first. A call before `tools/list` is not odd for its names."""

    def answer(self, plan: Plan, asked: Asked) -> Answer:
        result, most = run(plan, self.query, self.values(asked)), asked.request.rows
        hash_name = asked.hash_name()
        named = result if hash_name is None else _with_names(result, hash_name)
        worded = _without_bits(named)
        return self.answered(asked.window, replace(worded, rows=worded.rows[:most]), self.sentence(worded))

    def finding(self, result: Result, calls: int) -> str:
        odd = [record for record in result.records() if record["odd"]]
        if not odd:
            return "nothing unusual"
        first = odd[0]
        more = f"; and {len(odd) - 1:,} more" if len(odd) > 1 else ""
        return f"{tool(first)}: {first['odd']} (session {short(first['odd_session_id'])}){more}"


def _without_bits(result: Result) -> Result:
    """Reasons without their numbers, by which they are ordered: an operator reads how often, not how many bits."""
    place = next(n for n, column in enumerate(result.columns) if column.name == "odd")
    rows = [(*row[:place], row[place] and _BITS.sub("", row[place]), *row[place + 1 :]) for row in result.rows]
    return replace(result, rows=rows)


def _with_names(result: Result, hash_name: HashName) -> Result:
    records = result.records()
    known = EarlyShapes(
        ((str(row["tool"]), row["args_shape"]) for row in records if row["args_shape"] is not None), hash_name
    )
    changed = [_judged_again(row, known) for row in records]
    if changed == records:
        return result
    changed.sort(key=lambda row: -(row["bits"] or 0))  # stable: of equal rows the order stays
    return replace(result, rows=[tuple(row.values()) for row in changed])


def _judged_again(row: dict[str, Any], known: EarlyShapes) -> dict[str, Any]:
    """Returns the row without the reasons that its names give, if they are declared."""
    if not row["odd"] or row["args_shape"] is None or known.named(str(row["tool"]), row["args_shape"]) is None:
        return row
    reasons = row["odd"].split("; ")
    kept = [reason for reason in reasons if not _BY_NAME.match(reason)]
    if not kept:
        return {**row, "odd": None, "bits": None, "odd_calls": 0, "odd_session_id": None}
    gone = sum(int(bits) for reason in reasons if reason not in kept for bits in _BITS.findall(reason))
    return {**row, "odd": "; ".join(kept), "bits": max(0.0, row["bits"] - gone)}
