"""`sql` against SQLite and DuckDB: what is let through reads nothing there but the tables that are listed."""

from __future__ import annotations

import sqlite3

import duckdb
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.policy.rules.made import call, condition, holds
from tests.policy.rules.test_statement import SAFE, UNSAFE

TABLES = ["orders", "customers"]
PARTS = [
    "select", "*", "id", "1", "from", "orders", "customers", "secrets", "where", "and", "or", "in", "not", "exists",
    "(", ")", ",", "=", "union", "union all", "except", "with", "recursive", "as", "a", "b", "join", "on", "using",
    "order by", "limit", "group by", "having", "values", "case when", "then", "end", "count(*)", "max(id)",
    "lower(name)", ";", "'", '"', "`", "[", "]", "''", "'x'", '"id"', "[id]", "`orders`", "--", "/*",
    "*/", "\n", "\r", "#", "\\", "$$", "delete", "insert into", "update", "drop table", "attach", "pragma",
    "load_extension('x')", "randomblob(9)",
    "main.orders", "main.secrets", "secrets.id", "orders.id", "table", "cross join", "natural join", "collate nocase",
    "over (order by id)", "cast(id as text)", "is null", "like", "glob", "between", "||", "->>", "::text", "?", ":a",
    "select * from orders", "select * from secrets", "(select id from secrets)", "(select id from orders)", "{#", "#}",
    "from secrets", "pivot", "unnest([1])", "read_csv('x')", "range(3)", "sqlite_master", "information_schema.tables",
]  # fmt: skip
SPACES = [" ", " ", " ", "", "\n", "/**/", "-- x\n"]
_texts = st.builds(
    lambda start, parts: start + "".join(space + part for part, space in parts),
    st.sampled_from(["select", "with", "select * from orders", "select id from orders where", "with a as", "("]),
    st.lists(
        st.tuples(st.sampled_from(PARTS), st.sampled_from([" ", " ", " ", "", "\n", "/**/", "-- x\n"])), max_size=12
    ),
)
_known = [text for texts in (*SAFE.values(), *UNSAFE.values()) for text in texts if "\ud800" not in text]
_spliced = st.builds(
    lambda one, other, at, to: one[: at % (len(one) + 1)] + other[to % (len(other) + 1) :],
    st.sampled_from(_known),
    st.sampled_from(_known),
    st.integers(0, 200),
    st.integers(0, 200),
)
_ALLOWED = {sqlite3.SQLITE_SELECT, sqlite3.SQLITE_READ, sqlite3.SQLITE_FUNCTION, sqlite3.SQLITE_RECURSIVE}
_SCHEMA = (
    "create table orders (id, customer_id, total, name, at, country, a, b, payload, x);"
    "create table customers (id, name, country, x, a, b);"
    "create table secrets (id)"
)


@pytest.fixture(scope="module")
def sqlite_() -> sqlite3.Connection:
    connection = sqlite3.connect(":memory:")
    connection.executescript(_SCHEMA)
    return connection


def _seen_in_sqlite(connection: sqlite3.Connection, text: str) -> set[tuple[int, str | None]]:
    """What a statement would do, and to which tables; empty if SQLite does not take it. Prepares it only."""
    seen: set[tuple[int, str | None]] = set()

    def note(action: int, first: str | None, *_: str | None) -> int:
        seen.add((action, first))
        return sqlite3.SQLITE_OK

    connection.set_authorizer(note)
    try:
        connection.execute(f"explain {text}")
    except (sqlite3.Error, sqlite3.Warning, ValueError):
        return set()
    finally:
        connection.set_authorizer(None)
    return seen


@settings(max_examples=600, deadline=None)
@given(_texts | _spliced)
def test_what_is_let_through_reads_only_listed_tables_in_sqlite(sqlite_: sqlite3.Connection, text: str) -> None:
    if not holds(condition("sql", {"arg": "q", "dialect": "sqlite", "tables": TABLES}), call({"q": text})):
        return
    for action, name in _seen_in_sqlite(sqlite_, text):
        assert action in _ALLOWED, (action, text)
        if action == sqlite3.SQLITE_READ:
            assert name not in ("secrets", "sqlite_master"), text


@settings(max_examples=400, deadline=None)
@given(_texts | _spliced)
def test_what_is_let_through_names_only_listed_tables_in_duckdb(text: str) -> None:
    if not holds(condition("sql", {"arg": "q", "dialect": "duckdb", "tables": TABLES}), call({"q": text})):
        return
    with duckdb.connect() as connection:
        try:
            statements = connection.extract_statements(text)
            names = set(connection.get_table_names(text))
        except (duckdb.Error, RuntimeError):
            return
    assert len(statements) == 1, text
    assert statements[0].type == duckdb.StatementType.SELECT, text
    assert {name.lower() for name in names} <= set(TABLES), text


@pytest.mark.parametrize("text", SAFE["sqlite"])
def test_the_check_against_sqlite_sees_what_is_read(sqlite_: sqlite3.Connection, text: str) -> None:
    assert (sqlite3.SQLITE_READ, "orders") in _seen_in_sqlite(sqlite_, text)
    assert (sqlite3.SQLITE_READ, "secrets") in _seen_in_sqlite(sqlite_, "select 1 where 1 in secrets")
