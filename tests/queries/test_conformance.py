"""The shipped queries give the same answers on ClickHouse (chdb) as on DuckDB, rewritten by sqlglot.

Slow, and needs the dependency group `conformance`: `pytest -m slow tests/queries/test_conformance.py`.
"""

from __future__ import annotations

import datetime
import json
import math
import random
from pathlib import Path
from typing import Any

import pytest
import sqlglot
from sqlglot import exp

from mcpobs.lake.schema import TYPES
from mcpobs.queries import catalog
from mcpobs.queries.header import Query
from tests.queries.cost_oracle import llm_rows
from tests.queries.recorded import Row, ask, in_memory
from tests.queries.traffic import random_rows

chdb = pytest.importorskip("chdb", reason="the dependency group `conformance` is not installed")
pytestmark = pytest.mark.slow

_CLICKHOUSE = {"VARCHAR": "String", "BIGINT": "Int64", "SMALLINT": "Int16", "BOOLEAN": "Bool"}
_SETTINGS = "join_use_nulls = 1, prefer_column_name_to_alias = 1, output_format_json_quote_64bit_integers = 0"


def rewritten(query: Query, params: Row) -> exp.Expression:
    """The query for ClickHouse, its parameters as literals, below its views.

    What sqlglot does not translate by itself: the exact percentile, microseconds as a time, and parts of a text, taken
    or replaced.
    """
    tree = sqlglot.parse_one(query.sql, read="duckdb")
    types = {param.name: param.type for param in query.params}
    for node in list(tree.find_all(exp.Parameter, exp.Placeholder)):
        name = node.name or node.this.name
        value = params[name]
        literal = exp.Null() if value is None else exp.convert(value)
        node.replace(exp.cast(literal, types[name], dialect="duckdb"))
    for node in list(tree.find_all(exp.WithinGroup)):
        assert isinstance(node.this, exp.PercentileCont)
        column = node.expression.expressions[0].this
        node.replace(
            sqlglot.parse_one(f"quantileExactInclusive({node.this.this.sql()})(x)", read="clickhouse").transform(
                lambda found, column=column: (
                    column.copy() if isinstance(found, exp.Column) and found.name == "x" else found
                )
            )
        )
    for node in list(tree.find_all(exp.Anonymous)):
        if node.name == "make_timestamptz":
            node.set("this", "fromUnixTimestamp64Micro")
    while (replaced := tree.find(exp.RegexpReplace)) is not None:  # from the outside in: each holds the next
        assert replaced.args["modifiers"].name == "g"
        parts = (replaced.this, replaced.expression, replaced.args["replacement"])
        replaced.replace(exp.Anonymous(this="replaceRegexpAll", expressions=[part.copy() for part in parts]))
    for node in list(tree.find_all(exp.SplitPart)):
        parts = exp.func("splitByString", node.args["delimiter"], node.this)
        node.replace(exp.func("arrayElement", parts, node.args["part_index"]))
    return tree


def steps(tree: exp.Expression) -> tuple[list[tuple[str, str]], str]:
    """The statement's CTEs as tables to be made in this order, and what is left of it.

    ClickHouse writes a CTE out at each use: a report of forty takes minutes to plan.
    """
    ctes = [cte for with_ in tree.find_all(exp.With) if with_.parent is tree for cte in with_.expressions]
    names = {cte.alias_or_name for cte in ctes}
    for table in tree.find_all(exp.Table):
        if table.name in names:
            alias = table.alias or table.name
            table.set("this", exp.to_identifier(f"cte_{table.name}"))
            table.set("alias", exp.TableAlias(this=exp.to_identifier(alias)))
    made = [(f"cte_{cte.alias_or_name}", cte.this.sql("clickhouse")) for cte in ctes]
    tree.set("with_", None)
    tree.set("with", None)
    return made, tree.sql("clickhouse")


def _ask_clickhouse(folder: Path, rows: list[Row], query: Query) -> list[Row]:
    data = folder / "rows.jsonl"
    data.write_text("".join(json.dumps({name: row.get(name) for name in TYPES}) + "\n" for row in rows))
    columns = ", ".join(f"{name} Nullable({_CLICKHOUSE[type_]})" for name, type_ in TYPES.items())
    session = chdb.session.Session(str(folder / "clickhouse"))
    try:
        session.query(f"set {_SETTINGS}")  # also for what views are made of
        session.query(f"create table spans ({columns}) engine = Memory")
        session.query(f"insert into spans select * from file('{data}', 'JSONEachRow', '{columns}')")
        for view in catalog.views_below(query.reads):
            session.query(f"create view {view.name} as {rewritten(view, _defaults(view)).sql('clickhouse')}")
        tables, text = steps(rewritten(query, _defaults(query)))
        for name, made in tables:
            session.query(f"create table {name} engine = Memory as {made} settings {_SETTINGS}")
        answer = session.query(f"{text} settings {_SETTINGS}", "JSON")
        return list(json.loads(str(answer))["data"])
    finally:
        session.close()


@pytest.mark.parametrize("name", [query.name for query in catalog.reports()] + ["windows", "extent"])
@pytest.mark.parametrize("seed", range(3))
def test_clickhouse_gives_the_same_answer(name: str, seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    rows = random_rows(chance, 300)
    rows += llm_rows(chance, 60, rows)
    expected = ask(in_memory(rows), name)
    found = _ask_clickhouse(tmp_path, chance.sample(rows, len(rows)), catalog.load(name))
    assert len(found) == len(expected)
    for here, there in zip(found, expected, strict=True):
        assert {key: _plain(value) for key, value in here.items()} == {
            key: _near(value) for key, value in there.items()
        }


def _defaults(query: Query) -> Row:
    return {param.name: param.default for param in query.params}


def _plain(value: Any) -> Any:
    return None if isinstance(value, float) and math.isnan(value) else value


def _near(value: Any) -> Any:
    if isinstance(value, datetime.datetime):
        return value.isoformat()
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value
