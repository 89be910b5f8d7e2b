"""A front with a judge: the same outcome as on stdio, over every transport, and nothing that was not decided passes."""

from __future__ import annotations

import asyncio
import gzip
import io
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, Literal

import aiohttp
import pytest
from aiohttp import web

from mcpobs.gate.decisions import DENIED_CODE
from mcpobs.gate.judge import OnError
from mcpobs.protocol.decode import MAX_BYTES
from tests.gate.connection import Connection
from tests.gate.judges import DENIED, ByName
from tests.proxy.http.world import World, call, event, result, world

Transport = Literal["json", "events", "session", "session events", "sse"]
TRANSPORTS: tuple[Transport, ...] = ("json", "events", "session", "session events", "sse")
TOOLS = (
    "echo", "deny", "answer", "rewrite", "throw", "hang", "later", "later_deny", "mask", "block", "end_throw",
    "end_hang", "end_later",
)  # fmt: skip
JSON = {"Content-Type": "application/json"}
EVENTS = {"Content-Type": "text/event-stream"}
SESSION = {"Mcp-Session-Id": "s"}


def _answer(message: dict[str, Any]) -> dict[str, Any]:
    """What the server answers: which tool it ran with which arguments."""
    return result(message["id"], json.dumps(message["params"]["arguments"]))


class Server:
    """Answers calls over one transport, and counts what reaches it."""

    def __init__(self, transport: Transport) -> None:
        self.transport = transport
        self.reached: list[dict[str, Any]] = []
        self.to_client: asyncio.Queue[dict[str, Any]] = asyncio.Queue()

    async def __call__(self, request: web.BaseRequest) -> web.StreamResponse:
        if request.method == "GET":
            return await self._stream(request)
        message = json.loads(await request.read())
        self.reached.append(message)
        if self.transport == "sse":
            if "method" in message:
                self.to_client.put_nowait(_answer(message))
            return web.Response(status=202, text="Accepted")
        if "id" not in message or "method" not in message:
            return web.Response(status=202)
        if "events" not in self.transport:
            return web.json_response(_answer(message))
        progress = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {"progressToken": 1, "progress": 1}}
        return web.Response(body=event(progress) + event(_answer(message)), headers=EVENTS)

    async def _stream(self, request: web.BaseRequest) -> web.StreamResponse:
        stream = web.StreamResponse(headers=EVENTS)
        await stream.prepare(request)
        if self.transport == "sse":
            await stream.write(b"event: endpoint\ndata: /messages?session_id=1\n\n")
        while True:
            await stream.write(event(await self.to_client.get()))

    @property
    def tools(self) -> list[str]:
        return [message["params"]["name"] for message in self.reached if message.get("method") == "tools/call"]


class Client:
    """Asks over one transport, and reads the answers where a client of it reads them."""

    def __init__(self, w: World, transport: Transport) -> None:
        self._w = w
        self._transport = transport
        self._events: AsyncIterator[dict[str, Any]] | None = None
        self.endpoint = "/mcp"

    @asynccontextmanager
    async def opened(self) -> AsyncIterator[Client]:
        if self._transport != "sse":
            yield self
            return
        async with self._w.client.get(self._w.url + "/sse", headers={"Accept": "text/event-stream"}) as stream:
            self._events = _messages(stream)
            self.endpoint = (await anext(self._events))["endpoint"]
            yield self

    async def ask(self, message: dict[str, Any]) -> dict[str, Any] | None:
        headers = SESSION if "session" in self._transport else {}
        async with self._w.client.post(self._w.url + self.endpoint, json=message, headers=headers) as response:
            if self._events is not None:
                assert response.status == 202
                return await asyncio.wait_for(anext(self._events), 10)
            assert response.status == 200
            if response.content_type == "application/json":
                return dict(await response.json())
            found = [one async for one in _messages(response) if "method" not in one]
            return found[-1] if found else None


async def _messages(response: aiohttp.ClientResponse) -> AsyncIterator[dict[str, Any]]:
    name = ""
    async for line in response.content:
        field, _, value = line.decode().strip().partition(": ")
        if field == "event":
            name = value
        elif field == "data":
            yield {"endpoint": value} if name == "endpoint" else json.loads(value)


def _row(row: dict[str, Any]) -> dict[str, Any]:
    names = ("outcome", "decision", "rule", "error_type", "status_code", "tool", "method")
    return {name: row.get(name) for name in names}


