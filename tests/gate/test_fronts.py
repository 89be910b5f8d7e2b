"""The same judge over every front, era and transport: the client sees the same, and the record is right."""

from __future__ import annotations

import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client

from mcpobs.gate.judge import OnError
from mcpobs.instrument import switch
from tests.gate import table
from tests.gate.judged_server import new_server
from tests.gate.judges import ByName
from tests.instrument.recorded import rows_of
from tests.instrument.serving import served

SERVER = [sys.executable, str(Path(__file__).with_name("judged_server.py")), "stdio"]
ROOT = Path(__file__).parents[2]
ERAS = pytest.mark.parametrize("mode", ["legacy", "auto"])
ON_ERROR = pytest.mark.parametrize("on_error", ["allow", "deny"])


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@asynccontextmanager
async def over_stdio(command: list[str], mode: str, env: dict[str, str]) -> AsyncIterator[Client]:
    environment = {**os.environ, **env, "PYTHONPATH": str(ROOT)}
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=environment, cwd=str(ROOT))
    async with Client(stdio_client(parameters), mode=mode) as client:
        yield client


@ON_ERROR
@ERAS
@pytest.mark.anyio
async def test_behind_the_stdio_wrapper(home: Path, mode: str, on_error: OnError) -> None:
    lake, ran = home / "lake", home / "ran"
    wrapper = [sys.executable, "-m", "tests.gate.judged_wrapper", str(lake), on_error, "--", *SERVER]
    async with over_stdio(wrapper, mode, {"MCPOBS_TEST_RAN": str(ran)}) as client:
        seen = await table.play(client)
    table.check(seen, ran.read_text().split(), rows_of(lake), on_error)


@ON_ERROR
@ERAS
@pytest.mark.anyio
async def test_in_the_servers_own_process_on_stdio(home: Path, mode: str, on_error: OnError) -> None:
    lake, ran = home / "lake", home / "ran"
    env = {"MCPOBS_TEST_RAN": str(ran), "MCPOBS_TEST_JUDGE": on_error, "MCPOBS_LAKE": str(lake)}
    async with over_stdio(SERVER, mode, env) as client:
        seen = await table.play(client)
    table.check(seen, ran.read_text().split(), rows_of(lake), on_error)


@pytest.mark.parametrize("transport", ["memory", "http", "sse"])
@ON_ERROR
@ERAS
@pytest.mark.anyio
async def test_in_this_process(home: Path, transport: str, mode: str, on_error: OnError) -> None:
    ran: list[str] = []
    switch.instrument(lake=home / "lake", name="judged", judge=ByName(on_error))
    try:
        async with reached(new_server(ran.append), transport, mode) as client:
            seen = await table.play(client)
    finally:
        switch.uninstrument()
    table.check(seen, ran, rows_of(home / "lake"), on_error)


@asynccontextmanager
async def reached(server: Any, transport: str, mode: str) -> AsyncIterator[Client]:
    if transport == "memory":
        async with Client(server, mode=mode) as client:
            yield client
        return
    with served(server.sse_app() if transport == "sse" else server.streamable_http_app()) as url:
        target = sse_client(f"{url}/sse") if transport == "sse" else f"{url}/mcp"
        async with Client(target, mode=mode) as client:
            yield client
