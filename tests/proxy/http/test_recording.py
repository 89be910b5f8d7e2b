"""What the HTTP front records: every call once, however it ends, and the request that carried it."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from mcpobs.protocol.naming import session_digest
from mcpobs.settings import Config, ErrorTexts, RecordConfig
from tests.proxy.http.world import MODERN, Handler, World, call, event, result, world

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
OTHER_TRACE = "00-1bf7651916cd43dd8448eb211c80319c-c7ad6b7169203331-00"


async def _post(w: World, message: object, path: str = "/mcp", **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    async with w.client.post(w.url + path, json=message, headers=names) as response:
        body = await response.read()
        await response.release()
        return response.status, body


def _answers(*, status: int = 200, body: object = None, headers: dict[str, str] | None = None) -> Handler:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        message = json.loads(await request.read())
        answer = body if body is not None else result(message["id"])
        return web.json_response(answer, status=status, headers=headers)

    return server


def test_calls_of_clients_that_count_alike_are_not_mixed_up(tmp_path: Path) -> None:
    waiting: dict[str, asyncio.Event] = {"slow": asyncio.Event(), "fast": asyncio.Event()}

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        tool = json.loads(await request.read())["params"]["name"]
        await waiting[tool].wait()
        return web.json_response(result() if tool == "fast" else {**result(), "result": {"isError": True}})

    async def run() -> None:
        async with world(tmp_path, server) as w:
            slow = asyncio.create_task(_post(w, call("slow", request_id=1)))
            await asyncio.sleep(0.05)
            fast = asyncio.create_task(_post(w, call("fast", request_id=1)))
            await asyncio.sleep(0.05)
            waiting["fast"].set()
            await fast
            waiting["slow"].set()
            await slow
            assert [(row["tool"], row["outcome"]) for row in w.operations()] == [("fast", "ok"), ("slow", "tool_error")]

    asyncio.run(run())


def test_a_session_is_the_one_that_the_server_gave_out(tmp_path: Path) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "DELETE":
            return web.Response(status=200)
        message = json.loads(await request.read())
        headers = {"Mcp-Session-Id": "s-1"} if message["method"] == "initialize" else {}
        if "id" not in message:
            return web.Response(status=202)
        answer = {"protocolVersion": "2025-11-25", "serverInfo": {"name": "shop", "version": "3"}}
        return web.json_response({"jsonrpc": "2.0", "id": message["id"], "result": answer}, headers=headers)

    async def run() -> None:
        async with world(tmp_path, server) as w:
            info = {"clientInfo": {"name": "c", "version": "2"}, "protocolVersion": "2025-11-25"}
            await _post(w, {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": info})
            await _post(w, {"jsonrpc": "2.0", "method": "notifications/initialized"}, Mcp_Session_Id="s-1")
            await _post(w, call("search", modern=False), Mcp_Session_Id="s-1")
            await _post(w, call("search", modern=False), Mcp_Session_Id="made-up")
            async with w.client.delete(w.url + "/mcp", headers={"Mcp-Session-Id": "s-1"}):
                pass
            rows = w.operations()
            assert [row["session_id"] for row in rows] == [*[session_digest("s-1")] * 3, session_digest("made-up")]
            assert {row["session_source"] for row in rows} == {"protocol_session"}
            assert [row["session_confidence"] for row in rows[1:]] == ["high", "high", "medium"]
            assert [row["enforcement_key"] for row in rows[1:]] == [
                f"connection:127.0.0.1/{session_digest('s-1')}",
                f"connection:127.0.0.1/{session_digest('s-1')}",
                "connection:127.0.0.1",  # an id that the server did not give out is the caller's own choice
            ]
            assert [row.get("client_name") for row in rows] == ["c", "c", "c", None]
            assert json.loads(rows[2]["attributes"])["mcp.session.id"] == session_digest("s-1")
            assert rows[2]["protocol_version"] == "2025-11-25"
            assert not w.front._context.conversations._by_session.get(session_digest("s-1"))  # it was ended

    asyncio.run(run())


def test_a_session_id_means_nothing_since_2026(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, _answers()) as w:
            for session in ("a", "b"):
                await _post(w, call("search"), Mcp_Session_Id=session, MCP_Protocol_Version=MODERN)
            first, second = w.operations()
            assert first["session_id"] == second["session_id"] not in ("a", "b")
            assert first["session_source"] == "connection"

    asyncio.run(run())


@pytest.mark.parametrize("absolute", [False, True])
def test_over_sse_the_answer_comes_on_the_stream_that_named_the_endpoint(tmp_path: Path, absolute: bool) -> None:
    posted: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "POST":
            posted.put_nowait(json.loads(await request.read()))
            return web.Response(status=202, text="Accepted")
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        origin = f"http://{request.headers['Host']}" if absolute else ""
        await response.write(f"event: endpoint\r\ndata: {origin}/messages/?session_id=abc\r\n\r\n".encode())
        while True:
            message = await posted.get()
            if message["method"] == "tools/call":
                await response.write(event(result(message["id"])))

    async def run() -> None:
        async with world(tmp_path, server) as w:
            async with w.client.get(w.url + "/sse") as stream:
                named = (await stream.content.readuntil(b"\r\n\r\n")).decode()
                place = named.split("data: ")[1].strip()
                assert place == (w.url if absolute else "") + "/messages/?session_id=abc"
                await _post(w, call("search", modern=False), "/messages/?session_id=abc")
                assert b"found" in await stream.content.readuntil(b"\n\n")
                await _post(w, {"jsonrpc": "2.0", "id": 9, "method": "ping"}, "/messages/?session_id=abc")
            await w.until(lambda: len(w.operations()) == 2)
            done, left = w.operations()
            assert done["session_id"] == session_digest("abc")
            assert (done["session_source"], done["transport"]) == ("sse_endpoint", "sse")
            assert done["outcome"] == "ok"
            assert (left["outcome"], left["error_type"]) == ("unfinished", "client_disconnect")

    asyncio.run(run())


@pytest.mark.parametrize("streamed", [False, True])
def test_a_server_that_dies_in_the_middle_of_its_answer(tmp_path: Path, streamed: bool) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        kind = "text/event-stream" if streamed else "application/json"
        response = web.StreamResponse(headers={"Content-Type": kind})
        response.enable_chunked_encoding()
        await response.prepare(request)
        await response.write(b'data: {"jsonrpc"')
        assert request.transport is not None
        request.transport.abort()
        return response

    async def run() -> None:
        async with world(tmp_path, server) as w:
            with pytest.raises(Exception, match=r"payload|disconnected|closed|reset"):
                await _post(w, call("search"))
            await w.until(lambda: len(w.rows()) == 2)
            (operation,) = w.operations()
            assert (operation["outcome"], operation["error_type"]) == ("unfinished", "server_exit")
            (http,) = w.requests()
            assert (http["mcpobs.http.ended"], http["error_type"]) == ("server_disconnect", "server_disconnect")
            assert w.warnings == []

    asyncio.run(run())


def test_what_another_stream_can_still_answer_is_not_given_up(tmp_path: Path) -> None:
    """A legacy stream with event ids may be resumed: the answer comes on another one."""

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        if request.method == "GET":
            assert request.headers["Last-Event-ID"] == "e-1"
            await response.write(event(result(), "e-2"))
        else:
            await response.write(b"id: e-1\ndata: \n\n")
        return response

    async def run() -> None:
        async with world(tmp_path, server) as w:
            await _post(w, call("search", modern=False), Mcp_Session_Id="s")
            assert w.operations() == []
            headers = {"Mcp-Session-Id": "s", "Last-Event-ID": "e-1"}
            async with w.client.get(w.url + "/mcp", headers=headers) as response:
                assert b"found" in await response.read()
            assert [row["outcome"] for row in w.operations()] == ["ok"]

    asyncio.run(run())


def test_what_a_resumed_stream_brings_again_is_recorded_once(tmp_path: Path) -> None:
    asked = {"jsonrpc": "2.0", "id": 7, "method": "sampling/createMessage", "params": {}}
    progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}
    again = [event(progress, "e-1"), event(asked, "e-2")]

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        if await request.read() and "result" in await request.json():
            return web.Response(status=202)
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        for sent in again:
            await response.write(sent)
        if request.method == "GET":
            await response.write(event(progress, "e-3"))  # the same once more, but another event
            await response.write(event(result(), "e-4"))
        return response

    async def run() -> None:
        async with world(tmp_path, server) as w:
            await _post(w, call("search", modern=False), Mcp_Session_Id="s")
            await _post(w, {"jsonrpc": "2.0", "id": 7, "result": {}}, Mcp_Session_Id="s")
            headers = {"Mcp-Session-Id": "s", "Last-Event-ID": "e-0"}
            async with w.client.get(w.url + "/mcp", headers=headers) as response:
                assert (await response.read()).startswith(b"".join(again))
            counted = Counter((row["method"], row["outcome"]) for row in w.operations())
            assert counted == {
                ("notifications/progress", "ok"): 2,
                ("sampling/createMessage", "ok"): 1,
                ("tools/call", "ok"): 1,
            }

    asyncio.run(run())


@pytest.mark.parametrize(("modern", "outcome"), [(True, "cancelled"), (False, "unfinished")])
def test_a_client_that_closes_its_stream(tmp_path: Path, modern: bool, outcome: str) -> None:
    """Since 2026-07-28 that is how a call is cancelled. The server learns of it."""
    left = asyncio.Event()

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
        await response.prepare(request)
        await response.write(b": hello\n\n")
        try:
            await asyncio.sleep(60)
        finally:
            left.set()
        return response

    async def run() -> None:
        async with world(tmp_path, server) as w:
            async with w.client.post(w.url + "/mcp", json=call("search", modern=modern)) as response:
                await response.content.readuntil(b"\n\n")
            await asyncio.wait_for(left.wait(), 5)
            await w.until(lambda: len(w.rows()) == 2)
            (operation,) = w.operations()
            assert operation["outcome"] == outcome
            (http,) = w.requests()
            assert http["mcpobs.http.ended"] == "client_disconnect"

    asyncio.run(run())


@pytest.mark.parametrize(
    ("handler", "text"),
    [
        ({"body": {"id": 1, "error": {"code": -32603, "message": "no ada@mail.calc.org\nmore"}}}, "no [email]"),
        ({"status": 503, "body": {"id": None, "error": {"code": -32000, "message": "busy"}}}, "busy"),
        ({"status": 500, "body": "a page of ada@mail.calc.org"}, "HTTP 500"),
        ({"status": 401, "body": {"error": "invalid_token"}}, "HTTP 401"),
        ({"body": {"id": 1, "result": {"isError": True, "content": [{"type": "text", "text": "gone"}]}}}, "gone"),
        ({"body": {"id": 1, "result": {"content": [{"type": "text", "text": "found"}]}}}, None),
    ],
)
def test_the_text_of_a_failure_is_recorded_if_the_configuration_asks_for_it(
    tmp_path: Path, handler: dict[str, Any], text: str | None
) -> None:
    if isinstance(handler["body"], dict):
        handler = handler | {"body": {"jsonrpc": "2.0", **handler["body"]}}

    async def recorded(errors: ErrorTexts, folder: Path) -> Any:
        config = Config(record=RecordConfig(errors))
        async with world(folder, _answers(**handler), config=config) as w:
            await _post(w, call("search"))
            (operation,) = w.operations()
            return operation.get("error_message")

    assert asyncio.run(recorded("masked", tmp_path / "masked")) == text
    assert asyncio.run(recorded("off", tmp_path / "off")) is None


def test_a_server_that_is_not_there(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, _answers(), upstream="http://127.0.0.1:9") as w:
            status, body = await _post(w, call("search", request_id=7))
            assert status == 502
            assert json.loads(body)["error"]["message"].startswith("mcpobs: the server does not answer")
            (operation,) = w.operations()
            assert (operation["outcome"], operation["error_type"]) == ("server_error", "unreachable")
            (http,) = w.requests()
            assert (http["http_status"], http["mcpobs.http.ended"]) == (502, "unreachable")

    asyncio.run(run())


@pytest.mark.parametrize(
    ("status", "body", "outcome", "code", "rejection"),
    [
        (400, {"id": None, "error": {"code": -32020, "message": "x"}}, "protocol_error", "-32020", "header_mismatch"),
        (400, {"id": 1, "error": {"code": -32022, "message": "x"}}, "protocol_error", "-32022", "unsupported_version"),
        (400, {"id": None, "error": {"code": -32600, "message": "x"}}, "protocol_error", "-32600", "invalid_request"),
        (404, {"id": 1, "error": {"code": -32001, "message": "x"}}, "protocol_error", "-32001", "not_found"),
        (400, {"id": None, "error": {"code": -32000, "message": "x"}}, "protocol_error", "-32000", "bad_request"),
        (503, {"id": None, "error": {"code": -32000, "message": "x"}}, "server_error", "-32000", None),
        (401, {"error": "invalid_token"}, "protocol_error", None, "unauthorized"),
        (406, "no", "protocol_error", None, "not_acceptable"),
        (500, "broken", "server_error", None, None),
        (200, {"id": 1, "error": {"code": -32603, "message": "x"}}, "server_error", "-32603", None),
    ],
)
def test_a_refused_request_is_recorded_with_its_reason(
    tmp_path: Path, status: int, body: object, outcome: str, code: str | None, rejection: str | None
) -> None:
    answer = {"jsonrpc": "2.0", **body} if isinstance(body, dict) else body

    async def run() -> None:
        async with world(tmp_path, _answers(status=status, body=answer)) as w:
            assert (await _post(w, call("search")))[0] == status
            (operation,) = w.operations()
            assert (operation["outcome"], operation.get("status_code")) == (outcome, code)
            assert operation["http_status"] == status
            (http,) = w.requests()
            assert http.get("mcpobs.http.rejection") == rejection

    asyncio.run(run())


def test_the_operation_is_beneath_the_request_or_linked_to_it(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, _answers()) as w:
            await _post(w, call("bare"))
            await _post(w, call("header"), traceparent=TRACE)
            await _post(w, call("both", traceparent=OTHER_TRACE), traceparent=TRACE)
            bare, header, both = w.operations()
            spans = w.requests()
            assert (bare["trace_id"], bare["parent_span_id"]) == (spans[0]["trace_id"], spans[0]["span_id"])
            assert header["trace_id"] == spans[1]["trace_id"] == TRACE[3:35]
            assert header["parent_span_id"] == spans[1]["span_id"]
            assert spans[1]["parent_span_id"] == TRACE[36:52]
            assert (both["trace_id"], both["parent_span_id"]) == (OTHER_TRACE[3:35], OTHER_TRACE[36:52])
            assert json.loads(both["links"]) == [{"trace_id": spans[2]["trace_id"], "span_id": spans[2]["span_id"]}]
            assert both["trace_flags"] == 0  # the caller does not sample; it is recorded all the same

    asyncio.run(run())


def test_with_propagation_the_server_sees_our_span_as_the_parent(tmp_path: Path) -> None:
    got: list[dict[str, Any]] = []

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        got.append(json.loads(await request.read()))
        return web.json_response(result())

    async def run() -> None:
        async with world(tmp_path, server, propagate=True) as w:
            await _post(w, call("bare"))
            await _post(w, call("own", traceparent=TRACE))
            for row, message in zip(w.operations(), got, strict=True):
                assert message["params"]["_meta"]["traceparent"][3:52] == f"{row['trace_id']}-{row['span_id']}"
            assert w.operations()[1]["parent_span_id"] == TRACE[36:52]
            assert w.operations()[0]["parent_span_id"] == w.requests()[0]["span_id"]

    asyncio.run(run())


def test_chosen_headers_are_recorded_and_no_others(tmp_path: Path) -> None:
    async def run() -> None:
        async with world(tmp_path, _answers()) as w:
            await _post(
                w,
                call("search"),
                User_Agent="agent/1",
                Mcp_Method="tools/call",
                X_Forwarded_For="10.0.0.9",
                Authorization="Bearer secret",
                Cookie="secret",
                X_Api_Key="secret",
            )
            (operation,) = w.operations()
            assert operation["user_agent"] == "agent/1"
            assert json.loads(operation["http_headers"]) == {"mcp-method": "tools/call", "x-forwarded-for": "10.0.0.9"}
            assert "secret" not in json.dumps(w.rows())
            assert operation["http_first_byte_ns"] > 0
            assert operation["http_connect_ns"] > 0
            await _post(w, call("search"))
            assert "http_connect_ns" not in w.operations()[1]  # the connection was there

    asyncio.run(run())


def test_an_exchange_that_cannot_be_observed_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from mcpobs.proxy.http import exchange

    def breaks(*_: object) -> None:
        raise RuntimeError("content")

    async def run() -> None:
        async with world(tmp_path, _answers()) as w:
            monkeypatch.setattr(exchange.Exchange, "chunk", breaks)
            status, body = await _post(w, call("search"))
            assert (status, json.loads(body)) == (200, result())
            await _post(w, call("search"))
            assert len(w.warnings) == 1
            assert "RuntimeError" in w.warnings[0]
            assert "content" not in w.warnings[0]

    asyncio.run(run())