def _on_stdio(message: dict[str, Any], on_error: OnError) -> tuple[bool, object, list[dict[str, Any]]]:
    """Whether a call reaches the server, its answer, and its row on a connection without a transport."""
    seen = Connection(ByName(on_error))
    onward, answer = seen.client(message)
    if onward is not None:
        answer, _ = seen.server(_answer(json.loads(onward)))
    assert answer is not None
    return onward is not None, json.loads(answer), [_row(row) for row in seen.rows]


@pytest.mark.parametrize("on_error", ["deny", "allow"])
@pytest.mark.parametrize("transport", TRANSPORTS)
def test_each_decision_has_the_outcome_that_it_has_on_stdio(
    tmp_path: Path, transport: Transport, on_error: OnError
) -> None:
    async def run() -> None:
        server = Server(transport)
        async with world(tmp_path, server, judge=ByName(on_error)) as w, Client(w, transport).opened() as client:
            for number, tool in enumerate(TOOLS):
                message = call(tool, number, modern=transport in ("json", "events"))
                reaches, answer, rows = _on_stdio(message, on_error)
                before = len(server.reached)
                assert await client.ask(message) == answer, tool
                assert len(server.reached) - before == reaches, tool
                recorded = [_row(row) for row in w.operations() if row["method"] == "tools/call"]
                assert recorded[number:] == rows, tool
            assert "not on Fridays" not in json.dumps(w.rows())

    asyncio.run(run())


def test_a_denied_call_never_reaches_the_server(tmp_path: Path) -> None:
    async def run() -> None:
        server = Server("json")
        async with world(tmp_path, server, judge=ByName()) as w:
            for _ in range(20):
                async with w.client.post(w.url + "/mcp", json=call("deny", 7)) as response:
                    error = (await response.json())["error"]
                assert error == {"code": DENIED_CODE, "message": DENIED}
            assert server.reached == []
            assert [row["outcome"] for row in w.operations()] == ["denied"] * 20

    asyncio.run(run())


def test_others_are_answered_while_a_call_waits_for_its_judge(tmp_path: Path) -> None:
    async def run() -> None:
        server, judge = Server("json"), ByName()
        async with world(tmp_path, server, judge=judge) as w:
            client = Client(w, "json")
            held = asyncio.create_task(client.ask(call("held", 1)))
            await w.until(lambda: len(judge.waiting) == 1)
            for number in range(5):
                assert await client.ask(call("echo", number)) is not None
            assert server.tools == ["echo"] * 5
            judge.release()
            assert await held == _answer(call("held", 1))
            assert server.tools[5:] == ["held"]

    asyncio.run(run())


def test_a_client_that_leaves_while_its_call_is_held_never_calls_the_server(tmp_path: Path) -> None:
    async def run() -> None:
        server, judge = Server("json"), ByName()
        async with world(tmp_path, server, judge=judge) as w:
            held = asyncio.create_task(Client(w, "json").ask(call("held", 1)))
            await w.until(lambda: len(judge.waiting) == 1)
            held.cancel()
            await w.until(lambda: len(w.operations()) == 1)
            judge.release()
            assert await Client(w, "json").ask(call("echo", 2)) is not None
            assert server.tools == ["echo"]
            assert [(row["tool"], row["outcome"]) for row in w.operations()] == [("held", "cancelled"), ("echo", "ok")]

    asyncio.run(run())


# -- bodies that cannot be read in one way -------------------------------------------------------------------------

ODD = {
    "broken": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call"', -32700),
    "two values": (b'{"jsonrpc":"2.0","id":1,"method":"ping"}{"a":1}', -32700),
    "doubled": (b'{"jsonrpc":"2.0","id":1,"method":"ping","method":"tools/call"}', -32600),
    "doubled in params": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","name":"b"}}', -32600),
    "case": (b'{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","Name":"b"}}', -32600),
    "case of the envelope": (b'{"jsonrpc":"2.0","id":1,"method":"ping","Method":"tools/call"}', -32600),
    "NaN": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":NaN}}', -32700),
    "infinity": (b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"x":1e999}}', -32700),
    "byte order mark": (b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}', -32700),
    "no UTF-8": (b'{"jsonrpc":"2.0","id":1,"method":"p\xffng"}', -32700),
    "modern batch": (json.dumps([call("echo")]).encode(), -32600),
    "text": (b"call the tool", -32700),
    "no message": (b'{"jsonrpc":"1.0","id":1,"method":"ping"}', -32600),
}  # fmt: skip


