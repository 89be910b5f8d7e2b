"""Which relations the fence lets a statement read, held against what DuckDB itself finds that it reads."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mcpobs.errors import UsageError
from mcpobs.lake.engine import Connection, EngineError, connect
from mcpobs.queries import fence

HIDDEN = ("_hot", "data_files", "x", "Y")
NAMES = ("x", "X", "y", "_hot", "spans", "Operations", "data_files")


@pytest.fixture(scope="module")
def engine() -> Iterator[Connection]:
    """The lake's relations, and others that nobody may read."""
    connection = connect(threads=1)
    for name in fence.RELATIONS:
        connection.execute(f"create table {name} as select 'open' as a")
    for name in HIDDEN:
        connection.execute(f"create table {name} as select 'hidden' as a")
    yield connection
    connection.close()


def _admitted(connection: Connection, sql: str) -> bool:
    try:
        fence.check(connection, sql)
    except UsageError:
        return False
    return True


names = st.sampled_from(NAMES)
ends = st.one_of(st.just("select 'open' as a"), names.map(lambda name: f"select a from {name}"))


def _with(parts: tuple[list[tuple[str, str, str]], str]) -> str:
    ctes, body = parts
    unique = {name.lower(): f"{name} as {how} ({inner})" for name, how, inner in ctes}
    return f"(with {', '.join(unique.values())} {body})"


def _nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    cte = st.tuples(names, st.sampled_from(("", "materialized", "not materialized")), inner)
    select = inner.map(lambda text: text if text.startswith("(") else f"({text})")
    return st.one_of(
        st.tuples(st.lists(cte, min_size=1, max_size=3), select).map(_with),
        st.tuples(select, select).map(lambda two: f"({two[0]} union all {two[1]})"),
        st.tuples(select, names).map(lambda two: f"select t.a from {two[0]} t, {two[1]} u"),
        st.tuples(select, names).map(lambda two: f"select t.a from {two[1]} t, lateral {two[0]} u"),
        st.tuples(select, names).map(lambda two: f"select a from {two[1]} where a in {two[0]}"),
        st.tuples(select, names).map(lambda two: f"select a from {two[1]} order by {two[0]} limit 3"),
        select.map(lambda text: f"select (select max(a) from {text} as s) as a"),
        st.tuples(names, select, inner).map(
            lambda three: (
                f"(with recursive {three[0]} as (select a from {three[1]} t union {three[2]}) select a from {three[0]})"
            )
        ),
    )


@settings(max_examples=300, deadline=None)
@given(st.recursive(ends, _nested, max_leaves=8))
def test_what_the_fence_admits_reads_the_lake_alone(engine: Connection, sql: str) -> None:
    if not _admitted(engine, sql):
        return
    try:
        reads = {name.lower() for name in engine.get_table_names(sql)}
        rows = engine.execute(sql).fetchmany(100)
    except EngineError:
        return  # the engine refuses it by itself
    assert reads <= set(fence.RELATIONS)
    assert "hidden" not in str(rows)


def _visible(names_in_scope: tuple[str, ...], depth: int) -> st.SearchStrategy[str]:
    """Selects whose every name is a relation of the lake or a CTE that counts there."""
    name = st.sampled_from((*fence.RELATIONS, *names_in_scope))
    plain = name.map(lambda known: f"select a from {known}")
    if depth == 0:
        return plain
    below = _visible(names_in_scope, depth - 1)

    def within(given: tuple[str, str, str]) -> st.SearchStrategy[str]:
        new, first, how = given
        inside = _visible((*names_in_scope, new), depth - 1)
        return st.tuples(inside, inside).map(
            lambda two: f"with {new} as {how} ({first}), later as ({two[0]}) select a from later union all ({two[1]})"
        )

    return st.one_of(
        st.tuples(st.sampled_from(("x", "y", "_hot")), below, st.sampled_from(("", "materialized"))).flatmap(within),
        st.tuples(name, below).map(lambda two: f"select t.a from {two[0]} t, lateral ({two[1]}) u"),
        st.tuples(below, below).map(lambda two: f"select a from ({two[0]}) t where a in ({two[1]})"),
    )


@settings(max_examples=150, deadline=None)
@given(_visible((), 3))
def test_the_fence_admits_every_name_where_it_counts(engine: Connection, sql: str) -> None:
    fence.check(engine, sql)
    assert {name.lower() for name in engine.get_table_names(sql)} <= set(fence.RELATIONS)


