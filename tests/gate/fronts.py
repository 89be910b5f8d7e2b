"""Real clients of a server: over a pipe, in memory, and over a network."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from mcp import Client
from mcp.client.sse import sse_client
from mcp.client.stdio import StdioServerParameters, stdio_client

from tests.instrument.serving import served

ROOT = Path(__file__).parents[2]


@asynccontextmanager
async def over_stdio(command: list[str], mode: str, env: dict[str, str]) -> AsyncIterator[Client]:
    environment = {**os.environ, **env, "PYTHONPATH": str(ROOT)}
    parameters = StdioServerParameters(command=command[0], args=command[1:], env=environment, cwd=str(ROOT))
    async with Client(stdio_client(parameters), mode=mode) as client:
        yield client


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
