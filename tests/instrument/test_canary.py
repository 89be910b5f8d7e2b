"""A secret in every place of a request, and the live session id: the in-process front records and exports neither."""

from __future__ import annotations

import http.client
import json
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.server.mcpserver.exceptions import ToolError
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import mcpobs
from mcpobs.protocol.naming import session_digest
from tests.instrument.recorded import calls_of, rows_of
from tests.instrument.serving import served
from tests.instrument.shop import new_shop
from tests.proxy.test_canary import CANARY, HEADERS, KNOWN, LEGACY, TEXT, call, recording


def post(url: str, frame: dict[str, Any], **headers: str) -> http.client.HTTPResponse:
    place = urlsplit(url)
    accept = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
    with closing(http.client.HTTPConnection(place.hostname or "", place.port, timeout=30)) as client:
        client.request("POST", f"/mcp?key={CANARY}", json.dumps(frame), accept | headers)
        response = client.getresponse()
        response.read()
        return response


@pytest.mark.parametrize("errors", ["off", "masked"])
def test_of_a_server_in_this_process(home: Path, exported: InMemorySpanExporter, errors: str) -> None:
    recording(errors)
    lake = home / "lake"
    mcpobs.instrument(lake=lake, name="shop")
    try:
        _play(lake, exported)
    finally:
        mcpobs.uninstrument()
    found = {row["tool"]: row.get("error_message") for row in calls_of(lake)}
    assert found["quote"] == (f"Error executing tool quote: {TEXT}" if errors == "masked" else None)


def _play(lake: Path, exported: InMemorySpanExporter) -> None:
    sent = {name: value for name, value in HEADERS.items() if name not in ("Mcp-Session-Id", "Origin")}
    shop = new_shop()

    @shop.tool()
    async def quote(q: str) -> str:
        raise ToolError(q)

    with served(shop.streamable_http_app()) as url:
        begun = post(url, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": LEGACY}, **sent)
        session = begun.headers["Mcp-Session-Id"]
        sent["Mcp-Session-Id"] = session
        for id_, tool in enumerate(("add", "fail", "unheard of", "quote"), 1):
            post(url, call(id_, tool), **sent)
        read = {"uri": f"shop://{CANARY}?{CANARY}"}
        post(url, {"jsonrpc": "2.0", "id": 7, "method": "resources/read", "params": read}, **sent)

    assert {row["session_id"] for row in calls_of(lake)} == {session_digest(session)}
    spans = [span.to_json() for span in exported.get_finished_spans() if span.instrumentation_scope.name == "mcpobs"]
    assert len(spans) == len(rows_of(lake)) >= 5
    assert any(session_digest(session) in span for span in spans)
    for secret in (CANARY, session, *KNOWN):
        assert secret not in str(rows_of(lake))
        assert secret not in str(spans)


@pytest.mark.anyio
async def test_the_session_of_an_sse_endpoint_is_a_digest(lake: Path, exported: InMemorySpanExporter) -> None:
    named: list[str] = []
    with served(new_shop().sse_app()) as url:
        async with Client(sse_client(f"{url}/sse", on_session_created=named.append)) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
    (session,) = named
    assert {row["session_id"] for row in calls_of(lake)} == {session_digest(session)}
    assert session not in str(rows_of(lake))
    assert session not in str([span.to_json() for span in exported.get_finished_spans()])
