"""An answer as a table of Python values, which polars, Arrow and plain Python take. Prints nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from mcpobs.queries.header import Column
from mcpobs.queries.run import Result, Row

if TYPE_CHECKING:
    import polars
    from arro3.core import Table as ArrowTable

    from mcpobs.reports.answer import Answer

SHOWN_ROWS = 20
"""Rows that `repr` shows."""


@dataclass(frozen=True, slots=True, repr=False)
class Table:
    """The rows of an answer. Columns are those of `mcpobs report NAME --json`, with their types and meanings.

    `sentence` is the answer in words, None if the question has none. `total` counts all rows, also those that `limit`
    left out. `warnings` names what the answer lacks, e.g. damaged files. `note` says why there are no rows. `parts`
    has the tables of a digest (the reports `overview` and `all`) by the names of their reports.
    """

    result: Result
    question: str | None = None
    sentence: str | None = None
    warnings: tuple[str, ...] = ()
    note: str | None = None
    parts: dict[str, Table] = field(default_factory=dict)
    answer: Answer | None = None
    """The answer as the library gives it; None for SQL of your own."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """Name, type (as DuckDB spells it) and meaning of each column."""
        return self.result.columns

    @property
    def rows(self) -> list[Row]:
        return self.result.rows

    @property
    def total(self) -> int:
        return self.result.total

    def to_dicts(self) -> list[dict[str, Any]]:
        """Returns a dict for each row, by column name."""
        return self.result.records()

    def to_polars(self) -> polars.DataFrame:
        """Returns a polars DataFrame. Raises UsageError without polars (extra `notebooks`)."""
        return self.result.to_polars()

    def to_arrow(self) -> ArrowTable:
        """Returns an Arrow table (arro3). `pyarrow.table(…)`, polars and DuckDB take it without a copy.

        Values that are neither number, text nor boolean (dates, lists, structs of your own SQL) become text.
        """
        from mcpobs.interface.arrow import table_of

        return table_of(self.result)

    def __len__(self) -> int:
        return len(self.result.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.to_dicts())

    def __repr__(self) -> str:
        """Returns the answer as the command line prints it, at 100 columns."""
        from mcpobs.interface.text import text_of

        return text_of(self, SHOWN_ROWS)
