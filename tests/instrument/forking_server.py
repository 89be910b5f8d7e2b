"""Serves a call, forks, and serves one in the parent and one in the child: `forking_server.py LAKE`."""

import os
import sys

import anyio
from mcp import Client

import mcpobs
from tests.instrument.shop import new_shop

mcpobs.instrument(lake=sys.argv[1])
shop = new_shop()


async def call(tool: str) -> None:
    async with Client(shop) as client:
        await client.call_tool(tool, {"a": os.getpid(), "b": 0} if tool == "add" else {})


anyio.run(call, "add")
child = os.fork()
anyio.run(call, "add" if child else "fail")
if child:
    _, status = os.waitpid(child, 0)
    sys.exit(os.waitstatus_to_exitcode(status))
