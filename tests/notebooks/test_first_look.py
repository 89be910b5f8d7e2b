"""The notebook runs from top to bottom in a Jupyter kernel, and its pictures hold every call of the lake."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from typing import Any

import nbformat
import pytest
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError

from mcpobs.lake.reader import open_reading
from mcpobs.queries.run import plan_of

NOTEBOOK = Path(__file__).parents[2] / "notebooks" / "01_first_look.ipynb"
CELL_S = 300
ASK = """
import json
print(json.dumps({
    "lake": str(lake.path),
    "calls": calls.height,
    "failed": int(calls["failed"].sum()),
    "sessions": calls["session_id"].n_unique(),
    "spread": dict(spread.group_by("tool").agg(pl.col("calls").sum()).rows()),
    "latency": dict(latency.select("tool", "calls").rows()),
    "over_time": [int(over_time["calls"].sum()), over_time.height],
    "busiest": busiest.select("session_id", "calls").rows()[0],
    "drawn": [chart.to_dict()["$schema"] for chart in (distribution, timeline, sessions)],
}))
"""


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A lake as servers leave it: what `mcpobs demo` records, all of it still in the spool."""
    root = tmp_path_factory.mktemp("demo")
    subprocess.run([sys.executable, "-m", "mcpobs", "demo", "--keep", str(root)], check=True, capture_output=True)
    return root / "lake"


def read() -> nbformat.NotebookNode:
    return nbformat.read(NOTEBOOK, as_version=4)


def executed(notebook: nbformat.NotebookNode) -> nbformat.NotebookNode:
    """Raises CellExecutionError where a cell does."""
    NotebookClient(notebook, kernel_name="python3", timeout=CELL_S).execute()
    return notebook


def asked(notebook: nbformat.NotebookNode) -> dict[str, Any]:
    """What the notebook holds after it ran to its end."""
    notebook.cells.append(nbformat.v4.new_code_cell(ASK))
    (output,) = executed(notebook).cells[-1].outputs
    return json.loads(output.text)


def test_the_file_is_a_notebook_without_output_that_explains_each_cell() -> None:
    notebook = read()
    nbformat.validate(notebook)
    kinds = [cell.cell_type for cell in notebook.cells]
    assert kinds[0] == kinds[-1] == "markdown"
    assert ("code", "code") not in set(pairwise(kinds))
    for cell in notebook.cells:
        if cell.cell_type == "code":
            assert cell.outputs == []
            assert cell.execution_count is None
            ast.parse(cell.source)  # plain Python: no magic, no shell


def test_its_pictures_hold_every_call_of_a_recorded_lake(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCPOBS_LAKE", str(lake))
    with open_reading(lake) as reading:
        plan_of(reading).create_views(("tool_calls",))
        calls, failed, sessions = reading.connection.execute(
            "select count(*), count(*) filter (failed), count(distinct session_id) from tool_calls"
        ).fetchall()[0]
    assert calls > 400

    found = asked(read())

    assert found["lake"] == str(lake)
    assert (found["calls"], found["failed"], found["sessions"]) == (calls, failed, sessions)
    assert found["spread"] == found["latency"]
    assert len(found["spread"]) == 5
    assert found["over_time"][0] == calls
    assert 10 <= found["over_time"][1] <= 2 * 62
    assert found["busiest"] == ["agent-heavy-user", 120]
    assert all("vega-lite" in schema for schema in found["drawn"])


@pytest.mark.slow
def test_without_a_lake_it_records_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    found = asked(read())
    assert Path(found["lake"]).is_relative_to(tmp_path)
    assert found["calls"] > 400


def test_an_empty_lake_is_one_clear_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    command = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(tmp_path / "lake"), "--", "true"]
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, env=dict(os.environ))
    monkeypatch.setenv("MCPOBS_LAKE", str(tmp_path / "lake"))
    with pytest.raises(CellExecutionError, match="nothing is recorded in"):
        executed(read())


def test_a_cell_that_raises_fails_the_run(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCPOBS_LAKE", str(lake))
    notebook = read()
    notebook.cells.insert(3, nbformat.v4.new_code_cell("raise ValueError('a cell that fails')"))
    with pytest.raises(CellExecutionError, match="a cell that fails"):
        executed(notebook)
