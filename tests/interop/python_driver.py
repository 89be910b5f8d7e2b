"""Carries out a plan with the Python client of mcp 2.x and writes the ledger: what a client can know by itself.

    python python_driver.py PLAN_FILE LEDGER_FILE

The plan file holds {"command": […], "mode": "legacy" | "auto" | a version, "env": {…}, "connections": […]}; a step is
described in plan.py. In place of a command it may hold {"url", "transport": "http" | "sse"}. The ledger is JSON lines:
- {"kind": "sent" | "got", "wire", "client", "method", "id", "token"}: a request or notification, in the order of the
  wire, with its progress token; both SDKs take the request's id for one
- {"kind": "call", "wire", "client", "method", "id", "tool", "conversation", "status", "code", "began_ns", "took_ns",
  "settled_ns", "at_least_ms"}: the result of a request, as the client's API reports it
- {"kind": "connected", "wire", "client", "version"}

`took_ns` is what the caller waited. A call that the caller gave up is over for the server only when it hears of it:
`settled_ns` is until another request, sent after that, was answered. Clocks are monotonic.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from contextvars import ContextVar
from pathlib import Path
from typing import Any

import anyio
import mcp_types as types
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client
from mcp.client.streamable_http import streamable_http_client
from mcp.shared.exceptions import MCPError

AT_A_TIME = 3
TIMED_OUT = -32001
current: ContextVar[dict[str, Any] | None] = ContextVar("current", default=None)


class Ledger:
    def __init__(self, path: Path) -> None:
        self._file = path.open("w")

    def write(self, **entry: Any) -> None:
        self._file.write(json.dumps(entry) + "\n")
        self._file.flush()


class Written:
    """The client's write stream; notes each message when it is handed to the pipe."""

    def __init__(self, stream: Any, note: Any) -> None:
        self._stream = stream
        self._note = note

    async def send(self, item: Any) -> None:
        self._note("sent", item.message)
        await self._stream.send(item)

    async def aclose(self) -> None:
        await self._stream.aclose()

    async def __aenter__(self) -> Written:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stream.aclose()


class Read:
    """The client's read stream; notes each message as it comes."""

    def __init__(self, stream: Any, note: Any) -> None:
        self._stream = stream
        self._note = note

    async def receive(self) -> Any:
        item = await self._stream.receive()
        if not isinstance(item, Exception):
            self._note("got", item.message)
        return item

    async def aclose(self) -> None:
        await self._stream.aclose()

    def __aiter__(self) -> Read:
        return self

    async def __anext__(self) -> Any:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def __aenter__(self) -> Read:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._stream.aclose()


