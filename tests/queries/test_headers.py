"""What a header says is what DuckDB reports, and what the text does is what every engine understands."""

from __future__ import annotations

import re

import pytest
import sqlglot
from sqlglot import exp

from mcpobs.errors import UsageError
from mcpobs.queries import catalog
from mcpobs.queries.header import Query, parse
from mcpobs.queries.plan import Plan
from tests.queries.recorded import in_memory

QUERIES = [*map(catalog.load, catalog.names()), *map(catalog.view, catalog.views())]
_EVERY = pytest.mark.parametrize("query", QUERIES, ids=lambda query: f"{query.kind}-{query.name}")
_SHORT = {"timestamp with time zone": "timestamptz"}


def test_the_reports_are_the_five_questions_and_what_stands_around_them() -> None:
    names = [query.name for query in catalog.reports()]
    assert {"errors", "failures", "latency", "loops", "sessions", "shapes", "coverage", "http"} <= set(names)
    assert {"operations", "tool_calls", "sessions", "usage", "failed_calls"} <= set(catalog.views())


@_EVERY
def test_the_columns_of_a_header_are_those_of_the_answer(query: Query) -> None:
    plan = Plan(in_memory([]))
    if query.kind == "view":
        plan.create_views((query.name,))
        described = plan.connection.execute(f"describe {query.name}").fetchall()
    else:
        used = {p.name: p.default for p in query.params if p.name in query.used}
        described = plan.connection.execute(f"describe {plan.statement(query, query.values({}))}", used).fetchall()
    found = [(name, _SHORT.get(type_.lower(), type_.lower())) for name, type_, *_ in described]
    assert found == [(column.name, column.type) for column in query.columns]


@_EVERY
def test_the_params_of_a_header_are_those_of_the_text(query: Query) -> None:
    code = re.sub(r"--.*", "", query.sql)
    of_views = {param.name for view in map(catalog.view, set(query.reads) - {catalog.SOURCE}) for param in view.params}
    known, used = {param.name for param in query.params}, set(re.findall(r"\$(\w+)", code))
    assert used <= known
    assert known - used <= of_views
    for param in query.params:
        fits = {"varchar": str, "bigint": int, "double": (int, float)}[param.type]
        assert param.default is None or isinstance(param.default, fits)


@_EVERY
def test_a_query_reads_what_its_header_says(query: Query) -> None:
    tree = _tree(query)
    own = {cte.alias_or_name for cte in tree.find_all(exp.CTE)}
    assert {table.name for table in tree.find_all(exp.Table)} - own == set(query.reads)


@_EVERY
def test_a_query_says_what_it_is_about_and_how_each_column_is_meant(query: Query) -> None:
    assert query.question.endswith("?")
    assert all(column.meaning for column in query.columns)
    assert all(param.meaning for param in query.params)


def _tree(query: Query) -> exp.Expression:
    statements = sqlglot.parse(query.sql, read="duckdb")
    assert len(statements) == 1
    tree = statements[0]
    assert isinstance(tree, exp.Select) or (query.kind == "view" and isinstance(tree, exp.Union))
    return tree


_FUNCTIONS = {
    "epoch_ms", "epoch_us", "epoch_ns", "epoch", "time_bucket", "date_diff", "datediff", "list", "array_agg",
    "string_agg", "group_concat", "listagg", "list_transform", "list_filter", "list_aggregate", "approx_quantile",
    "approx_count_distinct", "approx_distinct", "quantile_cont", "quantile_disc", "quantile", "median", "first", "last",
    "any_value", "mode", "random", "rand", "now", "current_timestamp",
}  # fmt: skip
_NODES = (
    exp.Lambda, exp.Struct, exp.ArrayAgg, exp.GroupConcat, exp.Qualify, exp.Interval, exp.Bracket, exp.UnixToTime,
)  # fmt: skip


def not_portable(tree: exp.Expression) -> list[str]:
    """What in a statement other engines do not know, or read differently and do not say so."""
    return [node.sql("duckdb") for node in tree.walk() if _is_dialect(node)]


def _is_dialect(node: exp.Expression) -> bool:
    match node:
        case exp.Star():
            return not isinstance(node.parent, exp.Count)  # a column that comes later must not appear unasked
        case exp.Join():
            return bool(node.args.get("method") or node.args.get("using"))  # asof, positional, natural
        case exp.Group():
            return bool(node.args.get("all")) or any(isinstance(key, exp.Literal) for key in node.expressions)
        case exp.Distinct():
            return node.args.get("on") is not None
        case exp.Div():
            below = node.expression
            return not isinstance(below, exp.Nullif) and not (isinstance(below, exp.Literal) and float(below.this) != 0)
        case exp.PercentileCont():
            return not isinstance(node.parent, exp.WithinGroup)
        case exp.Func():
            name = node.name if isinstance(node, exp.Anonymous) else node.sql_name()
            return isinstance(node, _NODES) or name.lower() in _FUNCTIONS
        case _:
            return isinstance(node, _NODES)


