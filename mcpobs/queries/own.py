"""Runs SQL that a user brought, on an open reading of the lake, behind the fence."""

from __future__ import annotations

from mcpobs.errors import UsageError
from mcpobs.lake.engine import EngineError
from mcpobs.lake.reader import Reading
from mcpobs.queries import counting, fence
from mcpobs.queries.header import Column
from mcpobs.queries.run import Result, Row, create_views, interruptible

_ANSWER = "mcpobs_answer"
_ZONED = "timestamp with time zone"
_BATCH = 10_000


def run_own(reading: Reading, sql: str, limit: int | None = None) -> Result:
    """The answer of one SELECT. Times with a zone come as ISO 8601 text in UTC.

    Raises UsageError where the SQL is not allowed or does not work.
    """
    connection = reading.connection
    _prepare(reading)
    fence.check(connection, sql)
    fence.close(connection, reading.files)
    try:
        return interruptible(connection, lambda _: _answer(reading, sql, limit))
    except EngineError as error:
        # A file that is damaged behind its footer fails in the middle of a query.
        if not reading.exclude_damaged():
            raise fence.told(error) from None
    try:
        return interruptible(connection, lambda _: _answer(reading, sql, limit))
    except EngineError as error:
        raise fence.told(error) from None


def _prepare(reading: Reading) -> None:
    """Makes the views; where a file turns out to be damaged, without it."""
    try:
        interruptible(reading.connection, lambda connection: create_views(connection, fence.RELATIONS))
    except EngineError:
        if not reading.exclude_damaged():
            raise
        counting.forget(reading.connection)
        create_views(reading.connection, fence.RELATIONS)


def _answer(reading: Reading, sql: str, limit: int | None) -> Result:
    connection = reading.connection
    connection.execute(f"create or replace temp view {_ANSWER} as\n{sql}")
    described = connection.execute(f"describe {_ANSWER}").fetchall()
    columns = tuple(Column(str(name), str(type_).lower()) for name, type_, *_ in described)
    if len({column.name for column in columns}) < len(columns):
        raise UsageError("two columns of the answer have one name", "name them with `as`")
    # Python gets a zoned time from DuckDB only with the package pytz; the text of it needs none.
    parts = ", ".join(_selected(column) for column in columns)
    connection.execute(f"select {parts} from {_ANSWER}")
    rows: list[Row] = []
    total = 0
    while batch := connection.fetchmany(_BATCH):
        total += len(batch)
        if limit is None or len(rows) < limit:
            rows += batch
    return Result(columns, rows if limit is None else rows[:limit], total)


def _selected(column: Column) -> str:
    name = '"' + column.name.replace('"', '""') + '"'
    if column.type == _ZONED:
        return f"strftime({name} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ') as {name}"
    return f"cast({name} as varchar) as {name}" if _ZONED in column.type else name
