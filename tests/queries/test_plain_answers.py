"""Every report equals the answer computed plainly in Python, however the rows lie in files and whatever the threads."""

from __future__ import annotations

import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from mcpobs.lake.engine import Connection
from mcpobs.lake.reader import open_reading
from mcpobs.queries import catalog
from tests.queries import (
    cost_oracle,
    http_oracle,
    latency_oracle,
    loops_oracle,
    oracles,
    precursors_oracle,
    shapes_oracle,
)
from tests.queries.recorded import Row, ask, in_memory, scatter
from tests.queries.traffic import random_rows
from tests.seeds import seeds

ORACLES: dict[str, Callable[[list[Row]], list[Row]]] = {
    "latency": latency_oracle.latency,
    "errors": oracles.errors,
    "sessions": oracles.sessions,
    "failures": oracles.failures,
    "loops": loops_oracle.loops,
    "shapes": shapes_oracle.shapes,
    "decisions": oracles.decisions,
    "findings": oracles.findings,
    "coverage": oracles.coverage,
    "cost": cost_oracle.cost,
    "http": http_oracle.http,
    "precursors": precursors_oracle.precursors,
}


def _agree(connection: Connection, rows: list[Row]) -> None:
    for name, plainly in ORACLES.items():
        expected = plainly(rows)
        found = ask(connection, name)
        assert len(found) == len(expected), name
        for here, there in zip(found, expected, strict=True):
            assert {key: here[key] for key in there} == {key: _near(value) for key, value in there.items()}, name


def _near(value: Any) -> Any:
    return pytest.approx(value, rel=1e-9) if isinstance(value, float) else value


def test_every_report_has_a_plain_answer_to_be_held_against() -> None:
    assert {query.name for query in catalog.reports()} == set(ORACLES)


@pytest.mark.parametrize("seed", seeds(6, 24))
def test_a_report_equals_the_plain_answer_whatever_the_order_and_threads(seed: int) -> None:
    chance = random.Random(seed)
    rows = random_rows(chance, [0, 1, 5, 40, 200, 600][seed % 6])
    rows += cost_oracle.llm_rows(chance, len(rows) // 4, rows)
    rows += http_oracle.http_rows(chance, len(rows) // 4)
    shuffled = chance.sample(rows, len(rows))
    _agree(in_memory(shuffled, threads=chance.choice([1, 2, 8])), rows)


@pytest.mark.parametrize("seed", range(4))
def test_the_trend_is_against_the_window_before(seed: int) -> None:
    rows = random_rows(random.Random(seed), 400)
    starts = sorted(row["start_unix_nano"] for row in rows)
    given = {"since": starts[200], "until": starts[390], "before": starts[20]}
    expected = latency_oracle.latency(rows, **given)
    assert any(row["p95_trend"] is not None for row in expected)
    found = ask(in_memory(rows), "latency", **given)
    assert found == [{key: _near(value) for key, value in row.items()} for row in expected]


@pytest.mark.parametrize("seed", seeds(1, 3))
def test_a_report_equals_the_plain_answer_however_the_rows_are_split_over_files(seed: int, tmp_path: Path) -> None:
    chance = random.Random(1000 + seed)
    rows = random_rows(chance, 300)
    rows += http_oracle.http_rows(chance, 60) + cost_oracle.llm_rows(chance, 60, rows)
    again = chance.sample(rows, 20)  # delivered twice
    scatter(tmp_path / "lake", rows + again, chance)
    for threads in (1, 2, 8):
        with open_reading(tmp_path / "lake") as reading:
            assert reading.damaged_lines == 0
            reading.connection.execute(f"set threads = {threads}")
            _agree(reading.connection, rows)


@pytest.mark.parametrize("by", ["tool", "session", "tenant"])
@pytest.mark.parametrize("narrowed", [{}, {"tool": "search"}, {"session": "s1"}])
def test_costs_equal_the_plain_answer_for_every_grouping(by: str, narrowed: Row) -> None:
    chance = random.Random(f"{by}{narrowed}")
    rows = random_rows(chance, 300)
    rows += cost_oracle.llm_rows(chance, 60, rows)
    for row in rows:
        row["tenant"] = chance.choice(["acme", "other", None])
        row["cost_source"] = chance.choice(["price", "price+units?", "unrecorded", None])
    found = ask(in_memory(rows), "cost", by=by, **narrowed)
    assert found == [
        {key: _near(value) for key, value in row.items()} for row in cost_oracle.cost(rows, by=by, **narrowed)
    ]
