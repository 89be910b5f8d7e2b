"""The seam that every front uses: a finished operation becomes one row, which is spooled and then exported.

It never raises into the front and never sees content: an Operation holds none.
"""

from __future__ import annotations

from typing import Protocol

from mcpobs.gate.row import Extra, Row, Rows, Shared
from mcpobs.protocol.operation import Operation
from mcpobs.protocol.session import Session
from mcpobs.segment import Opening


class Sink(Protocol):
    """Where rows go: the spool, which is durable when it returns."""

    def write(self, row: Row, opening: Opening) -> bool:
        """Writes the columns of the opening and those of the row. False where they could not be written."""


class Exporter(Protocol):
    """Where rows go besides: OTLP, which must only enqueue."""

    def export(self, row: Row) -> None:
        """Queues a row, which nobody changes any more."""


class Observer:
    """Turns operations into rows and hands them on."""

    def __init__(self, rows: Rows, sink: Sink | None, exporter: Exporter | None = None) -> None:
        self._rows = rows
        self._sink = sink
        self._exporter = exporter

    def end(
        self, operation: Operation, session: Session, extra: Extra | None = None, columns: Row | None = None
    ) -> tuple[Shared, Row]:
        """Records a finished operation and returns its row, as `Rows.of` does; it is durable then."""
        shared, own = self._rows.of(operation, session, extra, columns)
        if self._sink is not None:
            self._sink.write(own, shared.opening)
        if self._exporter is not None:
            self._exporter.export({**shared.columns, **own})
        return shared, own

    def note(self, session: Session, columns: Row) -> None:
        """Records a span that is no operation; `columns` has at least its ids, name, kind and times."""
        shared, own = self._rows.note(session, columns)
        if self._sink is not None:
            self._sink.write(own, shared.opening)
        if self._exporter is not None:
            self._exporter.export({**shared.columns, **own})
