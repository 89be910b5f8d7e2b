"""What is loaded where: the observed process pays for the wrapper's imports, and whoever waits for a report."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

_REPORT_LOADED = """
import sys
sys.argv = ["mcpobs", *{argv!r}]
from mcpobs.__main__ import main
try:
    main()
except SystemExit:
    pass
print(*sorted(sys.modules), file=sys.stderr)
"""


def _modules(argv: list[str]) -> set[str]:
    code = _REPORT_LOADED.format(argv=argv)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return {name.partition(".")[0] for name in done.stderr.splitlines()[-1].split()}


def _modules_of_the_wrapper() -> set[str]:
    """What is loaded when a call has been recorded: everything but the end, where the process is replaced."""
    code = (
        "import sys, os\n"
        "from mcpobs.proxy import child\n"
        "child.imitate = lambda ended: (print(*sorted(sys.modules), file=sys.stderr, flush=True), os._exit(0))\n"
        "sys.argv = ['mcpobs', 'instrument', '--', 'cat']\n"
        "from mcpobs.__main__ import main\n"
        "main()\n"
    )
    call = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}\n'
    done = subprocess.run([sys.executable, "-c", code], input=call, capture_output=True, timeout=60, check=True)
    assert done.stdout == call
    return {name.partition(".")[0] for name in done.stderr.decode().splitlines()[-1].split()}


def test_the_wrapper_loads_nothing_heavy() -> None:
    heavy = {
        "typer",
        "click",
        "rich",
        "duckdb",
        "_duckdb",
        "deltalake",
        "pyarrow",
        "polars",
        "yaml",
        "opentelemetry",
        "grpc",
    }
    heavy |= {"asyncio", "subprocess", "difflib", "mcp", "logging"}
    assert _modules_of_the_wrapper() & heavy == set()


@pytest.mark.parametrize("argv", [["report", "--p95"], ["report", "loops"], ["report"]])
def test_a_report_loads_duckdb_and_nothing_else_that_is_heavy(argv: list[str], home: Path) -> None:
    lake = home / "lake"
    call = (
        b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"t"}}\n{"jsonrpc":"2.0","id":1,"result":{}}\n'
    )
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), "--", "cat"]
    subprocess.run(wrapper, input=call, capture_output=True, timeout=60, check=True)
    loaded = _modules([*argv, "--lake", str(lake)])
    assert "_duckdb" in loaded
    heavy = {"typer", "click", "rich", "duckdb", "deltalake", "pyarrow", "polars", "pandas", "opentelemetry", "grpc"}
    assert loaded & (heavy | {"asyncio", "yaml"}) == set()


def test_a_query_loads_the_engine_in_its_own_process_only(home: Path) -> None:
    lake = home / "lake"
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), "--", "cat"]
    subprocess.run(wrapper, input=b'{"jsonrpc":"2.0","id":1,"method":"ping"}\n', timeout=60, check=True)
    loaded = _modules(["query", "select count(*) as n from spans", "--lake", str(lake)])
    heavy = {"typer", "click", "rich", "duckdb", "_duckdb", "deltalake", "pyarrow", "polars", "opentelemetry", "grpc"}
    assert loaded & (heavy | {"asyncio", "yaml", "subprocess", "pickle"}) == set()
