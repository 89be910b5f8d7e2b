"""Drives the same traffic through each front, with a policy or without one, into a lake."""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import jwt
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import rsa
from mcp import Client, MCPError
from mcp.server import MCPServer
from mcp_types import CallToolResult, TextContent

from mcpobs.gate.policing import judge_of
from mcpobs.instrument import entry
from mcpobs.settings import IdentityConfig
from tests.proxy.http.world import MODERN, world
from tests.proxy.wrapped import Wrapped, line
from tests.simulate import shop
from tests.simulate.traffic import PEOPLE, Step

KEY = rsa.generate_private_key(public_exponent=65537, key_size=2048)
AT_ONCE = 5
CONVERSATION = "gen_ai.conversation.id"
SERVER = [sys.executable, str(Path(shop.__file__))]

Drive = Callable[[Path, Sequence[Step], Sequence[str]], None]
"""Plays steps into a lake, below the policy files; without any nothing is enforced."""


def over_stdio(lake: Path, steps: Sequence[Step], policy: Sequence[str], at_once: int = 1) -> None:
    """By the wrapper; one process, so one caller, in two conversations. `at_once`: so many before an answer is read."""
    options = [part for file in policy for part in ("--policy", file)]
    with Wrapped(lake, SERVER, ["--name", "shop", *options]) as wrapped:
        for first in range(0, len(steps), at_once):
            batch = {first + place: step for place, step in enumerate(steps[first : first + at_once])}
            for number, step in batch.items():
                wrapped.send(line(id=number, method=step.method, params=_params(step)))
            assert {wrapped.receive()["id"] for _ in batch} == batch.keys()
        wrapped.leave()


def at_once_over_stdio(lake: Path, steps: Sequence[Step], policy: Sequence[str]) -> None:
    over_stdio(lake, steps, policy, AT_ONCE)


def over_http(lake: Path, steps: Sequence[Step], policy: Sequence[str], at_once: int = 1) -> None:
    """By the HTTP front; three verified callers of two tenants."""
    asyncio.run(_over_http(lake, steps, policy, at_once))


def at_once_over_http(lake: Path, steps: Sequence[Step], policy: Sequence[str]) -> None:
    over_http(lake, steps, policy, AT_ONCE)


async def _over_http(lake: Path, steps: Sequence[Step], policy: Sequence[str], at_once: int) -> None:
    async def serve(request: web.BaseRequest) -> web.StreamResponse:
        return web.json_response(shop.answer(json.loads(await request.read())))

    lake.parent.mkdir(parents=True, exist_ok=True)
    identity = IdentityConfig(jwks=_jwks(lake.parent), issuer="https://id", audience="mcp")
    judge = judge_of(policy, "shop")
    tokens = [_token(*person) for person in PEOPLE]

    async def ask(number: int, step: Step) -> None:
        frame = {"jsonrpc": "2.0", "id": number, "method": step.method, "params": _params(step)}
        headers = {
            "authorization": f"Bearer {tokens[step.person]}",
            "accept": "application/json, text/event-stream",
            "mcp-protocol-version": MODERN,
            "mcp-method": step.method,
            **({"mcp-name": step.name} if step.name else {}),
        }
        async with w.client.post(f"{w.url}/mcp", json=frame, headers=headers) as answer:
            assert json.loads(await answer.read())["id"] == number

    async with world(lake.parent, serve, identity=identity, judge=judge) as w:
        for first in range(0, len(steps), at_once):
            batch = steps[first : first + at_once]
            await asyncio.gather(*(ask(first + place, step) for place, step in enumerate(batch)))
    assert w.warnings == []


def in_process(lake: Path, steps: Sequence[Step], policy: Sequence[str]) -> None:
    """In the server's own process, by a client in memory."""
    asyncio.run(_in_process(lake, steps, policy))


async def _in_process(lake: Path, steps: Sequence[Step], policy: Sequence[str]) -> None:
    entry.instrument(lake=lake, name="shop", policy=policy)
    try:
        async with Client(_server()) as client:
            await client.list_tools()  # or it asks by itself, after the first call that is not denied
            for step in steps:
                try:
                    await _ask(client, step)
                except MCPError:
                    continue
    finally:
        entry.uninstrument()


async def _ask(client: Client, step: Step) -> None:
    meta: Any = {CONVERSATION: step.conversation}
    match step.method:
        case "tools/call":
            await client.call_tool(step.name, step.arguments, meta=meta)
        case "prompts/get":
            await client.get_prompt(step.name, meta=meta)
        case "resources/read":
            await client.read_resource(step.name, meta=meta)
        case "tools/list":
            await client.list_tools(meta=meta)


def _server() -> MCPServer:
    server = MCPServer("shop", log_level="CRITICAL")

    async def answers(q: str, cost: float) -> dict[str, Any]:
        return {"q": q, "cost": cost}

    async def fails(q: str, cost: float) -> CallToolResult:
        return CallToolResult(content=[TextContent(text=json.dumps({"cost": cost}))], is_error=True)

    async def page() -> str:
        return "a page"

    for name in shop.TOOLS:
        server.tool(name=name)(fails if name in ("fail", "broken") else answers)
    for name in ("greet", "bye"):
        server.prompt(name=name)(page)
    for number in range(3):
        server.resource(f"shop://{number}")(page)
    return server


def _params(step: Step) -> dict[str, Any]:
    meta: dict[str, Any] = {
        CONVERSATION: step.conversation,
        "io.modelcontextprotocol/protocolVersion": MODERN,
        "io.modelcontextprotocol/clientInfo": {"name": "tester", "version": "1"},
    }
    return {**step.params(), "_meta": meta}


def _jwks(folder: Path) -> str:
    key = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(KEY.public_key()))
    path = folder / "keys.json"
    path.write_text(json.dumps({"keys": [{**key, "kid": "k1", "alg": "RS256", "use": "sig"}]}))
    return str(path)


def _token(name: str, tenant: str, role: str) -> str:
    claims = {"sub": name, "tenant": tenant, "role": role, "iss": "https://id", "aud": "mcp", "exp": time.time() + 600}
    return jwt.encode(claims, KEY, algorithm="RS256", headers={"kid": "k1"})
