"""Makes the statement of a query: its text and those of the views below it, over the spans of a source.

Queries leave nothing for each other on the connection. What a view depends on besides its text is a part of the plan:
the source, the prices, the sessions that are left out. Tables that are filled once for a plan (spans to be set aside,
prices) have names of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import count
from typing import TYPE_CHECKING, Any, Final

from mcpobs.lake.engine import Connection, quoted
from mcpobs.lake.schema import TYPES
from mcpobs.queries import catalog, counting, pricing, rollups, unanswered
from mcpobs.queries.header import Query, Value
from mcpobs.queries.source import RELATION, Source
from mcpobs.queries.text import listed, no_rows, text_of, with_views, without_rows

if TYPE_CHECKING:
    from mcpobs.prices.book import Book

_tables = count(1)
_LEFT_OUT = (
    "left join {0} on {0}.session_id = span.session_id and {0}.key_known = (span.enforcement_key is not null) "
    "and {0}.enforcement_key = coalesce(span.enforcement_key, '')"
)


@dataclass(slots=True)
class _Found:
    """Tables that are filled once for a source; None for one that would be empty."""

    needed: list[str] | None = None
    aside: dict[str, str | None] = field(default_factory=dict)
    models: tuple[str | None, bool] | None = None
    patience: str | None = None
    sought_patience: bool = False


@dataclass(frozen=True, slots=True)
class Plan:
    """The spans that queries read, and what their views are made with. For one thread at a time."""

    connection: Connection
    source: Source = field(default_factory=Source)
    prices: str | None = None
    """The table of the rules that calls are priced by; None for the costs that were recorded."""
    left_out: str | None = None
    """The table of the sessions whose spans no query sees."""
    run: str | None = None
    """The label of the only run whose spans queries see; None for all."""
    _found: _Found = field(default_factory=_Found, repr=False)

    def repriced(self, book: Book) -> Plan:
        """A plan in which calls cost what they would cost by the book. Calls that lack something that their rule asks
        for are `unrecorded`."""
        from mcpobs.queries.book import rules_of  # few reports price calls anew

        called = self.rows(catalog.load("called_tools"))
        table = self._table(pricing.PRICE_BOOK, rules_of(book, [(server, tool) for server, tool in called]))
        return replace(self, prices=table)

    def without(self, sessions: Collection[Sequence[str | None]]) -> Plan:
        """A plan in which no query sees a span of these sessions: each begins with its id and enforcement key."""
        if not sessions:
            return self
        table = _named("left_out")
        self.connection.execute(
            f"create temp table {table} (session_id varchar, key_known boolean, enforcement_key varchar)"
        )
        _fill(self.connection, table, [[one[0], one[1] is not None, one[1] or ""] for one in sessions])
        return replace(self, left_out=table)

    def of_run(self, label: str | None) -> Plan:
        """A plan in which queries see only the spans that were recorded with this label."""
        return self if label is None else replace(self, run=label)

    def statement(self, query: Query, values: Mapping[str, Value]) -> str:
        """The query with the views that it reads. The parameters of its own text stay parameters."""
        return with_views(self.views(query.reads, values, whole_history=query.whole_history), query.sql)

    def rows(self, query: Query, values: Mapping[str, Value] | None = None) -> list[tuple[Any, ...]]:
        """The rows of a query's answer."""
        known = query.values(values or {})
        used = {name: value for name, value in known.items() if name in query.used}
        return self.connection.execute(self.statement(query, known), used).fetchall()

    def create_views(self, reads: tuple[str, ...]) -> None:
        """Makes the named views, and those below them, on the connection: for SQL of a user, who names them."""
        for name, text in self.views(reads, {}).items():
            self.connection.execute(f"create or replace temp view {name} as\n{text}")

    def views(
        self, reads: tuple[str, ...], values: Mapping[str, Value], *, whole_history: bool = False
    ) -> dict[str, str]:
        """The texts of the named views and of those below them, each after those that it reads.

        A view has the parameters that are given, else its own. For a query of the whole history a view of a window has
        no beginning: such a query chooses among its rows itself.
        """
        endless = {name: value for name, value in values.items() if name != "since"} if whole_history else values
        views = {view.name: view for view in catalog.views_below(reads)}
        aside = self._aside(views, reads)
        rolled = not aside and self.prices is None and not self._is_narrowed
        texts = {RELATION: self._spans()} if self._is_narrowed else {}
        for view in views.values():
            if view.name in unanswered.READS and view.name not in reads:
                continue  # `patience` is computed by now
            if view.rollup is None:
                texts[view.name] = self._text(view, values, aside)
                continue
            given = values if view.whole_history else endless
            texts[view.name] = (
                rollups.text(self.connection, self.source, view, given) if rolled else text_of(view, given)
            )
        return texts

    def kept_rows(self, view: Query, values: Mapping[str, Value]) -> int:
        """How many spans need not be read for a view."""
        return 0 if self._is_narrowed else rollups.kept_rows(self.connection, self.source, view, values)

    def _text(self, view: Query, values: Mapping[str, Value], aside: Sequence[str]) -> str:
        text = text_of(view, values)
        special = _SPECIAL.get(view.name)
        return text if special is None else special(self, view, text, aside)

    def _counted(self, view: Query, text: str, aside: Sequence[str]) -> str:
        return counting.without(text, aside) if aside else text

    def _looking(self, view: Query, text: str, aside: Sequence[str]) -> str:
        return text if view.name in self._needed() else without_rows(view, text)

    def _patient(self, view: Query, text: str, aside: Sequence[str]) -> str:
        """A table, or no rows: usually no call is left unanswered, and then nobody asks how long tools take."""
        table = self._patience(view)
        return no_rows(view) if table is None else f"select {listed(view.columns)} from {table}"

    def _patience(self, view: Query) -> str | None:
        found = self._found
        if not found.sought_patience:
            found.sought_patience = True
            below = {
                read.name: rollups.text(self.connection, self.source, read, {})
                for read in map(catalog.view, unanswered.READS)
            }
            any_open = with_views(below, f"select 1 as one from {unanswered.OPEN} limit 1")
            if self.connection.execute(any_open).fetchall():
                found.patience = _named(view.name)
                self.connection.execute(f"create temp table {found.patience} as\n{with_views(below, view.sql)}")
        return found.patience

    def _priced(self, view: Query, text: str, aside: Sequence[str]) -> str:
        return text if self.prices is None else pricing.repriced(text, self.prices)

    def _model_prices(self, view: Query, text: str, aside: Sequence[str]) -> str:
        prices, _ = self._models()
        return text if prices is None else pricing.of_table(view.name, prices)

    def _model_calls(self, view: Query, text: str, aside: Sequence[str]) -> str:
        """Empty unless a model was called, because each call is searched for among all operations."""
        _, any_called = self._models()
        return text if any_called else without_rows(view, text)

    def _spans(self) -> str:
        columns = ", ".join(f"span.{name} as {name}" for name in TYPES)
        text = f"select {columns} from memory.main.{RELATION} as span"
        conditions = []
        if self.left_out is not None:
            text += " " + _LEFT_OUT.format(self.left_out)
            conditions.append(f"{self.left_out}.session_id is null")
        if self.run is not None:
            conditions.append(f"span.run = {quoted(self.run)}")
        return f"{text} where {' and '.join(conditions)}"

    @property
    def _is_narrowed(self) -> bool:
        """Whether queries see only some of the spans."""
        return self.left_out is not None or self.run is not None

    def _needed(self) -> list[str]:
        if self._found.needed is None:
            self._found.needed = counting.needed(self.connection.execute(counting.reporters(self.source)).fetchall())
        return self._found.needed

    def _aside(self, views: Mapping[str, Query], reads: tuple[str, ...]) -> list[str]:
        """The tables of the spans that `operations` leaves out."""
        if counting.COUNTED not in views:
            return []
        skipped = counting.PHANTOMS if counting.only_calls(views, reads) else None
        found = [self._seek(name) for name in self._needed() if name != skipped]
        return [table for table in found if table is not None]

    def _seek(self, name: str) -> str | None:
        if name not in self._found.aside:
            table = _named(name)
            self.connection.execute(f"create temp table {table} as\n{with_views(*counting.sought(name))}")
            any_row = self.connection.execute(f"select 1 as one from {table} limit 1").fetchall()
            self._found.aside[name] = table if any_row else None
        return self._found.aside[name]

    def _models(self) -> tuple[str | None, bool]:
        """The table of what the models take that were called, and whether any was called."""
        if self._found.models is None:
            called = self.rows(catalog.load("called_models"))
            prices = pricing.prices_of((provider, model) for provider, model in called if model is not None)
            self._found.models = (self._table(pricing.MODEL_PRICES, prices) if prices else None, bool(called))
        return self._found.models

    def _table(self, view: str, rows: Sequence[Sequence[object]]) -> str:
        """A table of its own with the columns of a view."""
        table = _named(view)
        columns = ", ".join(f"{column.name} {column.type}" for column in catalog.view(view).columns)
        self.connection.execute(f"create temp table {table} ({columns})")
        _fill(self.connection, table, rows)
        return table


_SPECIAL: Final[Mapping[str, Callable[[Plan, Query, str, Sequence[str]], str]]] = {
    counting.COUNTED: Plan._counted,
    **dict.fromkeys(counting.LOOKING, Plan._looking),
    unanswered.PATIENCE: Plan._patient,
    pricing.CALLS: Plan._priced,
    pricing.MODEL_PRICES: Plan._model_prices,
    pricing.MODEL_CALLS: Plan._model_calls,
}
"""Views whose text depends on more than their parameters: gives it for the plan, the text as it is shipped, and the
tables of spans to be set aside."""


def _named(name: str) -> str:
    return f"found_{name}_{next(_tables)}"


def _fill(connection: Connection, table: str, rows: Sequence[Sequence[object]]) -> None:
    if rows:
        columns = [list(column) for column in zip(*rows, strict=True)]
        unnested = ", ".join(f"unnest(${number})" for number in range(1, len(columns) + 1))
        connection.execute(f"insert into {table} select {unnested}", columns)
