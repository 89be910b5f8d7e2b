"""Runs a query and gives its Result. Never writes to the lake."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, TypeVar

from mcpobs.errors import LakeError, UsageError
from mcpobs.installed.extras import needing
from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.reader import Reading
from mcpobs.protocol.text import MAX_VALUE, bounded
from mcpobs.queries import catalog, counting, pricing, rollups
from mcpobs.queries.header import Column, Query, Value

if TYPE_CHECKING:
    import polars

Answer = TypeVar("Answer")
Row = tuple[Any, ...]
"""Any: a user's own SQL can answer with every type that the engine has."""


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a query. `total` counts the rows that there are, `rows` holds those that were asked for; `summary`
    is of all of them."""

    columns: tuple[Column, ...]
    rows: list[Row]
    total: int
    summary: Mapping[str, Any] = field(default_factory=dict)

    def records(self) -> list[dict[str, Any]]:
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def to_polars(self) -> polars.DataFrame:
        """The rows as a polars DataFrame; needs the extra `notebooks`."""
        with needing("to_polars()", "notebooks"):
            import polars
        schema = {column.name: getattr(polars, _POLARS.get(column.type, ""), None) for column in self.columns}
        return polars.DataFrame(self.rows, schema=schema, orient="row")


_POLARS = {"varchar": "String", "bigint": "Int64", "smallint": "Int16", "double": "Float64", "boolean": "Boolean"}


def create_views(
    connection: Connection,
    reads: tuple[str, ...],
    given: Mapping[str, Value] | None = None,
    *,
    whole_history: bool = False,
) -> None:
    """Makes the named views, and those below them, over the connection's relation `spans`. They count a call once.

    A view has the parameters that are `given`, and else its own. For a query of the whole history a view of a window
    has no beginning: such a query chooses among its rows itself.
    """
    given = given or {}
    endless = {name: value for name, value in given.items() if name != "since"} if whole_history else given
    views = {view.name: view for view in catalog.views_below(reads)}
    for view in views.values():
        if view.rollup is None:
            connection.execute(f"create or replace temp view {view.name} as\n{rollups.text_of(view, given)}")
    if not counting.LOOKING.isdisjoint(views):
        counting.empty_where_unneeded(connection, views)
    all_counted = True
    if counting.COUNTED in views:
        only_calls = (
            all(name == "tool_calls" or counting.COUNTED not in view.reads for name, view in views.items())
            and counting.COUNTED not in reads
        )
        all_counted = not counting.count_once(connection, only_calls=only_calls)
    if pricing.put(connection, views):
        all_counted = False
    for view in views.values():
        if view.rollup is not None:
            rollups.define(connection, view, given if view.whole_history else endless, all_counted=all_counted)


def run(
    connection: Connection, query: Query, given: dict[str, Value] | None = None, limit: int | None = None
) -> Result:
    """Runs a query on a connection that has the relation `spans`.

    Parameters that are not given have the default of the header; one that the header does not know is an error. Only
    the answer of a query with a summary can be long, and at most `limit` of its rows leave the engine.
    """
    given = given or {}
    known = {param.name: param.default for param in query.params}
    for name in given:
        if name not in known:
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise UsageError(f"{query.name} takes no parameter {name!r}", takes)
    values = {**known, **given}
    create_views(connection, query.reads, values, whole_history=query.whole_history)
    used = {name: value for name, value in values.items() if name in query.used}
    if not query.summary:
        rows = fitting(connection.execute(query.sql, used).fetchall())
        return Result(query.columns, rows if limit is None else rows[:limit], len(rows))
    connection.execute(f"create or replace temp table {_ANSWER} as\n{query.sql}", used)
    told = ", ".join(f"{sql} as {name}" for name, sql in query.summary)
    total, *facts = connection.execute(f"select count(*), {told} from {_ANSWER}").fetchall()[0]
    cut = "" if limit is None else f" limit {limit}"
    rows = fitting(connection.execute(f"select * from {_ANSWER}{cut}").fetchall())
    names = [name for name, _ in query.summary]
    return Result(query.columns, rows, total, dict(zip(names, fitting([tuple(facts)])[0], strict=True)))


def fitting(rows: list[Row]) -> list[Row]:
    """The rows of a report with each text bounded: lakes of older versions hold names of any length."""
    if not any(isinstance(value, str) and len(value) > MAX_VALUE for row in rows for value in row):
        return rows
    return [tuple(bounded(value, MAX_VALUE) if isinstance(value, str) else value for value in row) for row in rows]


def counted(connection: Connection, *columns: str) -> list[Row]:
    """How many rows of the newest answer of a query with a summary have each combination of columns."""
    names = ", ".join(columns)
    return connection.execute(f"select {names}, count(*) from {_ANSWER} group by {names}").fetchall()


_ANSWER = "answer"


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
    """Does the work on the reading; where a Parquet file turns out to be damaged, once more without it. Where none of
    the table is, once more without roll-ups.

    What the reading left out is in its `damaged_files` afterwards. Raises LakeError where the engine fails otherwise.
    """
    try:
        return interruptible(reading.connection, work)
    except EngineError as error:
        if interruptible(reading.connection, lambda _: reading.exclude_damaged()):
            counting.forget(reading.connection)
        elif not reading.read_all():
            raise _failed(reading, error) from None
    try:
        return interruptible(reading.connection, work)
    except EngineError as error:
        raise _failed(reading, error) from None


def _failed(reading: Reading, error: EngineError) -> LakeError:
    first = str(error).split("\n", 1)[0]
    return LakeError(
        f"reading the lake at {reading.lake} failed: {first}", "narrow the report with --since or --session"
    )
