"""Each query by data: given rows, expect an answer. The cases lie in `cases/<query>.yaml`.

A row is a tool call of session s1, one a second after the row before it (`tests/queries/recorded.py`), but for what
the case says; `repeat: n` stands for n of them, `rounds: n` with `of` for so many rounds. An expected row holds the
columns that the case is about, and all rows are expected.
"""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from mcpobs.queries import catalog
from tests.queries.recorded import Row, ask, call, create_views, in_memory

FOLDER = Path(__file__).parent / "cases"


def _cases() -> Iterator[Any]:
    for path in sorted(FOLDER.glob("*.yaml")):
        for case in yaml.safe_load(path.read_text(encoding="utf-8")):
            yield pytest.param(path.stem, case, id=f"{path.stem}: {case['name']}")


def test_every_query_has_its_cases() -> None:
    written_here = {name for name in catalog.names() if not name.startswith("baseline")}  # those: tests/baseline
    assert {path.stem for path in FOLDER.glob("*.yaml")} == written_here | {"views"}


@pytest.mark.parametrize(("query", "case"), [*_cases()])
def test_a_query_answers_as_its_case_says(query: str, case: Row) -> None:
    rows = [call(number, **row) for number, row in enumerate(_spread(case["rows"]))]
    random.Random(1).shuffle(rows)  # no query may rely on the order in which rows lie
    connection = in_memory(rows)
    if query == "views":
        create_views(connection, "operations", "tool_calls", "sessions")
        connection.execute(case["sql"])
        names = [entry[0] for entry in connection.description or []]
        found = [dict(zip(names, row, strict=True)) for row in connection.fetchall()]
    else:
        found = ask(connection, query, **case.get("params", {}))
    shown = [{name: row[name] for name in expected} for row, expected in zip(found, case["expect"], strict=False)]
    assert len(found) == len(case["expect"]), found
    assert shown == [{name: _near(value) for name, value in row.items()} for row in case["expect"]]


def _spread(rows: list[Row]) -> Iterator[Row]:
    for row in rows:
        rest = {name: value for name, value in row.items() if name not in ("repeat", "rounds", "of")}
        for _ in range(row.get("rounds", 1)):
            for one in row.get("of", [rest] * row.get("repeat", 1)):
                yield rest | one


def _near(value: Any) -> Any:
    return pytest.approx(value) if isinstance(value, float) else value