OUTSIDE = {
    "beside the subquery that names it": "select * from x, (with x as (select 1) select * from x)",
    "in the outer select list": "select (with x as (select 1 as a) select a from x), a from x",
    "in its own definition": "with x as (select * from x) select * from x",
    "in its own definition, called recursive": "with recursive x as (select * from x) select * from x",
    "before it is defined": "with z as (select * from x), x as (select 1 as a) select * from z",
    "behind a union with parentheses": "(with x as (select 1 as a) select * from x) union all select * from x",
    "outside a materialized one": "with z as materialized (with x as (select 1) from x) select * from x",
    "by a qualified name": "with x as (select 1 as a) select * from main.x",
    "where the engine tells two letters apart": 'with "\u212a" as (select 1 as a) select * from k',
    "by its alias": "select * from spans x, lateral (select * from x)",
    "in a pivot": "from (with x as (select 1 as a) from x) y, (pivot x on a in ('b') using count(*))",
    "in the argument of a table function": "from unnest((select list(a) from x)), (with x as (from spans) from x)",
}


@pytest.mark.parametrize("sql", [*OUTSIDE.values()], ids=OUTSIDE)
def test_the_name_of_a_cte_does_not_count(sql: str, engine: Connection) -> None:
    with pytest.raises(UsageError, match="there is no table"):
        fence.check(engine, sql)


INSIDE = {
    "that shadows a relation": "with spans as (select 'mine' as a) select * from spans",
    "that reads the relation of its name": "with spans as (select * from spans) select * from spans",
    "in a later one": "with x as (select 'mine' as a), z as (select * from x) select * from z",
    "in both halves of a union": "with x as (select 'mine' as a) select * from x union all select * from x",
    "in a lateral": "with x as (select 'mine' as a) select q.a from spans, lateral (select * from x) q",
    "in its recursive half": "with recursive x as (select 1 as a union all select a + 1 from x where a < 3) from x",
    "with a key": "with recursive x(k) using key (k) as (select 1 union (select k + 1 from x where k < 3)) from x",
    "in capitals": 'with "X" as (select 1 as a) select * from x',
    "in a pivot": "with x as (select 'b' as a) select * from (pivot x on a in ('b') using count(*))",
}


@pytest.mark.parametrize("sql", [*INSIDE.values()], ids=INSIDE)
def test_the_name_of_a_cte_counts(sql: str, engine: Connection) -> None:
    fence.check(engine, sql)
    assert "hidden" not in str(engine.execute(sql).fetchall())


def test_no_macro_of_the_engine_that_reads_its_catalog_is_admitted(engine: Connection) -> None:
    reading = engine.execute(
        "select distinct function_name from duckdb_functions() where function_type = 'macro' and internal "
        "and regexp_matches(lower(macro_definition), '\\b(from|current_setting|getvariable|duckdb_[a-z]+)\\b')"
    ).fetchall()
    assert reading
    assert [name for (name,) in reading if _admitted(engine, f'select "{name}"()')] == []


def test_no_table_function_is_admitted_but_those_that_make_rows_of_their_arguments(engine: Connection) -> None:
    known = engine.execute(
        "select distinct function_name from duckdb_functions() "
        "where function_type in ('table', 'table_macro', 'pragma')"
    ).fetchall()
    admitted = {name for (name,) in known if _admitted(engine, f'select * from "{name}"()')}
    assert admitted <= {"unnest", "range", "generate_series", "generate_subscripts", "json_each", "json_tree"}


REFUSED = [
    *("getenv", "current_setting", "getvariable", "read_text", "read_blob", "glob", "query", "query_table"),
    *("json_serialize_plan", "json_execute_serialized_sql", "json_deserialize_sql", "write_log", "nextval", "currval"),
    *("setval", "pg_get_viewdef", "pg_get_expr", "obj_description", "has_table_privilege", "inet_server_addr"),
    *("finalize", "combine", "to_aggregate_state", "__internal_decompress_string", "duckdb_secrets", "pragma_version"),
]


@pytest.mark.parametrize("name", REFUSED)
@pytest.mark.parametrize(
    "form", ["select {0}('a')", 'select "{1}"(1)', "select system.main.{0}(1)", "select {0} ( /**/ 1)"]
)
def test_a_function_is_refused_in_whatever_form_it_is_written(name: str, form: str, engine: Connection) -> None:
    with pytest.raises(UsageError, match=r"is not allowed|does not work"):
        fence.check(engine, form.format(name, name.upper()))


def _run(connection: Connection, sql: str) -> None:
    fence.check(connection, sql)
    try:
        connection.execute(sql)
    except EngineError as error:
        raise fence.explained(error) from None


def test_a_message_quotes_a_long_value_or_statement_by_its_beginning(engine: Connection) -> None:
    long = "x" * 100_000
    for sql in (
        f'select * from "{long}"',
        f'select "{long}"(1)',
        f'select "{long}" from spans',
        f"select 1 {long} {long}",
        f"{long} 1",
        f"select cast('{long}' as int)",
        f"select error('{long}')",
    ):
        with pytest.raises(UsageError) as caught:
            _run(engine, sql)
        assert len(caught.value.message) < 1_000
        assert len(caught.value.hint or "") < 1_000
