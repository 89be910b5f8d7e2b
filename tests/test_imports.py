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


_BEFORE_THE_SERVER = """
import os, sys
from mcpobs.proxy import child
child.start = lambda command: (print(*sorted(sys.modules), file=sys.stderr, flush=True), os._exit(0))
sys.argv = ["mcpobs", "instrument", *{options!r}, "--", "cat"]
from mcpobs.__main__ import main
main()
"""
_MAY_LOAD = {
    "mcpobs",
    "mcpobs.__main__",
    "mcpobs.cli",
    "mcpobs.cli.fastpath",
    "mcpobs.errors",
    "mcpobs.folders",
    "mcpobs.inherited",
    "mcpobs.proxy",
    "mcpobs.proxy.child",
    "mcpobs.proxy.relay",
    "mcpobs.proxy.stdio",
    "mcpobs.stderr",
    "mcpobs.terminal",
}


def _loaded_before_the_server(*options: str) -> set[str]:
    code = _BEFORE_THE_SERVER.format(options=list(options))
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    return set(done.stderr.splitlines()[-1].split())


@pytest.mark.parametrize("config", [None, "", '[prices]\ntool = "0.01"\n', "[sessions]\nidle_gap_s = 60\n"])
def test_without_a_policy_the_server_starts_before_anything_is_loaded(config: str | None, home: Path) -> None:
    folder = home / "config"
    folder.mkdir()
    if config is not None:
        (folder / "config.toml").write_text(config)
    loaded = _loaded_before_the_server("--config", str(folder), "--lake", str(home / "lake"), "--name", "shop")
    assert {name for name in loaded if name.partition(".")[0] == "mcpobs"} - _MAY_LOAD == set()
    assert loaded & {"dataclasses", "inspect", "orjson", "tomllib", "sqlite3", "decimal", "json"} == set()


def test_with_texts_of_failures_the_recognisers_are_loaded_at_the_first_failure(home: Path) -> None:
    script = """
import sys
from mcpobs.protocol.facts import Facts
facts = Facts(b"key", None, "masked")
facts.failed_result(None)
assert not [name for name in sys.modules if name.startswith(("mcpobs.detect", "re2"))]
assert facts.failed_request({"code": 1, "message": "no"}) == "no"
assert "mcpobs.detect.personal" in sys.modules
assert not {"duckdb", "pyarrow", "polars", "rich", "typer"} & set(sys.modules)
"""
    subprocess.run([sys.executable, "-c", script], timeout=60, check=True)


@pytest.mark.parametrize("by_config", [False, True])
def test_with_a_policy_the_server_starts_after_it_is_read(by_config: bool, home: Path) -> None:
    folder = home / "config"
    folder.mkdir()
    policy = folder / "policy.yaml"
    policy.write_text("version: 1\ndefault: allow\n")
    if by_config:
        (folder / "config.toml").write_text('[policy]\nfiles = ["policy.yaml"]\n')
    named = () if by_config else ("--policy", str(policy))
    loaded = _loaded_before_the_server("--config", str(folder), *named)
    assert "mcpobs.policy.engine" in loaded
    assert not [name for name in loaded if name.startswith(("mcpobs.detect", "mcpobs.policy.inspect", "re2"))]


@pytest.mark.parametrize("by_config", [False, True])
def test_with_a_broken_policy_the_server_does_not_start(by_config: bool, home: Path) -> None:
    folder = home / "config"
    folder.mkdir()
    (folder / "policy.yaml").write_text("version: 1\nrules: 5\n")
    if by_config:
        (folder / "config.toml").write_text('[policy]\nfiles = ["policy.yaml"]\n')
    named = [] if by_config else ["--policy", str(folder / "policy.yaml")]
    started = home / "started"
    command = [sys.executable, "-m", "mcpobs", "instrument", "--config", str(folder), *named, "--", "touch"]
    done = subprocess.run([*command, str(started)], capture_output=True, timeout=60, check=False)
    assert done.returncode == 2
    assert not started.exists()


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
