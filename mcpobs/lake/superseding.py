"""Rewrites files of the table without the pending rows whose spans have ended. The caller holds the lake's lock and
commits the files returned."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from mcpobs.lake import cold, parquet, repeated
from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.snapshot import DataFile

_ENDS = "ended_spans"


@dataclass(slots=True)
class Superseded:
    """Files to be replaced, and those that replace them: fewer, if all rows of one have ended."""

    replaced: list[DataFile] = field(default_factory=list)
    written: list[DataFile] = field(default_factory=list)


def supersede(connection: Connection, name: str, table: Path, files: Sequence[DataFile]) -> Superseded:
    """Rewrites the files without the pending rows that rows of the in-memory table `name` end. A file that cannot be
    read stays as it is."""
    found = Superseded()
    if not files:
        return found
    repeated.keep_ends(connection, name, _ENDS)
    for file in files:
        try:
            written = _rewrite(connection, table, file)
        except EngineError:
            continue
        found.replaced.append(file)
        if written is not None:
            found.written.append(written)
    connection.execute(f"drop table {_ENDS}")
    return found


def _rewrite(connection: Connection, table: Path, file: DataFile) -> DataFile | None:
    columns = cold.columns_of(connection, table, [file])
    rows = cold.relation(connection, table, [file], columns)
    select = f"select * from ({rows}) where {repeated.still_valid(_ENDS)}"
    return parquet.write(connection, select, columns, table, file.date or "", whole=file.whole, sort=file.whole)
