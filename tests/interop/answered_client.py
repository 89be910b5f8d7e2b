"""Calls each tool of answering_server.py with the Python SDK of its environment, and prints what the client made of it.

    python answered_client.py FALLBACK CASE,CASE,… SERVER_COMMAND…

Prints a JSON object: case → ok, tool_error, error (the answer's), rejected (the caller gets another error), or ignored.
"""

import asyncio
import json
import sys
from typing import Any

import mcp.shared.exceptions as exceptions
from mcp import ClientSession, StdioServerParameters
from mcp.client.stdio import stdio_client

McpError: type[Exception] = getattr(exceptions, "McpError", None) or exceptions.MCPError
GIVE_UP_S = 20


def _meaning(result: Any, fallback: str) -> str:
    texts = [getattr(block, "text", None) for block in result.content]
    if fallback in texts:
        return "ignored"
    failed = result.isError if hasattr(result, "isError") else result.is_error
    return "tool_error" if failed else "ok"


async def _called(session: ClientSession, case: str, fallback: str) -> str:
    try:
        result = await asyncio.wait_for(session.call_tool(case, {}), GIVE_UP_S)
    except McpError as error:
        return "error" if "broken" in str(error) or "-32603" in str(error) else "rejected"
    except TimeoutError:
        return "hangs"
    except Exception:  # of the SDK's reading: the caller gets it
        return "rejected"
    return _meaning(result, fallback)


async def _played(case: str, fallback: str, command: list[str]) -> str:
    server = StdioServerParameters(command=command[0], args=command[1:])
    made = ""
    try:
        async with stdio_client(server) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            await session.list_tools()
            made = await _called(session, case, fallback)
    except BaseExceptionGroup:  # 1.12 reports a line that it cannot read to a session that has ended
        assert made
    return made


async def _main() -> None:
    fallback, cases, *command = sys.argv[1:]
    print(json.dumps({case: await _played(case, fallback, command) for case in cases.split(",")}))


asyncio.run(_main())