@pytest.mark.parametrize("odd", ODD)
@pytest.mark.parametrize("content_type", ["application/json", "text/plain", None])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_a_body_that_can_be_read_in_two_ways_is_refused_before_the_server_has_a_byte(
    tmp_path: Path, odd: str, content_type: str | None, method: str
) -> None:
    body, code = ODD[odd]

    async def run() -> None:
        server = Server("json")
        async with world(tmp_path, server, judge=ByName()) as w:
            headers = {"Content-Type": content_type} if content_type else {}
            skip = ["Content-Type"]
            async with w.client.request(
                method, w.url + "/mcp", data=body, headers=headers, skip_auto_headers=skip
            ) as response:
                assert (response.status, (await response.json())["error"]["code"]) == (400, code)
            await w.until(lambda: len(w.requests()) == 1)
            assert server.reached == []
            assert [row["outcome"] for row in w.refused()] == ["denied"]
            assert w.requests()[0]["http_status"] == 400

    asyncio.run(run())


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Mcp-Method": "tools/call", "Mcp-Name": "echo"}, 200),
        ({"Mcp-Method": "tools/call", "Mcp-Name": "=?base64?ZWNobw==?="}, 200),
        ({"Mcp-Method": "tools/list"}, 400),
        ({"Mcp-Name": "transfer"}, 400),
        ({"Mcp-Name": "=?base64?dHJhbnNmZXI=?="}, 400),
        ({"Mcp-Name": "=?base64?%?="}, 400),
    ],
)
def test_headers_that_name_another_call_than_the_body_are_refused(
    tmp_path: Path, headers: dict[str, str], status: int
) -> None:
    async def run() -> None:
        server = Server("json")
        async with world(tmp_path, server, judge=ByName()) as w:
            async with w.client.post(w.url + "/mcp", json=call("echo"), headers=headers) as response:
                assert response.status == status
                if status == 400:
                    assert (await response.json())["error"]["code"] == -32020
            assert len(server.reached) == (status == 200)
            assert len(w.refused()) == (status == 400)

    asyncio.run(run())


def test_a_rewritten_call_reaches_the_server_under_its_new_name(tmp_path: Path) -> None:
    async def run() -> None:
        names: list[str | None] = []

        async def server(request: web.BaseRequest) -> web.StreamResponse:
            names.append(request.headers.get("Mcp-Name"))
            assert json.loads(await request.read())["params"]["name"] == "echo"
            return web.json_response(result())

        async with world(tmp_path, server, judge=ByName()) as w:
            for headers in ({"Mcp-Name": "rewrite"}, {}):
                async with w.client.post(w.url + "/mcp", json=call("rewrite"), headers=headers) as response:
                    assert response.status == 200
            assert names == ["echo", None]

    asyncio.run(run())


@pytest.mark.parametrize("chunked", [True, False])
@pytest.mark.parametrize("packed", [True, False])
def test_a_body_over_the_cap_is_refused(tmp_path: Path, chunked: bool, packed: bool) -> None:
    message = call("echo")
    message["params"]["arguments"]["query"] = "x" * MAX_BYTES
    body = json.dumps(message).encode()
    if packed:
        body = gzip.compress(body)

    async def parts() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 1 << 20):
            yield body[at : at + (1 << 20)]

    async def run() -> None:
        server = Server("json")
        async with world(tmp_path, server, judge=ByName()) as w:
            headers = JSON | ({"Content-Encoding": "gzip"} if packed else {})
            data = parts() if chunked else io.BytesIO(body)
            async with w.client.post(w.url + "/mcp", data=data, headers=headers) as response:
                assert response.status == 413
            assert server.reached == []

    asyncio.run(run())