@_EVERY
def test_a_query_keeps_to_what_all_engines_agree_on(query: Query) -> None:
    assert not_portable(_tree(query)) == []


@pytest.mark.parametrize(
    "sql",
    [
        "select * from t",
        "select * exclude (a) from t",
        "select t.* from t",
        "select a from t group by all",
        "select a from t group by 1",
        "select distinct on (a) a, b from t",
        "select list(a order by b) from t",
        "select string_agg(a, ',' order by b) from t",
        "select array_agg(a) from t",
        "select list_transform(a, lambda x: x + 1) from t",
        "select {'a': 1} as s from t",
        "select a[1] from t",
        "select a / b from t",
        "select a / 0 from t",
        "select epoch_ms(a) from t",
        "select time_bucket(interval '1 hour', a) from t",
        "select date_diff('millisecond', a, b) from t",
        "select a from t where b > now() - interval 1 day",
        "select median(a) from t",
        "select quantile_cont(a, 0.5) from t",
        "select approx_quantile(a, 0.5) from t",
        "select first(a) from t",
        "select a from t qualify row_number() over (order by a) = 1",
        "select a from t join u using (b)",
        "select a from t asof join u on t.b >= u.b",
        "select a from t natural join u",
    ],
)
def test_what_engines_disagree_on_is_found(sql: str) -> None:
    (tree,) = sqlglot.parse(sql, read="duckdb")
    assert tree is not None
    assert not_portable(tree)


@pytest.mark.parametrize("query", [q for q in QUERIES if q.kind != "view"], ids=lambda query: query.name)
def test_an_answer_has_an_order(query: Query) -> None:
    assert _tree(query).args.get("order") is not None


@_EVERY
@pytest.mark.parametrize("engine", ["clickhouse", "spark", "trino"])
def test_a_query_can_be_written_for_another_engine(query: Query, engine: str) -> None:
    tree = _tree(query).transform(lambda node: exp.null() if isinstance(node, exp.Placeholder) else node)
    written = tree.sql(engine, unsupported_level=sqlglot.ErrorLevel.RAISE)
    read = sqlglot.parse_one(written, read=engine)  # what it cannot express it may write all the same, as no SQL
    assert [name.lower() for name in read.named_selects] == [column.name for column in query.columns]


_WHOLE = """\
-- question: How many?
-- kind:     report
-- reads:    tool_calls
-- history:  whole
-- params:
--   since      bigint = -5      from when
--   name       varchar = 'a b'  a text
--   none       varchar = null   nothing
--   share      double = 0.5     a number
-- columns:
--   calls  bigint  how many
-- chart:    bar calls
select count(*) as calls from tool_calls
"""


def test_a_header_is_read_whole() -> None:
    query = parse("many", _WHOLE)
    assert (query.name, query.question, query.kind, query.reads) == ("many", "How many?", "report", ("tool_calls",))
    assert (query.whole_history, query.chart) == (True, "bar calls")
    assert [(p.name, p.type, p.default) for p in query.params] == [
        ("since", "bigint", -5),
        ("name", "varchar", "a b"),
        ("none", "varchar", None),
        ("share", "double", 0.5),
    ]
    assert [(c.name, c.type, c.meaning) for c in query.columns] == [("calls", "bigint", "how many")]


@pytest.mark.parametrize(
    ("old", "new", "why"),
    [
        ("-- question: How many?\n", "", "the header has no 'question'"),
        ("kind:     report", "kind:     repot", "kind 'repot' is none of report, view, step"),
        ("reads:    tool_calls", "reads:", "the header has no 'reads'"),
        ("history:  whole", "history:  some", "history is window or whole"),
        ("-- kind:", "-- kin:", "'kin' is no field"),
        ("bigint = -5 ", "bigint -5 ", "cannot read"),
        ("--   calls  bigint  how many\n", "", "the header has no columns"),
        ("--   calls  bigint", "--   calls  int", "unknown type 'int'"),
        ("--   name  ", "--   since ", "a name is there twice"),
    ],
)
def test_a_broken_header_is_refused_with_the_reason(old: str, new: str, why: str) -> None:
    assert old in _WHOLE
    with pytest.raises(UsageError, match=re.escape(why)):
        parse("many", _WHOLE.replace(old, new))


def test_an_unknown_report_names_the_nearest() -> None:
    with pytest.raises(UsageError) as caught:
        catalog.report("latencies")
    assert caught.value.hint is not None
    assert caught.value.hint.startswith("did you mean `mcpobs report latency`?")


def test_a_step_is_no_report() -> None:
    with pytest.raises(UsageError, match="no report is called 'windows'"):
        catalog.report("windows")
