"""The answer of a user's SQL as a Result, in this process."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.lake.reader import Reading
from mcpobs.queries import own
from mcpobs.queries.header import Column
from mcpobs.queries.run import Result, Row


class Collected:
    """A sink that keeps everything."""

    def __init__(self) -> None:
        self.columns: tuple[Column, ...] = ()
        self.rows: list[Row] = []

    def begin(self, columns: Sequence[Column]) -> None:
        self.columns, self.rows = tuple(columns), []

    def add(self, rows: Sequence[Row]) -> int:
        self.rows += rows
        return len(rows)


def run_own(reading: Reading, sql: str, limit: int | None = None) -> Result:
    sink = Collected()
    total = own.run_own(reading, sql, sink, limit=limit)
    return Result(sink.columns, sink.rows, total)
