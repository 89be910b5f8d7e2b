"""The chart that suits an answer, as the header of its query names it. Draws nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, cast

from mcpobs.queries.header import Query

Kind = Literal["bar", "range"]


@dataclass(frozen=True, slots=True)
class Chart:
    """`bar`: one value a row · `range`: three of one kind, rising (p50, p95, p99). `values` are names of columns."""

    kind: Kind
    label: str
    values: tuple[str, ...]

    @property
    def value(self) -> str:
        """The column whose size is drawn if there is room for one only."""
        return self.values[len(self.values) // 2]


def read_chart(query: Query) -> Chart | None:
    """The chart of a query's header: `bar tool calls`, `range tool p50_ms p95_ms p99_ms`; None if it names no
    picture that we draw, or an unknown column."""
    kind, *names = (query.chart or "none").split()
    known = {column.name for column in query.columns}
    if (kind, len(names)) not in (("bar", 2), ("range", 4)) or not set(names) <= known:
        return None
    return Chart(cast(Kind, kind), names[0], tuple(names[1:]))
