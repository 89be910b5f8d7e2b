"""What is recorded of calls over HTTP: the transport, the session, and who called."""

from __future__ import annotations

from pathlib import Path

import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.server.auth.middleware.bearer_auth import AuthenticatedUser
from mcp.server.auth.provider import AccessToken
from mcp.server.lowlevel import Server
from mcp_types import CallToolResult, ListToolsResult, Tool

from tests.instrument.recorded import calls_of, rows_of
from tests.instrument.serving import as_user, served
from tests.instrument.shop import new_shop


@pytest.mark.anyio
async def test_a_legacy_session_is_the_one_that_the_server_minted(lake: Path) -> None:
    with served(new_shop().streamable_http_app()) as url:
        for _ in range(2):
            async with Client(f"{url}/mcp", mode="legacy") as client:
                await client.call_tool("add", {"a": 1, "b": 2})
                await client.call_tool("fail", {})
    calls = calls_of(lake)
    first, second = {row["session_id"] for row in calls[:2]}, {row["session_id"] for row in calls[2:]}
    assert len(first) == len(second) == 1
    assert first != second
    for row in calls:
        assert (row["transport"], row["session_source"], row["session_confidence"]) == (
            "http",
            "protocol_session",
            "high",
        )
        assert row["enforcement_key"] == f"connection:127.0.0.1/{row['session_id']}"
        assert "python" in row["user_agent"]
    assert {row["session_id"] for row in rows_of(lake) if row["method"] == "initialize"} == first | second


@pytest.mark.anyio
async def test_a_modern_caller_without_a_name_is_a_connection_with_an_idle_gap(lake: Path) -> None:
    with served(new_shop().streamable_http_app()) as url:
        async with Client(f"{url}/mcp") as client:
            await client.call_tool("add", {"a": 1, "b": 2})
            await client.call_tool("add", {"a": 1, "b": 2})
    calls = calls_of(lake)
    assert len(calls) == 2
    assert len({row["session_id"] for row in calls}) == 1
    assert {(row["session_source"], row["enforcement_key"]) for row in calls} == {
        ("connection", "connection:127.0.0.1")
    }


@pytest.mark.anyio
async def test_over_sse_the_endpoint_is_the_session(lake: Path) -> None:
    with served(new_shop().sse_app()) as url:
        async with Client(sse_client(f"{url}/sse")) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
            await client.call_tool("fail", {})
    calls = calls_of(lake)
    assert [(row["transport"], row["session_source"]) for row in calls] == [("sse", "sse_endpoint")] * 2
    assert len({row["session_id"] for row in calls}) == 1


@pytest.mark.anyio
async def test_a_verified_token_is_the_principal(lake: Path) -> None:
    token = AccessToken(token="a secret token", client_id="the-app", scopes=["orders:read"], subject="alice")
    app = as_user(new_shop().streamable_http_app(), AuthenticatedUser(token))
    with served(app) as url:
        async with Client(f"{url}/mcp") as client:
            await client.call_tool("add", {"a": 1, "b": 2})
    (call,) = calls_of(lake)
    assert (call["principal"], call["session_source"]) == ("alice", "principal")
    assert (call["enforcement_key"], call["enforcement_source"]) == ("principal:alice", "principal")
    assert "secret" not in str(rows_of(lake))


@pytest.mark.anyio
async def test_the_listing_that_a_server_asks_of_itself_is_not_recorded(lake: Path) -> None:
    listed: list[object] = []

    async def list_tools(ctx: object, params: object) -> ListToolsResult:
        listed.append(ctx)
        schema = {"type": "object", "properties": {"city": {"type": "string"}}}
        return ListToolsResult(tools=[Tool(name="weather", input_schema=schema)])

    async def call_tool(ctx: object, params: object) -> CallToolResult:
        return CallToolResult(content=[])

    server = Server("bare", on_list_tools=list_tools, on_call_tool=call_tool)
    with served(server.streamable_http_app()) as url:
        async with Client(f"{url}/mcp") as client:
            await client.list_tools()
            await client.call_tool("weather", {"city": "Oslo"})
    assert len(listed) == 2  # else there was nothing to leave out
    assert [row["method"] for row in rows_of(lake)].count("tools/list") == 1
    (call,) = calls_of(lake)
    assert call["args_shape"] == "{city:string}"
