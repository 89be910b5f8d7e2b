"""What is recorded of the calls that a process serves, in both eras of the protocol."""

from __future__ import annotations

import inspect
from pathlib import Path

import anyio
import pytest
from mcp import Client
from mcp.server.lowlevel import Server
from mcp.shared.exceptions import MCPError
from mcp_types import CallToolResult, InputRequiredResult, TextContent

from tests.instrument.recorded import calls_of, rows_of
from tests.instrument.shop import new_shop

LOOKS_UP_SCHEMAS = "get_tool_input_schema" in inspect.signature(Server).parameters
"""Before, keys are hashed until a client lists the tools: mcp 2.0."""
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])


async def _cancelled(client: Client) -> None:
    with anyio.move_on_after(0.05):
        await client.call_tool("slow", {})


@ERAS
@pytest.mark.anyio
async def test_each_call_is_recorded_once_with_its_outcome(lake: Path, mode: str) -> None:
    async with Client(new_shop(), mode=mode) as client:
        await client.call_tool("add", {"a": 1, "b": 2})
        await client.call_tool("fail", {})
        await client.call_tool("add", {"a": "no number", "b": 2})
        await _cancelled(client)
        with pytest.raises(MCPError):
            await client.read_resource("shop://bad")
        await client.get_prompt("greet", {"name": "x"})
    asked = [row for row in rows_of(lake) if row["method"] in ("tools/call", "resources/read", "prompts/get")]
    assert [(row["method"], row.get("tool"), row["outcome"]) for row in asked] == [
        ("tools/call", "add", "ok"),
        ("tools/call", "fail", "tool_error"),
        ("tools/call", "add", "tool_error"),
        ("tools/call", "slow", "cancelled"),
        ("resources/read", None, "server_error"),
        ("prompts/get", None, "ok"),
    ]
    assert [row["sequence"] for row in rows_of(lake)] == sorted(row["sequence"] for row in rows_of(lake))


@ERAS
@pytest.mark.anyio
async def test_a_call_says_who_served_it_whom_and_how(lake: Path, mode: str) -> None:
    async with Client(new_shop(), mode=mode) as client:
        if not LOOKS_UP_SCHEMAS:
            await client.list_tools()
        await client.call_tool("add", {"a": 1, "b": 2})
    (call,) = calls_of(lake)
    assert (call["front"], call["transport"], call["kind"]) == ("in_process", "stdio", "server")
    assert (call["service_name"], call["server_name"], call["server_version"]) == ("shop", "shop", "1.0")
    assert call["client_name"] == "mcp"
    assert call["protocol_version"] == ("2025-11-25" if mode == "legacy" else "2026-07-28")
    assert call["session_source"] == "stdio_process"
    assert call["session_confidence"] == ("high" if mode == "legacy" else "medium")
    assert call["args_shape"] == "{a:integer,b:integer}"
    assert call["result_bytes"] > 0


@ERAS
@pytest.mark.anyio
async def test_a_conversation_that_the_caller_names_is_the_session(lake: Path, mode: str) -> None:
    async with Client(new_shop(), mode=mode) as client:
        await client.call_tool("add", {"a": 1, "b": 2}, meta={"gen_ai.conversation.id": "talk-1"})
    (call,) = calls_of(lake)
    assert (call["session_id"], call["session_source"]) == ("talk-1", "conversation")
    assert call["enforcement_key"].startswith("process:")


@ERAS
@pytest.mark.anyio
async def test_nothing_that_a_call_carried_is_recorded(lake: Path, mode: str) -> None:
    async with Client(new_shop(), mode=mode) as client:
        await client.call_tool("add", {"a": "no number", "b": 2, "hunter2": "a secret argument"})
        await client.call_tool("fail", {})
        with pytest.raises(MCPError):
            await client.read_resource("shop://bad")
    everything = str(rows_of(lake))
    assert "secret" not in everything
    assert "hunter2" not in everything


@pytest.mark.anyio
async def test_a_caller_s_fault_is_no_failure_of_the_server(lake: Path) -> None:
    async with Client(Server("bare"), mode="legacy") as client:
        with pytest.raises(MCPError):
            await client.call_tool("anything", {})
    (call,) = calls_of(lake)
    assert (call["outcome"], call["status_code"]) == ("protocol_error", "-32601")
    assert "error_type" not in call


@pytest.mark.anyio
async def test_a_call_that_asks_back_is_neither_success_nor_failure(lake: Path) -> None:
    async def ask_back(ctx: object, params: object) -> InputRequiredResult:
        return InputRequiredResult(input_requests={}, request_state="state")

    async with Client(Server("asking", on_call_tool=ask_back), mode="auto") as client:
        with pytest.raises(Exception):  # noqa: B017  # how the client takes it is not ours
            await client.call_tool("anything", {})
    assert {call["outcome"] for call in calls_of(lake)} == {"input_required"}


@pytest.mark.anyio
async def test_an_exception_reaches_the_sdk_as_it_was_raised(lake: Path) -> None:
    raised = LookupError("a secret")
    seen: list[BaseException] = []

    async def broken(ctx: object, params: object) -> CallToolResult:
        raise raised

    async def outside(ctx: object, call_next) -> object:
        try:
            return await call_next(ctx)
        except LookupError as error:
            seen.append(error)
            raise

    server = Server("broken", on_call_tool=broken)
    server.middleware.insert(0, outside)
    async with Client(server, mode="legacy") as client:
        with pytest.raises(MCPError):
            await client.call_tool("anything", {})
    assert seen == [raised]
    (call,) = calls_of(lake)
    assert (call["outcome"], call["error_type"]) == ("server_error", "LookupError")


@pytest.mark.anyio
async def test_a_server_that_was_there_before_is_watched_too(home: Path) -> None:
    import mcpobs

    shop = new_shop()
    mcpobs.instrument(lake=home / "lake")
    try:
        async with Client(shop) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
    finally:
        mcpobs.uninstrument()
    assert len(calls_of(home / "lake")) == 1


@pytest.mark.anyio
async def test_a_lake_that_cannot_be_written_costs_no_call(home: Path, capfd: pytest.CaptureFixture[str]) -> None:
    import mcpobs

    (home / "lake").write_text("a file, not a folder")
    mcpobs.instrument(lake=home / "lake")
    try:
        async with Client(new_shop()) as client:
            result = await client.call_tool("add", {"a": 1, "b": 2})
    finally:
        mcpobs.uninstrument()
    assert isinstance(result.content[0], TextContent)
    assert "nothing is recorded" in capfd.readouterr().err
