"""Runs a user's SQL on an open reading of the lake, behind the fence.

The SQL may take any time and memory: `process.py` runs it in a process that can be killed.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from mcpobs.errors import UsageError
from mcpobs.lake.engine import Connection, EngineError, identifier
from mcpobs.lake.reader import Reading
from mcpobs.queries import fence
from mcpobs.queries.header import Column
from mcpobs.queries.run import Row, plan_of

_ANSWER = "mcpobs_answer"
_ZONED = "timestamp with time zone"
_FIRST_ROWS = 64
_MOST_ROWS = 10_000
_SMALL_BYTES, _LARGE_BYTES = 128 << 10, 2 << 20
_SMALL = frozenset(
    {
        *("boolean", "tinyint", "smallint", "integer", "bigint", "hugeint", "float", "double"),
        *("utinyint", "usmallint", "uinteger", "ubigint", "uhugeint"),
    }
)
"""Types whose values have a size that they cannot exceed. All others are text in a bounded answer."""


class Enough(Exception):
    """No more rows are wanted."""


class Sink(Protocol):
    """Takes an answer."""

    def begin(self, columns: Sequence[Column]) -> None:
        """The answer has these columns. Called again if it begins anew: what came before is void."""

    def add(self, rows: Sequence[Row]) -> int:
        """Takes rows; returns about how many bytes they have. Raises Enough when no more are wanted."""


def run_own(
    reading: Reading,
    sql: str,
    sink: Sink,
    *,
    limit: int | None = None,
    characters: int | None = None,
    room: fence.Room = fence.ROOM,
) -> int:
    """Gives the answer of one SELECT to the sink, at most `limit` rows; returns how many rows there are.

    Times with a zone come as ISO 8601 text in UTC. With `characters` the answer is bounded: of each text or nested
    value the beginning comes, as a text (one that was cut has a character more), and no more than `limit` + 1 rows are
    counted. Raises UsageError if the SQL is not allowed or does not work.
    """
    _prepare(reading)
    fence.check(reading.connection, sql)
    fence.close(reading.connection, reading.files, room)

    def work() -> int:
        columns = _columns(reading.connection, sql)
        sink.begin(columns)
        _select(reading.connection, columns, limit, characters)
        return _fetch(reading.connection, sink, limit)

    return _on_sound_files(reading, work)


def _on_sound_files(reading: Reading, work: Callable[[], int]) -> int:
    try:
        return work()
    except EngineError as error:
        # A file that is damaged behind its footer fails in the middle of a query.
        if not reading.exclude_damaged():
            raise fence.explained(error) from None
    try:
        return work()
    except EngineError as error:
        raise fence.explained(error) from None


def _prepare(reading: Reading) -> None:
    """Makes the views; if a file turns out to be damaged, without it."""
    try:
        plan_of(reading).create_views(fence.RELATIONS)
    except EngineError:
        if not reading.exclude_damaged():
            raise
        plan_of(reading).create_views(fence.RELATIONS)


def _columns(connection: Connection, sql: str) -> tuple[Column, ...]:
    """Makes the view of the answer; returns its columns."""
    connection.execute(f"create or replace temp view {_ANSWER} as\n{sql}")
    described = connection.execute(f"describe {_ANSWER}").fetchall()
    columns = tuple(Column(str(name), str(type_).lower()) for name, type_, *_ in described)
    if len({column.name for column in columns}) < len(columns):
        raise UsageError("two columns of the answer have one name", "name them with `as`")
    return columns


def _select(connection: Connection, columns: Sequence[Column], limit: int | None, characters: int | None) -> None:
    if characters is None:
        # Python gets a zoned time from DuckDB only with the package pytz; the text of it needs none.
        parts = ", ".join(f"{_value(column)} as {identifier(column.name)}" for column in columns)
        connection.execute(f"select {parts} from {_ANSWER}")
        return
    # In the engine: a list of a hundred million numbers would become that many objects of Python.
    parts = ", ".join(f"{_beginning(column, characters + 1)} as {identifier(column.name)}" for column in columns)
    cut = "" if limit is None else f" limit {limit + 1}"
    connection.execute(f"select {parts} from {_ANSWER}{cut}")


def _fetch(connection: Connection, sink: Sink, limit: int | None) -> int:
    """Gives the rows to the sink in portions of some hundred kilobytes; returns how many there are."""
    total, portion = 0, _FIRST_ROWS
    while batch := connection.fetchmany(portion):
        wanted = batch if limit is None else batch[: max(limit - total, 0)]
        total += len(batch)
        if not wanted:
            portion = _MOST_ROWS
            continue
        try:
            size = sink.add(wanted)
        except Enough:
            return total + bool(connection.fetchmany(1))
        if size < _SMALL_BYTES:
            portion = min(portion * 4, _MOST_ROWS)
        elif size > _LARGE_BYTES:
            portion = max(portion // 4, 1)
    return total


def _beginning(column: Column, characters: int) -> str:
    if column.type in _SMALL or column.type.startswith("decimal("):
        return identifier(column.name)
    return f"left(cast({_value(column)} as varchar), {characters})"


def _value(column: Column) -> str:
    name = identifier(column.name)
    if column.type == _ZONED:
        return f"strftime({name} at time zone 'UTC', '%Y-%m-%dT%H:%M:%S.%fZ')"
    return f"cast({name} as varchar)" if _ZONED in column.type else name
