"""A real client and a real server, with a front between them that enforces: every transport gives the same outcomes."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import mcp_types as types
import pytest
from aiohttp import web
from mcp import Client, MCPError
from mcp.client.sse import sse_client
from mcp.server.mcpserver import Context, MCPServer

from mcpobs.gate.decisions import DENIED_CODE, Answer, Begin, End, Forward, Pending, Replace
from mcpobs.gate.gate import UNDECIDED
from mcpobs.gate.judge import OnError
from mcpobs.protocol.call import Call, Response
from tests.gate.judges import DENIED, ByName
from tests.instrument.serving import served
from tests.proxy.http.world import world

RAN = "ran with mine"
ECHOED = "ran with rewritten"
OUTCOMES: dict[str, dict[OnError, Any]] = {
    "echo": {"deny": RAN, "allow": RAN},
    "deny": {"deny": (DENIED_CODE, DENIED), "allow": (DENIED_CODE, DENIED)},
    "answer": {"deny": "answered by the judge", "allow": "answered by the judge"},
    "rewrite": {"deny": ECHOED, "allow": ECHOED},
    "throw": {"deny": (DENIED_CODE, UNDECIDED), "allow": RAN},
    "hang": {"deny": (DENIED_CODE, UNDECIDED), "allow": RAN},
    "later": {"deny": RAN, "allow": RAN},
    "later_deny": {"deny": (DENIED_CODE, DENIED), "allow": (DENIED_CODE, DENIED)},
    "mask": {"deny": "***", "allow": "***"},
    "block": {"deny": (DENIED_CODE, "blocked"), "allow": (DENIED_CODE, "blocked")},
    "end_throw": {"deny": (DENIED_CODE, UNDECIDED), "allow": RAN},
    "end_hang": {"deny": (DENIED_CODE, UNDECIDED), "allow": RAN},
    "end_later": {"deny": RAN, "allow": RAN},
}
UNSEEN = {"deny": {"deny", "answer", "throw", "hang", "later_deny"}, "allow": {"deny", "answer", "later_deny"}}


class Complete(ByName):
    """Its results say that they are complete, which a client of 2026-07-28 asks of each."""

    def begin(self, call: Call) -> Begin | Pending[Begin]:
        decision = super().begin(call)
        if isinstance(decision, Forward) and decision.params is not None and isinstance(call.params, dict):
            return replace(decision, params={**call.params, **decision.params})  # its _meta says who asks
        return _complete(decision)

    def end(self, call: Call, response: Response) -> End | Pending[End]:
        return _complete(super().end(call, response))


def _complete(decision: Any) -> Any:
    if isinstance(decision, Answer | Replace) and decision.result is not None:
        return replace(decision, result={"resultType": "complete", **decision.result})
    return decision


def _server(ran: list[str]) -> MCPServer:
    server = MCPServer("shop", version="1")

    def add(name: str) -> None:
        async def tool(text: str, ctx: Context) -> str:
            ran.append(name)
            await ctx.report_progress(1, 1)
            return f"ran with {text}"

        server.add_tool(tool, name=name, structured_output=False)

    for name in OUTCOMES:
        add(name)

    @server.tool(structured_output=False)
    async def ask(ctx: Context) -> str:
        """Asks the client's model."""
        message = types.SamplingMessage(role="user", content=types.TextContent(type="text", text="well?"))
        answer = await ctx.session.create_message([message], max_tokens=10, related_request_id=ctx.request_id)
        return str(answer.content)

    return server


async def _outcome(client: Client, tool: str) -> Any:
    """The text of a call's result, or the code and text of its error."""
    try:
        called = await client.call_tool(tool, {"text": "mine"})
    except MCPError as error:
        return error.error.code, error.error.message
    (content,) = called.content
    assert isinstance(content, types.TextContent)
    return content.text


async def _sampled(context: Any, params: Any) -> types.CreateMessageResult:
    content = types.TextContent(type="text", text="sampled")
    return types.CreateMessageResult(role="assistant", content=content, model="none")


async def _unused(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("the real server is the upstream")


@pytest.mark.filterwarnings("ignore:The sampling capability is deprecated")
@pytest.mark.parametrize("on_error", ["deny", "allow"])
@pytest.mark.parametrize(
    ("transport", "mode"),
    [("events", "legacy"), ("events", "auto"), ("json", "legacy"), ("json", "auto"), ("sse", "legacy")],
)
def test_a_real_client_gets_what_was_decided(tmp_path: Path, transport: str, mode: Any, on_error: OnError) -> None:
    ran: list[str] = []
    server = _server(ran)
    app = server.sse_app() if transport == "sse" else server.streamable_http_app(json_response=transport == "json")

    async def run(url: str) -> None:
        async with world(tmp_path, _unused, upstream=url, judge=Complete(on_error)) as w:
            at: Any = sse_client(f"{w.url}/sse") if transport == "sse" else f"{w.url}/mcp"
            async with asyncio.timeout(60), Client(at, mode=mode, sampling_callback=_sampled) as client:
                found = {tool: await _outcome(client, tool) for tool in OUTCOMES}
                assert found == {tool: outcome[on_error] for tool, outcome in OUTCOMES.items()}
                if mode == "legacy" and transport != "json":  # a JSON answer has no room for what the server asks
                    if on_error == "allow":
                        assert "sampled" in str((await client.call_tool("ask", {})).content)
                    else:
                        with pytest.raises(MCPError, match="no sampling"):
                            await client.call_tool("ask", {})
            assert set(ran) == set(OUTCOMES) - UNSEEN[on_error] - {"rewrite"}  # which runs another
            rows = [row for row in w.operations() if row["method"] == "tools/call" and row["tool"] != "ask"]
            assert [row["tool"] for row in rows] == list(OUTCOMES)
            assert {row["tool"] for row in rows if row["outcome"] == "denied"} == {
                tool for tool, outcome in OUTCOMES.items() if isinstance(outcome[on_error], tuple)
            }
            assert "mine" not in json.dumps(w.rows())

    with served(app) as url:
        asyncio.run(run(url))
