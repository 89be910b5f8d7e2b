"""An MCP server that answers a call with an odd line, named by the tool, and with a proper answer after it.

python answering_server.py LINES_FILE FALLBACK
"""

import json
import sys
from pathlib import Path
from typing import Any

LINES: dict[str, str] = json.loads(Path(sys.argv[1]).read_text())
TOOLS = [{"name": name, "inputSchema": {"type": "object"}} for name in LINES]


def send(line: str) -> None:
    sys.stdout.buffer.write(line.encode() + b"\n")
    sys.stdout.buffer.flush()


def answer(request_id: Any, result: dict[str, Any]) -> None:
    send(json.dumps({"jsonrpc": "2.0", "id": request_id, "result": result}))


for asked in map(json.loads, sys.stdin):
    if "id" not in asked or "method" not in asked:
        continue
    match asked["method"]:
        case "initialize":
            version = asked["params"]["protocolVersion"]
            info = {"name": "answering", "version": "1"}
            answer(asked["id"], {"protocolVersion": version, "capabilities": {"tools": {}}, "serverInfo": info})
        case "tools/list":
            answer(asked["id"], {"tools": TOOLS})
        case "tools/call":
            send(LINES[asked["params"]["name"]].replace("@ID@", str(asked["id"])))
            answer(asked["id"], {"content": [{"type": "text", "text": sys.argv[2]}]})
        case _:
            send(json.dumps({"jsonrpc": "2.0", "id": asked["id"], "error": {"code": -32601, "message": "unknown"}}))
