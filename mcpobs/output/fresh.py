"""Which sentences and rows of an answer are new since an earlier answer, for a live view. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from mcpobs.output import units
from mcpobs.queries.header import Column
from mcpobs.queries.run import Row
from mcpobs.reports.answer import Answer

MARK = "•"
MARGIN = 2
"""Cells left of a line for the mark of a new one."""

_RELATIVE = frozenset(
    {"share_ratio", "time_ratio", "call_ratio", "error_ratio", "of_calls", "times_median", "peers", "largest", "bits"}
    | {"p95_trend", "base_ratio", "rest_ratio", "rest_calls", "lift", "low_ratio", "high_ratio"}
)
"""Columns that compare a row with other calls: they move with traffic that the row is not about."""


@dataclass(frozen=True, slots=True)
class Fresh:
    """Compares an answer with the `earlier` one. Of the first answer nothing is new."""

    earlier: Answer | None = None

    def margin(self, sentence: str) -> str:
        """The margin of a sentence's first line."""
        return margin(self.earlier is not None and sentence not in _sentences(self.earlier))

    def margins(self, report: str, columns: Sequence[Column], rows: Sequence[Row], shown: Sequence[str]) -> list[str]:
        """The margin of each row: a row is new if the `shown` columns had these texts in no row before."""
        if self.earlier is None:
            return [margin(False)] * len(rows)
        before = next((part for part in (self.earlier, *self.earlier.parts) if part.report == report), None)
        names = [name for name in shown if name not in _RELATIVE]
        known = Counter(_texts(before.result.columns, before.result.rows, names) if before is not None else [])
        found = []
        for row in _texts(columns, rows, names):
            found.append(margin(known[row] == 0))
            known[row] -= known[row] > 0
        return found


def margin(is_new: bool) -> str:
    """The cells left of a line."""
    return f"{MARK if is_new else ' ':<{MARGIN}}"


def _sentences(answer: Answer) -> set[str]:
    said = {answer.sentence or ""}
    if answer.layout in ("sentences", "digest"):
        said |= {str(row[1]) for row in answer.result.rows}
    return said


def _texts(columns: Sequence[Column], rows: Sequence[Row], names: Sequence[str]) -> list[tuple[str, ...]]:
    places = {column.name: place for place, column in enumerate(columns)}
    chosen = [(name, places[name]) for name in names if name in places]
    return [tuple(units.shown(name, row[place]) for name, place in chosen) for row in rows]
