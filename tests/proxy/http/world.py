"""A front with a scripted server behind it and a raw client before it, on one event loop, and what it recorded."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from mcpobs import listening
from mcpobs.gate.gate import Gate
from mcpobs.gate.judge import Judge
from mcpobs.gate.recorder import LakeRecorder
from mcpobs.gate.row import Origin
from mcpobs.listening import Endpoint
from mcpobs.protocol.lifecycle import Lifecycle
from mcpobs.protocol.registry import Registry
from mcpobs.proxy.http.connections import Deadlines
from mcpobs.proxy.http.context import ExchangeContext
from mcpobs.proxy.http.conversations import ConversationRegistry
from mcpobs.proxy.http.front import Front, FrontOptions
from mcpobs.proxy.http.identity import identify
from mcpobs.proxy.http.recorded_head import RecordedHead
from mcpobs.proxy.http.targets import parse_upstream
from mcpobs.segment import scan
from mcpobs.semconv import REFUSED_SPAN
from mcpobs.sessions.remote import RemoteSessions
from mcpobs.sessions.stdio import StdioSessions
from mcpobs.settings import HEADERS, Config, IdentityConfig

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
MODERN = "2026-07-28"


@dataclass
class World:
    url: str
    server: str
    client: aiohttp.ClientSession
    lake: Path
    front: Front
    warnings: list[str] = field(default_factory=list)

    def rows(self) -> list[dict[str, Any]]:
        """Everything that is recorded so far, in the order of its writing."""
        found = []
        for file in sorted((self.lake / "spool").iterdir()):
            for row in scan(file.read_bytes()).rows:
                found.append(json.loads(row))
        return found

    def operations(self) -> list[dict[str, Any]]:
        return [row for row in self.rows() if "method" in row]

    def requests(self) -> list[dict[str, Any]]:
        """The HTTP spans, with their attributes among their columns."""
        spans = [row for row in self.rows() if "method" not in row and row["name"] != REFUSED_SPAN]
        return [{**row, **json.loads(row["attributes"])} for row in spans]

    def refused(self) -> list[dict[str, Any]]:
        """The frames that did not pass."""
        return [row for row in self.rows() if row["name"] == REFUSED_SPAN]

    async def until(self, holds: Callable[[], bool], seconds: float = 10) -> None:
        for _ in range(int(seconds * 100)):
            if holds():
                return
            await asyncio.sleep(0.01)
        raise AssertionError("it did not come to hold")


@asynccontextmanager
async def world(
    tmp_path: Path,
    handler: Handler,
    *,
    identity: IdentityConfig | None = None,
    propagate: bool = False,
    path: str = "",
    upstream: str | None = None,
    deadlines: Deadlines | None = None,
    judge: Judge | None = None,
    config: Config | None = None,
) -> AsyncIterator[World]:
    runner = web.ServerRunner(web.Server(handler, handler_cancellation=True, auto_decompress=False))
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server = upstream or f"http://127.0.0.1:{runner.addresses[0][1]}"
    warnings: list[str] = []
    lake = tmp_path / "lake"
    nobody = StdioSessions("0123456789abcdef", 1).process_session
    origin = Origin("shop", "0123456789abcdef", "http", "tcp", "proxy/http")
    recorder = LakeRecorder.open(origin, nobody, lake=lake, warn=warnings.append, config=config, env={})
    sessions = RemoteSessions("0123456789abcdef")
    gate = Gate(recorder, judge, warnings.append)
    lifecycle = Lifecycle(recorder.facts, Registry(), sessions, keeps_content=gate.enforcing)
    conversations = ConversationRegistry(lifecycle, gate)
    context = ExchangeContext(gate, conversations, RecordedHead(frozenset(HEADERS)), propagate)
    options = FrontOptions(
        Endpoint("127.0.0.1", 0),
        parse_upstream(server + path),
        identify(identity, warnings.append),
        deadlines=deadlines or Deadlines(),
    )
    front = Front(options, context, warnings.append)
    sockets = listening.bind(options.listen, "--listen")
    url = f"http://127.0.0.1:{sockets[0].getsockname()[1]}"
    await front.start(sockets)
    async with aiohttp.ClientSession(auto_decompress=False) as client:
        try:
            yield World(url, server, client, lake, front, warnings)
        finally:
            await client.close()
            await front.stop()
            conversations.close("shutdown")
            recorder.close()
            await runner.cleanup()


def call(tool: str, request_id: int = 1, modern: bool = True, **meta: Any) -> dict[str, Any]:
    """A tools/call, as a client sends it."""
    if modern:
        meta |= {
            "io.modelcontextprotocol/protocolVersion": MODERN,
            "io.modelcontextprotocol/clientInfo": {"name": "tester", "version": "1"},
        }
    params: dict[str, Any] = {"name": tool, "arguments": {"query": "x"}}
    if meta:
        params["_meta"] = meta
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


def result(request_id: int = 1, text: str = "found") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": {"content": [{"type": "text", "text": text}]}}


def event(message: dict[str, Any], event_id: str | None = None) -> bytes:
    head = f"id: {event_id}\n" if event_id is not None else ""
    return f"{head}event: message\ndata: {json.dumps(message)}\n\n".encode()
