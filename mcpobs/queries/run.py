"""Runs a query and gives its Result. Never writes to the lake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from mcpobs.errors import LakeError, UsageError
from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.reader import Reading
from mcpobs.queries import catalog, counting, pricing
from mcpobs.queries.header import Column, Query, Value

if TYPE_CHECKING:
    import polars

Answer = TypeVar("Answer")
Row = tuple[Any, ...]
"""Any: a user's own SQL can answer with every type that the engine has."""


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a query. `total` counts the rows that there are, `rows` holds those that were asked for."""

    columns: tuple[Column, ...]
    rows: list[Row]
    total: int

    def records(self) -> list[dict[str, Any]]:
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def to_polars(self) -> polars.DataFrame:
        """The rows as a polars DataFrame; needs the extra `notebooks`."""
        try:
            import polars
        except ModuleNotFoundError:
            raise UsageError("polars is not installed", "install the extra: mcpobs[notebooks]") from None
        schema = {column.name: getattr(polars, _POLARS.get(column.type, ""), None) for column in self.columns}
        return polars.DataFrame(self.rows, schema=schema, orient="row")


_POLARS = {"varchar": "String", "bigint": "Int64", "smallint": "Int16", "double": "Float64", "boolean": "Boolean"}


def create_views(connection: Connection, reads: tuple[str, ...]) -> None:
    """Makes the named views, and those below them, over the connection's relation `spans`. They count a call once."""
    views = {view.name: view for view in catalog.views_below(reads)}
    for view in views.values():
        connection.execute(f"create or replace temp view {view.name} as\n{view.sql}")
    if not counting.LOOKING.isdisjoint(views):
        counting.empty_where_unneeded(connection, views)
    if counting.COUNTED in views:
        counting.count_once(connection, only_calls=set(reads) <= {"tool_calls"})
    pricing.put(connection, views)


def run(
    connection: Connection, query: Query, given: dict[str, Value] | None = None, limit: int | None = None
) -> Result:
    """Runs a query on a connection that has the relation `spans`.

    Parameters that are not given have the default of the header; one that the header does not know is an error.
    """
    given = given or {}
    known = {param.name: param.default for param in query.params}
    for name in given:
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise UsageError(f"{query.name} takes no parameter {name!r}", takes)
    create_views(connection, query.reads)
    connection.execute(query.sql, {**known, **given})
    rows = connection.fetchall()
    total = len(rows)
    return Result(query.columns, rows if limit is None else rows[:limit], total)


def interruptible(connection: Connection, work: Callable[[Connection], Answer]) -> Answer:
    """Does the work in a thread of its own, so that Ctrl-C ends it at once.

    DuckDB looks for signals only between the steps of some of its calls, and a join of millions of rows is one step.
    """
    answers: list[Answer] = []
    errors: list[BaseException] = []
    done = Event()  # not Thread.join: in Python 3.11 a join that Ctrl-C ends takes the thread for ended too

    def body() -> None:
        try:
            answers.append(work(connection))
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    Thread(target=body, name="mcpobs-query").start()
    try:
        done.wait()
    except KeyboardInterrupt:
        _interrupt(connection, done)
        raise
    if errors:
        raise errors[0]
    return answers[0]


def _interrupt(connection: Connection, done: Event) -> None:
    """Ends what the connection does, and waits for it: a connection in use cannot be closed."""
    while not done.is_set():
        try:
            connection.interrupt()  # more than once: it may come just before the next statement begins
            done.wait(0.05)
        except KeyboardInterrupt:
            continue


def on_sound_files(reading: Reading, work: Callable[[Connection], Answer]) -> Answer:
    """Does the work on the reading; where a Parquet file turns out to be damaged, once more without it.

    What the reading left out is in its `damaged_files` afterwards. Raises LakeError where the engine fails otherwise.
    """
    try:
        return interruptible(reading.connection, work)
    except EngineError as error:
        if not interruptible(reading.connection, lambda _: reading.exclude_damaged()):
            raise _failed(reading, error) from None
        counting.forget(reading.connection)
    try:
        return interruptible(reading.connection, work)
    except EngineError as error:
        raise _failed(reading, error) from None


def _failed(reading: Reading, error: EngineError) -> LakeError:
    first = str(error).split("\n", 1)[0]
    return LakeError(
        f"reading the lake at {reading.lake} failed: {first}", "narrow the report with --since or --session"
    )
