"""Runs a query and gives its Result. Never writes to the lake."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from threading import Event, Thread, current_thread
from typing import TYPE_CHECKING, Any, TypeVar

from mcpobs.errors import LakeError
from mcpobs.installed.extras import needing
from mcpobs.lake.engine import Connection, EngineError
from mcpobs.lake.reader import Reading
from mcpobs.protocol.text import MAX_VALUE, bounded
from mcpobs.queries.header import Column, Query, Value
from mcpobs.queries.plan import Plan
from mcpobs.queries.source import source_of
from mcpobs.queries.text import listed

if TYPE_CHECKING:
    import polars

Answer = TypeVar("Answer")
Row = tuple[Any, ...]
"""Any: a user's own SQL can answer with every type that the engine has."""


@dataclass(frozen=True, slots=True)
class Result:
    """The answer of a query. `total` counts all rows; `rows` holds those that were asked for. `summary` and `tally` are
    of all rows: aggregates by their names, and how many rows have each combination of the header's `tally`."""

    columns: tuple[Column, ...]
    rows: list[Row]
    total: int
    summary: Mapping[str, Any] = field(default_factory=dict)
    tally: Sequence[Row] = ()

    def records(self) -> list[dict[str, Any]]:
        names = [column.name for column in self.columns]
        return [dict(zip(names, row, strict=True)) for row in self.rows]

    def to_polars(self) -> polars.DataFrame:
        """The rows as a polars DataFrame; needs the extra `notebooks`."""
        with needing("to_polars()", "notebooks"):
            import polars
        schema = {column.name: getattr(polars, _POLARS.get(column.type, ""), None) for column in self.columns}
        return polars.DataFrame(self.rows, schema=schema, orient="row", infer_schema_length=None)


_POLARS = {"varchar": "String", "bigint": "Int64", "smallint": "Int16", "double": "Float64", "boolean": "Boolean"}


def run(plan: Plan, query: Query, given: Mapping[str, Value] | None = None, limit: int | None = None) -> Result:
    """Runs a query. A parameter that is not given has the default of the header; an unknown one is an error.

    Only the answer of a query with a summary can be long; at most `limit` of its rows leave the engine.
    """
    values = query.values(given or {})
    statement = plan.statement(query, values)
    used = {name: value for name, value in values.items() if name in query.used}
    if not query.summary:
        rows = fitting(plan.connection.execute(statement, used).fetchall())
        return Result(query.columns, rows if limit is None else rows[:limit], len(rows))
    plan.connection.execute(f"create or replace temp table {_ANSWER} as\n{statement}", used)
    try:
        return _cut(plan.connection, query, limit)
    finally:
        plan.connection.execute(f"drop table {_ANSWER}")


def _cut(connection: Connection, query: Query, limit: int | None) -> Result:
    """At most `limit` rows of the answer, and what its header says of all of them."""
    facts = ", ".join(f"{sql} as {name}" for name, sql in query.summary)
    total, *values = connection.execute(f"select count(*) as total, {facts} from {_ANSWER}").fetchall()[0]
    cut = "" if limit is None else f" limit {limit}"
    rows = fitting(connection.execute(f"select {listed(query.columns)} from {_ANSWER}{cut}").fetchall())
    names = [name for name, _ in query.summary]
    tally = ", ".join(query.tally)
    counted = (
        connection.execute(f"select {tally}, count(*) as answers from {_ANSWER} group by {tally}").fetchall()
        if tally
        else []
    )
    return Result(query.columns, rows, total, dict(zip(names, fitting([tuple(values)])[0], strict=True)), counted)


def fitting(rows: list[Row]) -> list[Row]:
    """The rows of a report with each text bounded: lakes of older versions hold names of any length."""
    if not any(isinstance(value, str) and len(value) > MAX_VALUE for row in rows for value in row):
        return rows
    return [tuple(bounded(value, MAX_VALUE) if isinstance(value, str) else value for value in row) for row in rows]


_ANSWER = "answer"


def interruptible(connection: Connection, work: Callable[[], Answer]) -> Answer:
    """Does the work in a thread of its own, so that Ctrl-C ends it at once.

    DuckDB looks for signals only between the steps of some of its calls, and a join of millions of rows is one step.
    """
    answers: list[Answer] = []
    errors: list[BaseException] = []
    done = Event()  # not Thread.join: in Python 3.11 a join that Ctrl-C ends takes the thread for ended too

    def body() -> None:
        try:
            answers.append(work())
        except BaseException as error:
            errors.append(error)
        finally:
            done.set()

    thread = Thread(target=copy_context().run, args=(body,), name=_THREAD)  # with the zone that times are shown in
    thread.start()
    try:
        done.wait()
    except KeyboardInterrupt:
        thread.name = _INTERRUPTED
        _interrupt(connection, done)
        raise
    if errors:
        raise errors[0]
    return answers[0]


def check_interrupted() -> None:
    """Raises KeyboardInterrupt if Ctrl-C is to end the work of this thread: for long work between statements."""
    if current_thread().name == _INTERRUPTED:
        raise KeyboardInterrupt


_THREAD, _INTERRUPTED = "mcpobs-query", "mcpobs-query-interrupted"


def _interrupt(connection: Connection, done: Event) -> None:
    """Ends what the connection does, and waits for it: a connection in use cannot be closed."""
    while not done.is_set():
        try:
            connection.interrupt()  # more than once: it may come just before the next statement begins
            done.wait(0.05)
        except KeyboardInterrupt:
            continue


def on_sound_files(reading: Reading, work: Callable[[Plan], Answer]) -> Answer:
    """Does the work on the reading; if a Parquet file turns out to be damaged, once more without it. If no file of the
    table is, once more without roll-ups.

    The files that the reading left out are in its `damaged_files` afterwards. Raises LakeError if the engine fails
    otherwise.
    """
    try:
        return interruptible(reading.connection, lambda: work(plan_of(reading)))
    except EngineError as error:
        if not interruptible(reading.connection, reading.exclude_damaged) and not reading.read_all():
            raise _failed(reading, error) from None
    try:
        return interruptible(reading.connection, lambda: work(plan_of(reading)))
    except EngineError as error:
        raise _failed(reading, error) from None


def plan_of(reading: Reading) -> Plan:
    """A plan for queries over an open reading, as it is now."""
    return Plan(reading.connection, source_of(reading))


def _failed(reading: Reading, error: EngineError) -> LakeError:
    first = str(error).split("\n", 1)[0]
    return LakeError(
        f"reading the lake at {reading.lake} failed: {first}", "narrow the report with --since or --session"
    )
