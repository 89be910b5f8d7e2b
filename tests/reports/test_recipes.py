"""The recipes of CONTRIBUTING.md, followed in a copy of the tree: a new report, and a new column."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.queries.recorded import call, spool

ROOT = Path(__file__).parents[2]

REPORT = """\
-- question: Which tools return most?
-- topic:    3 What returns most?
-- kind:     report
-- reads:    tool_calls
-- params:
--   since    bigint = 0                    start of the window, unix ns
--   until    bigint = 9223372036854775807  end of the window, unix ns, itself outside
--   tool     varchar = null                this tool only
--   session  varchar = null                this session only
--   server   varchar = null                this server only
-- columns:
--   tool          varchar  gen_ai.tool.name
--   result_bytes  bigint   size of all its results
-- chart:    bar tool result_bytes
select tool, cast(sum(result_bytes) as bigint) as result_bytes
from tool_calls
where start_unix_nano >= $since
    and start_unix_nano < $until
    and ($tool is null or tool = $tool)
    and ($session is null or session_id = $session)
    and ($server is null or service_name = $server)
group by tool
order by result_bytes desc nulls last, tool nulls last
"""
CASE = """\
- name: the sum of a tool's results
  rows:
    - {tool: search, result_bytes: 70}
    - {tool: search, result_bytes: 30}
    - {tool: fetch, result_bytes: 50}
  expect:
    - {tool: search, result_bytes: 100}
    - {tool: fetch, result_bytes: 50}
"""
ENTRY = '    Name("mcpobs.team", "team", "text", "team of the caller", "ours", "reserved"),\n'
COLUMN = """\
import sys
from pathlib import Path

from mcpobs import keys, semconv
from mcpobs.gate.row import Origin, Rows
from mcpobs.lake.reader import open_reading
from mcpobs.protocol.operation import Operation, Stamp
from mcpobs.queries.run import plan_of
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.telemetry.spool import Spool
from tests.test_semconv import _page

lake = Path(sys.argv[1])
keys.open_folder(lake)
rows = Rows(Origin("files", "0123456789abcdef", "stdio", "pipe", "proxy/stdio"))
operation = Operation(0, "client", "tools/call", Stamp(1_790_000_000_000_000_000, 0))
operation.tool, operation.outcome = "search", "ok"
session = StdioSessions("0123456789abcdef", 1_790_000_000_000_000_000).process_session
shared, own = rows.of(operation, session, {"mcpobs.team": "blue", semconv.SERVER_EXIT_CODE: 3})
sink = Spool(lake, lambda count, reason: {})
assert sink.write({**shared.columns, **own})
sink.close()
with open_reading(lake) as reading:
    plan = plan_of(reading)
    plan.create_views(("operations", "tool_calls"))
    for relation in ("spans", "operations", "tool_calls"):
        found = plan.connection.execute(f"select team, attributes from {relation}").fetchall()
        assert [team for team, _ in found] == ["blue"], relation
        assert "team" not in found[0][1]
        assert semconv.SERVER_EXIT_CODE in found[0][1]
assert "| `team` | `mcpobs.team` |" in _page()
"""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of what a contributor has."""
    skipped = shutil.ignore_patterns("__pycache__", "golden", "golden_answer")
    for name in ("mcpobs", "queries", "tests", "docs"):
        shutil.copytree(ROOT / name, tmp_path / "tree" / name, ignore=skipped)
    shutil.copy(ROOT / "pyproject.toml", tmp_path / "tree")
    return tmp_path / "tree"


def _run(tree: Path, *words: str) -> str:
    env = {**os.environ, "PYTHONPATH": str(tree)}
    done = subprocess.run([sys.executable, *words], cwd=tree, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_new_report_is_a_file_and_its_case(tree: Path, tmp_path: Path) -> None:
    (tree / "queries" / "returns.sql").write_text(REPORT)
    (tree / "tests" / "queries" / "cases" / "returns.yaml").write_text(CASE)
    spool(tmp_path / "lake", [call(n, tool=("search", "fetch")[n % 2], result_bytes=10 * n) for n in range(4)])
    lake = ("--lake", str(tmp_path / "lake"))
    assert _run(tree, "-m", "mcpobs", "report", "returns", *lake, "--format", "csv").split() == [
        "tool,result_bytes", "fetch,40", "search,20",
    ]  # fmt: skip
    digest = json.loads(_run(tree, "-m", "mcpobs", "report", "all", "--json", *lake))
    assert {"question": "What returns most?", "answer": "2 rows", "more": "mcpobs report returns"} in digest["rows"]
    assert "What returns most?" in _run(tree, "-m", "mcpobs", "report", "all", "--html", "-", *lake)
    tests = ("tests/queries/test_cases.py", "tests/queries/test_headers.py")
    _run(tree, "-m", "pytest", "-q", "-p", "no:cacheprovider", *tests, "-k", "returns or every_query_has")


def test_a_new_column_is_an_entry(tree: Path, tmp_path: Path) -> None:
    registry = tree / "mcpobs" / "semconv.py"
    text = registry.read_text()
    before = "    # attributes that stay in `attributes` or `resource`\n"
    assert before in text
    registry.write_text(text.replace(before, ENTRY + before))
    _run(tree, "-c", COLUMN, str(tmp_path / "lake"))
    query = ("query", "select team from tool_calls", "--json", "--lake", str(tmp_path / "lake"))
    assert json.loads(_run(tree, "-m", "mcpobs", *query))["rows"] == [{"team": "blue"}]