def test_a_packed_body_is_judged_and_passed_on_unpacked(tmp_path: Path) -> None:
    async def run() -> None:
        seen: list[tuple[str | None, bytes]] = []

        async def server(request: web.BaseRequest) -> web.StreamResponse:
            seen.append((request.headers.get("Content-Encoding"), await request.read()))
            return web.json_response(result())

        async with world(tmp_path, server, judge=ByName()) as w:
            for tool, coding in (("echo", "gzip"), ("deny", "gzip"), ("echo", "br")):
                body = json.dumps(call(tool)).encode()
                headers = JSON | {"Content-Encoding": coding}
                async with w.client.post(w.url, data=gzip.compress(body), headers=headers) as response:
                    assert response.status == (415 if coding == "br" else 200)
            assert seen == [(None, json.dumps(call("echo")).encode())]

    asyncio.run(run())


def test_the_login_of_a_server_passes_unjudged(tmp_path: Path) -> None:
    bodies = (
        (b"grant_type=authorization_code&code=a%7B1", "application/x-www-form-urlencoded"),
        (b'{"redirect_uris":["http://localhost/cb"],"client_name":"me"}', "application/json"),
    )

    async def run() -> None:
        seen: list[bytes] = []

        async def server(request: web.BaseRequest) -> web.StreamResponse:
            seen.append(await request.read())
            return web.json_response({"access_token": "a", "id": 1})

        async with world(tmp_path, server, judge=ByName()) as w:
            for body, kind in bodies:
                async with w.client.post(w.url + "/token", data=body, headers={"Content-Type": kind}) as response:
                    assert await response.json() == {"access_token": "a", "id": 1}
            assert seen == [body for body, _ in bodies]

    asyncio.run(run())


def test_a_frame_that_nothing_changes_reaches_the_server_byte_for_byte_and_so_does_its_answer(tmp_path: Path) -> None:
    asked = b'{ "jsonrpc":"2.0", "id" : 12345678901234567890, "method":"tools/call","params":{"name":"echo"} }'
    answered = b'{"result" : {"content":[]},"id":12345678901234567890,"jsonrpc":"2.0"}'

    async def run() -> None:
        async def server(request: web.BaseRequest) -> web.StreamResponse:
            assert await request.read() == asked
            if request.path == "/events":
                body = b"\xef\xbb\xbf: hello\r\nid: 7\r\nretry: 5\r\ndata: " + answered + b"\r\n\r\n: bye\r\n\r\n"
                return web.Response(body=body, headers=EVENTS)
            return web.Response(body=answered, headers={**JSON, "X-Own": "1"})

        async with world(tmp_path, server, judge=ByName()) as w:
            async with w.client.post(w.url + "/mcp", data=asked, headers=JSON) as response:
                assert await response.read() == answered
                assert response.headers["X-Own"] == "1"
            async with w.client.post(w.url + "/events", data=asked, headers=JSON) as response:
                body = await response.read()
            assert body == b"\xef\xbb\xbf: hello\r\nid: 7\r\nretry: 5\r\ndata: " + answered + b"\r\n\r\n: bye\r\n\r\n"

    asyncio.run(run())


# -- answers ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("coding", ["identity", "gzip"])
@pytest.mark.parametrize("kind", ["application/json", "text/event-stream"])
@pytest.mark.parametrize(
    "odd",
    [
        b'{"jsonrpc":"2.0","id":1,"result":{"a":1},"result":{"content":[]}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"content":[]},"Result":{"a":1}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"x":NaN}}',
        b'{"jsonrpc":"2.0","id":1,"result":{"x":"\xff"}}',
    ],
)
def test_an_answer_that_can_be_read_in_two_ways_is_replaced_by_an_error(
    tmp_path: Path, odd: bytes, kind: str, coding: str
) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        body = odd if kind == "application/json" else b"data: " + odd + b"\n\n"
        packed = gzip.compress(body) if coding == "gzip" else body
        return web.Response(body=packed, headers={"Content-Type": kind, "Content-Encoding": coding})

    async def run() -> None:
        async with world(tmp_path, server, judge=ByName()) as w:
            async with w.client.post(w.url + "/mcp", json=call("echo")) as response:
                body = await response.read()
            answer = json.loads(body.strip().rpartition(b"data: ")[2])
            assert answer["id"] == 1
            assert "error" in answer
            (row,) = w.operations()
            assert row["outcome"] == "server_error"

    asyncio.run(run())


