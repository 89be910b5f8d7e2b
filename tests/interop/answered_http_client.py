"""Calls a tool at each path of answering_http_server.py with the Python SDK of its environment, and prints what the
client made of the answer.

    python answered_http_client.py ORIGIN MODE CLIENT_NAME CASE,CASE,…

MODE is `legacy`, or the version that a client of mcp 2.x is to speak. Prints a JSON object: case → ok, tool_error,
`error CODE MESSAGE`, rejected (by another exception) or hangs.
"""

import asyncio
import json
import sys
from contextlib import asynccontextmanager
from typing import Any

import mcp.client.streamable_http as streamable_http
import mcp.shared.exceptions as exceptions
import mcp.types as types
from mcp import ClientSession

McpError: type[Exception] = getattr(exceptions, "McpError", None) or exceptions.MCPError
connect: Any = getattr(streamable_http, "streamable_http_client", None) or streamable_http.streamablehttp_client
GIVE_UP_S = 8
AT_A_TIME = 6


@asynccontextmanager
async def _session(url: str, mode: str, name: str) -> Any:
    info = types.Implementation(name=name, version="1")
    if mode != "legacy":
        from mcp import Client

        async with Client(url, mode=mode, client_info=info) as client:
            yield client.session
        return
    async with connect(url) as streams, ClientSession(*streams[:2], client_info=info) as session:
        await session.initialize()
        yield session


def _meaning(result: Any) -> str:
    failed = result.isError if hasattr(result, "isError") else result.is_error
    return "tool_error" if failed else "ok"


async def _called(session: Any, case: str) -> str:
    try:
        return _meaning(await asyncio.wait_for(session.call_tool(case, {}), GIVE_UP_S))
    except McpError as error:
        return f"error {error.error.code} {error.error.message}"
    except TimeoutError:
        return "hangs"
    except Exception:  # of the SDK's reading: the caller gets it
        return "rejected"


async def _played(origin: str, mode: str, name: str, case: str, turns: asyncio.Semaphore) -> str:
    made = ""
    async with turns:
        try:
            async with _session(f"{origin}/{case}/mcp", mode, name) as session:
                await session.list_tools()
                made = await _called(session, case)
        except BaseExceptionGroup:  # a transport that fails reports it to a session that has ended
            made = made or "rejected"
    return made


async def _main() -> None:
    origin, mode, name, cases = sys.argv[1:]
    turns = asyncio.Semaphore(AT_A_TIME)
    names = cases.split(",")
    made = await asyncio.gather(*(_played(origin, mode, name, case, turns) for case in names))
    print(json.dumps(dict(zip(names, made, strict=True))))


asyncio.run(_main())
