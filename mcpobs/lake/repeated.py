"""Finds spans that the table has already: deliveries that came again. Never writes to the table."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from mcpobs.lake import cold
from mcpobs.lake.engine import Connection, EngineError, quoted
from mcpobs.lake.schema import KEY, TIME
from mcpobs.lake.snapshot import DataFile


def any_known(
    connection: Connection, relation: str, table: Path, files: Iterable[DataFile], first: int, last: int
) -> bool:
    """True where one of the files may have a span of a relation whose operations began from `first` to `last`.

    For the span's id alone is looked at, and a file that cannot be read is no answer.
    """
    near = _near(table, files, first, last)
    if not near:
        return False
    try:
        return bool(
            connection.execute(
                f"select 1 from {_scan(table, near)} where span_id in (select span_id from {relation}) limit 1"
            ).fetchall()
        )
    except EngineError:
        return True


def drop_known(connection: Connection, name: str, table: Path, files: Iterable[DataFile]) -> int:
    """Deletes the rows of an in-memory table whose span is in one of the files; returns how many.

    A delivery that comes again has the same start, for the start is part of the span; so only the files whose
    statistics reach into the times of the new rows are asked, and not the whole table. A file that cannot be read is
    not asked either: it must not keep new rows out.
    """
    first, last, rows = connection.execute(f"select min({TIME}), max({TIME}), count(*) from {name}").fetchall()[0]
    if not rows:
        return 0
    near = _near(table, files, first, last)
    if near:
        try:
            _delete(connection, name, table, near)
        except EngineError:
            for file in near:
                if cold.hidden_damage(connection, table, file) is None:
                    _delete(connection, name, table, [file])
    return int(rows) - int(connection.execute(f"select count(*) from {name}").fetchall()[0][0])


def _delete(connection: Connection, name: str, table: Path, files: list[DataFile]) -> None:
    key = ", ".join(KEY)
    # span_id alone nearly decides, so the join reads one column of the files before it looks at the other
    connection.execute(
        f"delete from {name} where ({key}) in "
        f"(select ({key}) from {_scan(table, files)} where span_id in (select span_id from {name}))"
    )


def _near(table: Path, files: Iterable[DataFile], first: int, last: int) -> list[DataFile]:
    return [file for file in files if file.overlaps(first, last + 1) and cold.visible_damage(table, file) is None]


def _scan(table: Path, files: list[DataFile]) -> str:
    return f"read_parquet([{', '.join(quoted(table / file.path) for file in files)}])"