def test_an_event_over_the_cap_is_replaced_by_an_error_and_the_next_one_passes(tmp_path: Path) -> None:
    note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": "later"}}

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        stream = web.StreamResponse(headers=EVENTS)
        await stream.prepare(request)
        await stream.write(b'data: {"jsonrpc":"2.0","id":1,"result":{"content":"')
        for _ in range((MAX_BYTES >> 20) + 1):
            await stream.write(b"x" * (1 << 20))
        await stream.write(b'"}}\n\n' + event(note))
        return stream

    async def run() -> None:
        async with world(tmp_path, server, judge=ByName()) as w:
            async with w.client.post(w.url + "/mcp", json=call("echo")) as response:
                first, second = [one async for one in _messages(response)]
            assert (first["id"], first["error"]["message"]) == (1, "refused: too large")
            assert second == note
            outcomes = {row["method"]: row["outcome"] for row in w.operations()}
            assert outcomes["tools/call"] == "denied"

    asyncio.run(run())


@pytest.mark.parametrize("status", [400, 404, 500])
@pytest.mark.parametrize("request_id", [1, None])
def test_a_refusal_of_the_server_keeps_its_status_and_is_judged(
    tmp_path: Path, status: int, request_id: object
) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        error = {"code": -32600, "message": "no session"}
        return web.json_response({"jsonrpc": "2.0", "id": request_id, "error": error}, status=status)

    async def run() -> None:
        judge = ByName()
        async with world(tmp_path, server, judge=judge) as w:
            async with w.client.post(w.url + "/mcp", json=call("echo")) as response:
                assert response.status == status
                assert (await response.json())["error"]["message"] == "no session"
            assert [what for what, *_ in judge.seen] == ["begin", "end"]
            (row,) = w.operations()
            assert (row["outcome"], row["http_status"]) == ("protocol_error", status)

    asyncio.run(run())


