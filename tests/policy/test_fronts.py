"""One policy over every front, era and transport: real clients meet its limits, read why, and go on."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from mcp import Client
from mcp.client.sse import sse_client

from mcpobs.gate.policing import judge
from mcpobs.instrument import entry
from mcpobs.policy import file
from tests.gate.fronts import over_stdio, reached
from tests.instrument.recorded import rows_of
from tests.instrument.serving import served
from tests.policy import conversation
from tests.policy.shop import new_server
from tests.proxy.http.world import world

SERVER = [sys.executable, str(Path(__file__).with_name("shop.py")), "stdio"]
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])
LONG_S = 60


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def policy(home: Path) -> Path:
    path = home / "policy.yaml"
    path.write_text(conversation.POLICY)
    return path


@ERAS
@pytest.mark.anyio
async def test_behind_the_stdio_wrapper(home: Path, policy: Path, mode: str) -> None:
    lake, ran = home / "lake", home / "ran"
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", "--lake", str(lake), "--policy", str(policy)]
    async with over_stdio([*wrapper, "--", *SERVER], mode, {"MCPOBS_TEST_RAN": str(ran)}) as client:
        seen = await conversation.play(client)
    conversation.check(seen, ran.read_text().split(), rows_of(lake))


@ERAS
@pytest.mark.anyio
async def test_in_the_servers_own_process_on_stdio(home: Path, policy: Path, mode: str) -> None:
    lake, ran = home / "lake", home / "ran"
    env = {"MCPOBS_TEST_RAN": str(ran), "MCPOBS_TEST_POLICY": str(policy), "MCPOBS_LAKE": str(lake)}
    async with over_stdio(SERVER, mode, env) as client:
        seen = await conversation.play(client)
    conversation.check(seen, ran.read_text().split(), rows_of(lake))


@ERAS
@pytest.mark.anyio
async def test_in_a_process_that_the_wrapper_instruments(home: Path, policy: Path, mode: str) -> None:
    lake, ran = home / "lake", home / "ran"
    options = ["--in-process", "--lake", str(lake), "--policy", str(policy)]
    wrapper = [sys.executable, "-m", "mcpobs", "instrument", *options]
    async with over_stdio([*wrapper, "--", *SERVER], mode, {"MCPOBS_TEST_RAN": str(ran)}) as client:
        seen = await conversation.play(client)
    conversation.check(seen, ran.read_text().split(), rows_of(lake))


@pytest.mark.parametrize("transport", ["memory", "http", "sse"])
@ERAS
@pytest.mark.anyio
async def test_in_this_process(home: Path, policy: Path, transport: str, mode: str) -> None:
    ran: list[str] = []
    entry.instrument(lake=home / "lake", name="shop", policy=[policy])
    try:
        async with reached(new_server(ran.append), transport, mode) as client:
            seen = await conversation.play(client)
    finally:
        entry.uninstrument()
    conversation.check(seen, ran, rows_of(home / "lake"))


async def _unused(request: web.BaseRequest) -> web.StreamResponse:
    raise AssertionError("the real server is the upstream")


@pytest.mark.parametrize(
    ("transport", "mode"),
    [(transport, mode) for transport in ("json", "events", "sse") for mode in ("legacy", "auto")],
)
def test_behind_the_http_front(tmp_path: Path, transport: str, mode: Any) -> None:
    ran: list[str] = []
    found = judge(file.of_texts([(conversation.POLICY.encode(), "policy.yaml")]), "shop")

    async def run(url: str) -> None:
        async with world(tmp_path, _unused, upstream=url, judge=found) as w:
            at: Any = sse_client(f"{w.url}/sse") if transport == "sse" else f"{w.url}/mcp"
            async with asyncio.timeout(LONG_S), Client(at, mode=mode) as client:
                seen = await conversation.play(client)
            conversation.check(seen, ran, w.operations())

    server = new_server(ran.append)
    app = server.sse_app() if transport == "sse" else server.streamable_http_app(json_response=transport == "json")
    with served(app) as url:
        asyncio.run(run(url))
