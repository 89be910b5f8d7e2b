"""`mcpobs serve` as the client of the Python SDK sees it, in both eras, and as mcpobs itself records it."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.shared.exceptions import MCPError

from mcpobs.lake.reader import open_reading
from mcpobs.queries import catalog
from tests.serve.test_pool import FOREVER

CALLS: dict[str, dict[str, Any]] = {
    "overview": {},
    "report": {"name": "failures", "limit": 2},
    "session_timeline": {"session": "looping"},
    "explain": {"name": "looping"},
    "sql": {"query": "select tool, count(*) as n from tool_calls group by tool order by tool"},
    "columns": {},
}


def _server(*words: str) -> Any:
    return stdio_client(StdioServerParameters(command=sys.executable, args=["-m", "mcpobs", *words]))


@pytest.mark.parametrize(("mode", "version"), [("legacy", "2025-11-25"), ("auto", "2026-07-28")])
def test_a_client_lists_and_calls_every_tool(mode: str, version: str, lake: Path) -> None:
    async def talk() -> None:
        async with Client(_server("serve", "--lake", str(lake)), mode=mode) as client:
            assert client.protocol_version == version
            assert client.server_info is not None
            assert client.server_info.name == "mcpobs"
            listed = await client.list_tools()
            assert [tool.name for tool in listed.tools] == list(CALLS)
            for tool in listed.tools:
                assert tool.annotations is not None
                assert tool.annotations.read_only_hint is True
                assert tool.annotations.open_world_hint is False
                # The client holds structured content against the tool's outputSchema.
                result = await client.call_tool(tool.name, CALLS[tool.name])
                assert result.is_error is False
                assert json.loads(result.content[0].text) == result.structured_content  # type: ignore[union-attr]

    asyncio.run(talk())


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_client_gets_an_error_that_names_the_fault(mode: str, lake: Path) -> None:
    async def talk() -> None:
        async with Client(_server("serve", "--lake", str(lake)), mode=mode) as client:
            for name, arguments, message in (
                ("report", {"name": "lop"}, "did you mean loops?"),
                ("sql", {"query": "select * from read_text('/etc/passwd')"}, "is not allowed"),
                ("sql", {"query": FOREVER, "timeout_s": 1}, "took longer than 1 seconds"),
            ):
                result = await client.call_tool(name, arguments)
                assert result.is_error is True
                assert message in result.content[0].text  # type: ignore[union-attr]
            with pytest.raises(MCPError, match="did you mean report"):
                await client.call_tool("reprot", {})

    asyncio.run(talk())


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_a_client_that_gives_a_call_up_can_go_on(mode: str, lake: Path) -> None:
    async def talk() -> None:
        async with Client(_server("serve", "--lake", str(lake)), mode=mode) as client:
            with pytest.raises(MCPError):
                await client.call_tool("sql", {"query": FOREVER, "timeout_s": 30}, read_timeout_seconds=1)
            result = await client.call_tool("sql", {"query": "select 1 as one"})
            assert result.structured_content is not None
            assert result.structured_content["rows"] == [{"one": 1}]

    asyncio.run(talk())


@pytest.mark.parametrize("mode", ["legacy", "auto"])
def test_the_wrapper_records_calls_of_mcpobs_serve_like_any_server(mode: str, lake: Path, tmp_path: Path) -> None:
    own = tmp_path / "own"
    wrapped = ("instrument", "--lake", str(own), "--name", "mcpobs", "--", sys.executable, "-m", "mcpobs", "serve")

    async def talk() -> None:
        async with Client(_server(*wrapped, "--lake", str(lake)), mode=mode) as client:
            await client.call_tool("overview", {})
            await client.call_tool("report", {"name": "nonsense"})

    asyncio.run(talk())
    with open_reading(own) as reading:
        for view in catalog.views_below(("tool_calls",)):
            reading.connection.execute(f"create temp view {view.name} as {view.sql}")
        rows = reading.connection.execute(
            "select service_name, server_name, tool, outcome, session_source from tool_calls order by start_unix_nano"
        ).fetchall()
    assert rows == [
        ("mcpobs", "mcpobs", "overview", "ok", "stdio_process"),
        ("mcpobs", "mcpobs", "report", "tool_error", "stdio_process"),
    ]