def test_a_page_of_the_server_passes(tmp_path: Path) -> None:
    async def server(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        return web.Response(status=503, text="<h1>busy</h1>", content_type="text/html")

    async def run() -> None:
        async with (
            world(tmp_path, server, judge=ByName()) as w,
            w.client.post(w.url + "/mcp", json=call("echo")) as response,
        ):
            assert (response.status, await response.text()) == (503, "<h1>busy</h1>")

    asyncio.run(run())


def test_no_reader_finds_another_event_in_a_stream(tmp_path: Path) -> None:
    """Python's splitlines ends lines where the standard does not; what passes has no such character left."""
    hidden = '\u2028\u2028data: {"jsonrpc":"2.0","id":1,"result":{"content":"mine"}}\u2028\u2028'
    answer = json.dumps(result(text="a" + hidden), ensure_ascii=False)

    async def server(request: web.BaseRequest) -> web.StreamResponse:
        await request.read()
        body = f": a comment{hidden}\n\nevent: x{hidden}\ndata: []\n\nid: 5\ndata: {answer}\n\n"
        return web.Response(body=body.encode(), headers=EVENTS)

    async def run() -> None:
        async with world(tmp_path, server, judge=ByName()) as w:
            async with w.client.post(w.url + "/mcp", json=call("echo")) as response:
                body = await response.text()
            (data,) = [line for line in body.splitlines() if line.startswith("data: ")]
            assert json.loads(data.removeprefix("data: ")) == result(text="a" + hidden)

    asyncio.run(run())


def test_a_part_of_a_batch_is_denied_and_the_rest_is_answered_by_the_server(tmp_path: Path) -> None:
    batch = [call("echo", 1, modern=False), call("deny", 2, modern=False)]

    async def run() -> None:
        for kind in ("json", "events"):
            seen: list[Any] = []

            async def server(request: web.BaseRequest, seen: list[Any] = seen, kind: str = kind) -> web.StreamResponse:
                seen.append(json.loads(await request.read()))
                answers = [_answer(message) for message in seen[-1]]
                if kind == "json":
                    return web.json_response(answers)
                return web.Response(body=b"".join(map(event, answers)), headers=EVENTS)

            async with world(tmp_path / kind, server, judge=ByName()) as w:
                async with w.client.post(w.url + "/mcp", json=batch, headers=SESSION) as response:
                    found = await response.json() if kind == "json" else [one async for one in _messages(response)]
                assert seen == [batch[:1]]
                by_id = {message["id"]: message for message in found}
                assert by_id[1] == _answer(batch[0])
                assert by_id[2]["error"]["code"] == DENIED_CODE

    asyncio.run(run())


# -- other requests of a session ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("on_error", ["deny", "allow"])
def test_what_the_server_asks_is_judged_and_a_denial_is_sent_to_the_server(tmp_path: Path, on_error: OnError) -> None:
    sampling = {"jsonrpc": "2.0", "id": "q-1", "method": "sampling/createMessage", "params": {"messages": []}}

    async def run() -> None:
        server = Server("session")
        async with world(tmp_path, server, judge=ByName(on_error)) as w:
            accepted = SESSION | {"Accept": "text/event-stream", "Authorization": "Bearer t"}
            async with w.client.get(w.url + "/mcp", headers=accepted) as stream:
                server.to_client.put_nowait(sampling)
                note = {"jsonrpc": "2.0", "method": "notifications/message", "params": {"level": "info", "data": 1}}
                server.to_client.put_nowait(note)
                messages = _messages(stream)
                first = await anext(messages)
                if on_error == "allow":
                    assert (first, await anext(messages)) == (sampling, note)
                    reply = {"jsonrpc": "2.0", "id": "q-1", "result": {"role": "assistant"}}
                    async with w.client.post(w.url + "/mcp", json=reply, headers=SESSION) as response:
                        assert response.status == 202
                else:
                    assert first == note
                    await w.until(lambda: len(server.reached) == 1)
                    assert server.reached[0]["error"]["message"] == "no sampling"
                asked = [row for row in w.operations() if row["method"] == "sampling/createMessage"]
                assert [(row["outcome"], row["kind"]) for row in asked] == [
                    ("ok" if on_error == "allow" else "denied", "client")
                ]

    asyncio.run(run())


def test_a_resumed_stream_brings_again_what_was_decided(tmp_path: Path) -> None:
    """The call is over by then, and its response could not be judged again."""

    async def run() -> None:
        events = b"".join(event(result(number, text=f"answer {number}"), str(number)) for number in (1, 2))
        new = event({"jsonrpc": "2.0", "id": 9, "result": {"content": "unasked"}}, "3")

        async def server(request: web.BaseRequest) -> web.StreamResponse:
            message = json.loads(await request.read() or b"{}")
            if request.method == "GET":
                return web.Response(body=events + new, headers=EVENTS)
            return web.Response(
                body=event(result(message["id"], f"answer {message['id']}"), str(message["id"])), headers=EVENTS
            )

        async with world(tmp_path, server, judge=ByName()) as w:
            for number, tool in ((1, "echo"), (2, "mask")):
                message = call(tool, number, modern=False)
                async with w.client.post(w.url + "/mcp", json=message, headers=SESSION) as response:
                    assert (b"answer" in await response.read()) == (tool == "echo")
            resumed = SESSION | {"Last-Event-ID": "0"}
            async with w.client.get(w.url + "/mcp", headers=resumed) as response:
                again = [one async for one in _messages(response)]
            assert [one["result"]["content"][0]["text"] for one in again] == ["answer 1", "***"]
            assert len([row for row in w.operations() if row["method"] == "tools/call"]) == 2

    asyncio.run(run())


def test_a_session_is_deleted_through_a_front_that_enforces(tmp_path: Path) -> None:
    async def run() -> None:
        seen: list[str] = []

        async def server(request: web.BaseRequest) -> web.StreamResponse:
            seen.append(request.method)
            return web.Response(status=200)

        async with world(tmp_path, server, judge=ByName()) as w:
            async with w.client.delete(w.url + "/mcp", headers=SESSION) as response:
                assert response.status == 200
            assert seen == ["DELETE"]

    asyncio.run(run())


def test_where_nothing_can_be_judged_nothing_passes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        server = Server("json")
        async with world(tmp_path, server, judge=ByName()) as w:
            monkeypatch.setattr(w.front, "_open", lambda *_: None)  # as if the exchange could not be opened
            async with w.client.post(w.url + "/mcp", json=call("echo")) as response:
                assert response.status == 500
            assert server.reached == []

    asyncio.run(run())


def test_a_front_that_observes_loads_no_code_that_judges() -> None:
    command = "import sys, mcpobs.proxy.http.front; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=True).stdout.split()
    assert "mcpobs.proxy.http.handler" in loaded
    assert not [name for name in loaded if "judg" in name or name in ("mcpobs.gate.frames", "mcpobs.protocol.frames")]
