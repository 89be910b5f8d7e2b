"""Every statement that reports execute keeps to what all engines agree on, also where Python puts it together."""

from __future__ import annotations

import random
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import sqlglot

from mcpobs.baseline.learn import learn
from mcpobs.baseline.rules import Rules
from mcpobs.lake import maintain, writer
from mcpobs.lake.reader import Reading, open_reading
from mcpobs.queries import rollups
from mcpobs.queries.fence import RELATIONS
from mcpobs.queries.run import plan_of
from mcpobs.reports.ask import ask
from mcpobs.reports.filters import Filters
from mcpobs.reports.kinds import KINDS
from mcpobs.reports.request import Request
from mcpobs.reports.window import EVERYTHING
from mcpobs.settings import Config
from tests.queries.cost_oracle import llm_rows
from tests.queries.recorded import START, Row, call, spool
from tests.queries.test_headers import not_portable

_STORED = re.compile(r"read_parquet\(\[[^\]]*\][^)]*\)")
_MADE = re.compile(r"create (?:or replace )?temp (?:table|view) \w+ as\s")
_PLUMBING = re.compile(r"create temp table \w+ \(|insert into \w+ select unnest|drop table \w+$|set |describe ")
"""Statements that move values into the engine, and none that ask something."""


class Listening:
    """A connection that keeps the statements which it executes."""

    def __init__(self, connection: Any) -> None:
        self.statements: list[str] = []
        self._connection = connection

    def execute(self, sql: str, *given: Any) -> Any:
        self.statements.append(sql)
        return self._connection.execute(sql, *given)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._connection, name)


def _rows() -> list[Row]:
    """Several layers, a server that lists its own tools, model calls, and sessions of conversations."""
    chance = random.Random(3)
    rows = [call(n, session_id=f"s{n // 4}", session_start_unix_nano=START) for n in range(120)]
    rows += [call(200 + n, scope_name="fastmcp", service_name="web", session_id="f") for n in range(5)]
    rows += [
        call(
            220,
            scope_name="mcp-python-sdk",
            service_name="other",
            session_candidates='{"conversation":"talk"}',
            session_id="x~1",
        )
    ]
    return rows + llm_rows(chance, 20, rows)


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    lake = tmp_path_factory.mktemp("portable") / "lake"
    rows = _rows()
    spool(lake, rows[:70])
    maintain.compact(lake, roll_up=rollups.take)
    spool(lake, rows[70:100])
    writer.commit(lake, wait=True)
    spool(lake, rows[100:])
    return lake


def _check(statements: list[str]) -> None:
    asked = [sql for sql in statements if not _PLUMBING.match(sql)]
    assert asked
    for sql in asked:
        text = _STORED.sub("stored_file", _MADE.sub("", sql))
        (tree,) = sqlglot.parse(text, read="duckdb")
        assert tree is not None
        assert not_portable(tree) == [], sql


REQUESTS = [
    *(Request(name, rows=3) for name in KINDS),
    *(Request(name, filters=Filters(session="talk"), since="2026-01-01") for name in ("latency", "sessions")),
    Request("cost", by="session", reprice=True),
    Request("p95", filters=Filters(tool="search"), activity=True),
    Request("loops", since="2030-01-01", filters=Filters(server="files")),
]


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda request: request.report)
def test_a_report_executes_portable_statements_only(
    request_: Request, lake: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "config.toml").write_text('[prices.search]\nper_unit = 0.01\nunits = "pages"\nmax_units = 2\n')
    monkeypatch.setenv("MCPOBS_CONFIG", str(tmp_path))
    heard: list[Listening] = []

    @contextmanager
    def opening(lake: Path, since: int | None, until: int | None) -> Iterator[Reading]:
        with open_reading(lake, since_unix_nano=since, until_unix_nano=until) as reading:
            heard.append(Listening(reading.connection))
            reading.connection = heard[-1]  # type: ignore[assignment]
            yield reading

    ask(lake, request_, START + 10**12, opening=opening)
    _check([sql for connection in heard for sql in connection.statements])


def test_roll_ups_and_a_baseline_and_a_users_views_are_portable_too(lake: Path) -> None:
    with open_reading(lake) as reading:
        listening = Listening(reading.connection)
        reading.connection = listening  # type: ignore[assignment]
        plan = plan_of(reading)
        learn(plan, EVERYTHING, "files", Config(), Rules(min_sessions=5))
        plan.without([("s1", None)]).create_views(RELATIONS)
        _check(listening.statements)
    assert any("read_parquet" in sql and "rollup" in sql for sql in listening.statements)
