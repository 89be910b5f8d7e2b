"""Agents with the MCP SDK's client: each session is a process of its server, and calls come one after the other."""

from __future__ import annotations

import os
import time
from random import Random
from typing import Final

import anyio
from mcp import Client, MCPError, StdioServerParameters, types
from mcp.client.stdio import stdio_client

from bench.planted_hour.front import Front
from bench.planted_hour.hour import Call, Hour, Session

GIVES_UP_S: Final = 8.0


async def run(hour: Hour, front: Front) -> None:
    async with anyio.create_task_group() as group:
        for number, session in enumerate(hour.sessions):
            group.start_soon(_work, session, front, hour.began + session.starts_s, Random(number))


async def _work(session: Session, front: Front, begins: float, chance: Random) -> None:
    await anyio.sleep(max(0.0, begins - time.time()))
    command = front.command(session.server)
    environment = {"HOME": str(front.folder), "PATH": os.environ["PATH"]}
    server = StdioServerParameters(command=command[0], args=command[1:], env=environment)
    who = types.Implementation(name=session.agent, version="1.4")
    async with Client(stdio_client(server), mode="legacy", client_info=who) as client:
        await client.list_tools()
        for call in session.calls:
            await anyio.sleep(session.pause_s * chance.lognormvariate(0, 0.5))
            await _ask(client, call)


async def _ask(client: Client, call: Call) -> None:
    call.at = time.time()
    try:
        result = await client.call_tool(call.tool, call.arguments, read_timeout_seconds=GIVES_UP_S)
        call.answer = "failed" if result.is_error else "ok"
    except MCPError as error:
        call.answer = f"error {error.code}"
