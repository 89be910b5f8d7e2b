"""Runs SQL that a user brought, on an open reading of the lake, behind the fence."""

from __future__ import annotations

from collections.abc import Callable

from mcpobs.errors import UsageError
from mcpobs.lake.engine import EngineError, identifier
from mcpobs.lake.reader import Reading
from mcpobs.queries import counting, fence
from mcpobs.queries.header import Column
from mcpobs.queries.run import Result, Row, create_views, interruptible

_ANSWER = "mcpobs_answer"
_ZONED = "timestamp with time zone"
_BATCH = 10_000
_SMALL = frozenset(
    {
        *("boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "float", "double"),
        *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
    }
)
"""Types whose values have a size that they cannot exceed. All others are text in a bounded answer."""


def run_own(reading: Reading, sql: str, limit: int | None = None) -> Result:
    """The answer of one SELECT. Times with a zone come as ISO 8601 text in UTC.

    Raises UsageError where the SQL is not allowed or does not work.
    """
    return _behind_the_fence(reading, sql, lambda: _answer(reading, sql, limit))


def run_bounded(reading: Reading, sql: str, rows: int, characters: int) -> Result:
    """As `run_own`, and takes at most so many rows from the engine, and of each text or nested value the beginning.

    `total` is `rows` + 1 where there are more. A text that was cut has `characters` + 1 characters.
    """
    return _behind_the_fence(reading, sql, lambda: _bounded(reading, sql, rows, characters))


def _behind_the_fence(reading: Reading, sql: str, answer: Callable[[], Result]) -> Result:
    connection = reading.connection
    _prepare(reading)
    fence.check(connection, sql)
    fence.close(connection, reading.files)
    try:
        return interruptible(connection, lambda _: answer())
    except EngineError as error:
        # A file that is damaged behind its footer fails in the middle of a query.
        if not reading.exclude_damaged():
            raise fence.told(error) from None
    try:
        return interruptible(connection, lambda _: answer())
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


def _columns(reading: Reading, sql: str) -> tuple[Column, ...]:
    """Makes the view of the answer; returns its columns."""
    connection = reading.connection
    connection.execute(f"create or replace temp view {_ANSWER} as\n{sql}")
    described = connection.execute(f"describe {_ANSWER}").fetchall()
    columns = tuple(Column(str(name), str(type_).lower()) for name, type_, *_ in described)
    if len({column.name for column in columns}) < len(columns):
        raise UsageError("two columns of the answer have one name", "name them with `as`")
    return columns


def _answer(reading: Reading, sql: str, limit: int | None) -> Result:
    connection = reading.connection
    columns = _columns(reading, sql)
    # Python gets a zoned time from DuckDB only with the package pytz; the text of it needs none.
    parts = ", ".join(f"{_value(column)} as {identifier(column.name)}" for column in columns)
    connection.execute(f"select {parts} from {_ANSWER}")
    rows: list[Row] = []
    total = 0
    while batch := connection.fetchmany(_BATCH):
        total += len(batch)
        if limit is None or len(rows) < limit:
            rows += batch
    return Result(columns, rows if limit is None else rows[:limit], total)


def _bounded(reading: Reading, sql: str, rows: int, characters: int) -> Result:
    columns = _columns(reading, sql)
    # In the engine, for a list of a hundred million numbers would otherwise become that many objects of Python.
    parts = ", ".join(f"{_beginning(column, characters + 1)} as {identifier(column.name)}" for column in columns)
    found = reading.connection.execute(f"select {parts} from {_ANSWER} limit {rows + 1}").fetchall()
    return Result(columns, found[:rows], len(found))


def _beginning(column: Column, characters: int) -> str:
    if column.type in _SMALL or column.type.startswith("decimal("):
        return identifier(column.name)
    return f"left(cast({_value(column)} as varchar), {characters})"


def _value(column: Column) -> str:
    name = identifier(column.name)
    if column.type == _ZONED:
        return f"strftime({name} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f"cast({name} as varchar)" if _ZONED in column.type else name
