"""Runs a minimal MCP server for the self test if the MCP SDK is not installed: one tool that returns its arguments. Run
by `python -m mcpobs.setup.echo`."""

from __future__ import annotations

import json
import sys

TOOL = {"name": "echo", "description": "Answers with its arguments.", "inputSchema": {"type": "object"}}


def answer(frame: dict[str, object]) -> dict[str, object]:
    """Returns the result of a request, or its error."""
    match frame:
        case {"method": "initialize", "params": {"protocolVersion": version}}:
            about = {"name": "echo", "version": "1"}
            return {"result": {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": about}}
        case {"method": "tools/list"}:
            return {"result": {"tools": [TOOL]}}
        case {"method": "tools/call", "params": {"name": "echo", "arguments": arguments}}:
            return {"result": {"content": [{"type": "text", "text": json.dumps(arguments)}]}}
        case {"method": "ping"}:
            return {"result": {}}
    return {"error": {"code": -32601, "message": "Method not found"}}


def main() -> None:
    for line in sys.stdin:
        frame = json.loads(line)
        if "id" in frame:
            sys.stdout.write(json.dumps({"jsonrpc": "2.0", "id": frame["id"], **answer(frame)}) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