class Connection:
    """One server process and the steps that it is sent."""

    def __init__(self, ledger: Ledger, name: str, wire: int) -> None:
        self._ledger = ledger
        self._who = {"wire": wire, "client": name}
        self._unsent: str | None = None  # a notification that the transport keeps to itself
        self.client: Client

    def note(self, kind: str, message: Any) -> None:
        if isinstance(message, types.JSONRPCRequest | types.JSONRPCNotification) and message.method != self._unsent:
            id_ = getattr(message, "id", None)
            entry = current.get()
            if kind == "sent" and entry is not None and id_ is not None and entry["id"] is None:
                entry["id"] = id_
            token = (message.params or {}).get("progressToken")
            self._ledger.write(kind=kind, **self._who, method=message.method, id=id_, token=token)

    def connected(self, transport: str | None) -> None:
        if transport == "http" and self.client.protocol_version >= "2026-07-28":  # it closes the stream instead
            self._unsent = "notifications/cancelled"
        self._ledger.write(kind="connected", **self._who, version=self.client.protocol_version)

    async def step(self, step: dict[str, Any]) -> None:
        if "together" in step:
            async with anyio.create_task_group() as group:
                for one in step["together"]:
                    group.start_soon(self.step, one)
        elif step.get("request") != "ping" or self.client.protocol_version < "2026-07-28":  # there is no ping since
            await self._measured(step)

    async def _measured(self, step: dict[str, Any]) -> None:
        entry: dict[str, Any] = {
            "method": "tools/call" if "call" in step else step["request"],
            "id": None,
            "tool": step.get("call"),
            "conversation": step.get("conversation"),
            "code": None,
            "at_least_ms": step.get("at_least_ms", 0),
        }
        current.set(entry)
        begun = time.monotonic_ns()
        with anyio.move_on_after(step["cancel_ms"] / 1e3 if "cancel_ms" in step else None) as scope:
            try:
                entry["status"] = await (self._call(step) if "call" in step else self._request(step))
            except MCPError as error:
                entry["status"], entry["code"] = "error", error.code
                if error.code == TIMED_OUT:
                    entry["status"] = "timeout"
        if scope.cancelled_caught:
            entry["status"] = "cancelled"
        entry["began_ns"] = begun
        entry["took_ns"] = entry["settled_ns"] = time.monotonic_ns() - begun
        if entry["status"] in ("cancelled", "timeout"):
            await self._measured({"request": "mcpobs/settle"})
            entry["settled_ns"] = time.monotonic_ns() - begun
        self._ledger.write(kind="call", **self._who, **entry)

    async def _call(self, step: dict[str, Any]) -> str:
        meta: Any = {"gen_ai.conversation.id": step["conversation"]} if "conversation" in step else None
        result = await self.client.call_tool(
            step["call"],
            step["arguments"],
            read_timeout_seconds=step["timeout_ms"] / 1e3 if "timeout_ms" in step else None,
            progress_callback=_progressed if step.get("progress") else None,
            meta=meta,
        )
        return "is_error" if result.is_error else "ok"

    async def _request(self, step: dict[str, Any]) -> str:
        params = step.get("params", {})
        match step["request"]:
            case "tools/list":
                await self.client.list_tools(cache_mode="bypass")
            case "prompts/list":
                await self.client.list_prompts(cache_mode="bypass")
            case "prompts/get":
                await self.client.get_prompt(params["name"], params.get("arguments"))
            case "resources/list":
                await self.client.list_resources(cache_mode="bypass")
            case "resources/read":
                await self.client.read_resource(params["uri"], cache_mode="bypass")
            case "ping":
                await self.client.send_ping()
            case method:
                await self.client.session.send_request(
                    types.Request[None, str](method=method, params=None), types.EmptyResult
                )
        return "ok"


async def _progressed(progress: float, total: float | None, message: str | None) -> None:
    """The ledger counts progress on the wire: an SDK may be late to tell, and drop what came just before the result."""


async def _sampling(context: Any, params: Any) -> types.CreateMessageResult:
    await anyio.sleep(0.05)
    return types.CreateMessageResult(role="assistant", content=types.TextContent(type="text", text="yes"), model="none")


async def _roots(context: Any) -> types.ListRootsResult:
    return types.ListRootsResult(roots=[types.Root(uri="file:///nowhere", name="nowhere")])


async def _elicitation(context: Any, params: Any) -> types.ElicitResult:
    return types.ElicitResult(action="decline")


@asynccontextmanager
async def _transport(plan: dict[str, Any], connection: Connection) -> AsyncIterator[Any]:
    match plan.get("transport"):
        case "http":
            streams: Any = streamable_http_client(plan["url"])
        case "sse":
            streams = sse_client(plan["url"])
        case _:
            command = plan["command"]
            streams = stdio_client(StdioServerParameters(command=command[0], args=command[1:], env=plan["env"]))
    async with streams as (read, write):
        yield Read(read, connection.note), Written(write, connection.note)


async def _connect(plan: dict[str, Any], planned: dict[str, Any], wire: int, ledger: Ledger) -> None:
    connection = Connection(ledger, planned["name"], wire)
    async with Client(
        _transport(plan, connection),
        mode=plan["mode"],
        client_info=types.Implementation(name=planned["name"], version="1"),
        sampling_callback=_sampling,
        list_roots_callback=_roots,
        elicitation_callback=_elicitation,
    ) as connection.client:
        connection.connected(plan.get("transport"))
        for step in planned["steps"]:
            await connection.step(step)


async def main(plan_file: str, ledger_file: str) -> None:
    plan = json.loads(Path(plan_file).read_text())
    ledger = Ledger(Path(ledger_file))
    limiter = anyio.Semaphore(AT_A_TIME)

    async def one(planned: dict[str, Any], wire: int) -> None:
        async with limiter:
            await _connect(plan, planned, wire, ledger)

    async with anyio.create_task_group() as group:
        for wire, planned in enumerate(plan["connections"]):
            group.start_soon(one, planned, wire)


if __name__ == "__main__":
    anyio.run(main, *sys.argv[1:])
