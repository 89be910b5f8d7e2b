"""The ways in: the function, the entry point for opentelemetry-instrument, and what each of them loads."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import pytest
from mcp import Client

from tests.instrument.recorded import calls_of
from tests.instrument.shop import new_shop

PROJECT = Path(__file__).parents[2]


@pytest.mark.anyio
async def test_the_entry_point_names_an_instrumentor_that_records(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCPOBS_LAKE", str(home / "lake"))
    points = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["entry-points"]
    module, _, name = points["opentelemetry_instrumentor"]["mcpobs"].partition(":")
    instrumentor = getattr(import_module(module), name)()
    instrumentor.instrument(skip_dep_check=True)  # as opentelemetry's loader does
    try:
        async with Client(new_shop()) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
    finally:
        instrumentor.uninstrument()
    assert len(calls_of(home / "lake")) == 1


def _loaded(code: str) -> set[str]:
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print(*sys.modules)"], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    return set(done.stdout.split())


def test_importing_mcpobs_loads_nothing_of_it() -> None:
    assert {name for name in _loaded("import mcpobs") if name.startswith("mcpobs.")} == set()


def test_instrumenting_loads_no_sdk_and_nothing_heavy() -> None:
    loaded = {name.partition(".")[0] for name in _loaded("import mcpobs; mcpobs.instrument()")}
    assert "mcpobs" in loaded
    assert loaded & {"mcp", "fastmcp", "opentelemetry", "duckdb", "deltalake", "typer", "asyncio", "wrapt"} == set()


def test_a_name_that_mcpobs_has_not_is_an_attribute_error() -> None:
    import mcpobs

    with pytest.raises(AttributeError, match="no_such_name"):
        _ = mcpobs.no_such_name
