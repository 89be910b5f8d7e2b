"""A small MCP server without any SDK, which answers by the name of the tool. For tests of the wrapper.

slow: progress, then a result · fail: isError · never: no answer · die: exit code 3 · killed: kills itself · ask:
asks the client first · error: a JSON-RPC error · pid: its own process id · env: the traceparent that it was given ·
exit: the given exit code · signal: kills itself so · hold: answered by the next release, the last one first ·
quote: isError with its argument `q` · refuse: a JSON-RPC error with it ·
anything else: a result with the arguments. A batch is answered by a batch.
"""

import json
import os
import signal
import sys
from typing import Any


def send(**frame: Any) -> None:
    sys.stdout.write(json.dumps({"jsonrpc": "2.0", **frame}) + "\n")
    sys.stdout.flush()


def text(words: str) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": words}]}


held: list[Any] = []


def call(id_: Any, params: dict[str, Any]) -> None:
    name, meta = params.get("name"), params.get("_meta") or {}
    match name:
        case "slow":
            send(method="notifications/progress", params={"progressToken": meta.get("progressToken"), "progress": 1})
            send(id=id_, result=text("done"))
        case "fail":
            send(id=id_, result={**text("broken"), "isError": True})
        case "never":
            pass
        case "die":
            sys.exit(3)
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "ask":
            send(id="s1", method="sampling/createMessage", params={"messages": []})
            send(id=id_, result=text("asked"))
        case "exit":
            sys.exit(params["arguments"]["code"])
        case "signal":
            os.kill(os.getpid(), params["arguments"]["number"])
        case "hold":
            held.append(id_)
        case "release":
            while held:
                send(id=held.pop(), result=text("released"))
            send(id=id_, result=text("done"))
        case "error":
            send(id=id_, error={"code": -32603, "message": "internal"})
        case "quote":
            send(id=id_, result={**text(params["arguments"]["q"]), "isError": True})
        case "refuse":
            send(id=id_, error={"code": -32603, "message": params["arguments"]["q"]})
        case "pid":
            send(id=id_, result=text(str(os.getpid())))
        case "env":
            send(id=id_, result=text(str(meta.get("traceparent"))))
        case _:
            send(id=id_, result=text(json.dumps(params.get("arguments"))))


TOOLS = [
    {
        "name": name,
        "inputSchema": {"type": "object", "properties": {"a": {"type": "integer"}, "text": {"type": "string"}}},
    }
    for name in ("slow", "fail", "never", "die", "killed", "ask", "error", "pid", "env", "echo")
]


def main() -> None:
    for raw in sys.stdin:
        frame = json.loads(raw)
        if isinstance(frame, list):
            answers = [
                {"jsonrpc": "2.0", "id": each["id"], "result": text("batched")} for each in frame if "id" in each
            ]
            sys.stdout.write(json.dumps(answers) + "\n")
            sys.stdout.flush()
            continue
        id_, params = frame.get("id"), frame.get("params") or {}
        match frame.get("method"):
            case "initialize":
                version = params.get("protocolVersion")
                info = {"name": "scripted", "version": "1"}
                send(id=id_, result={"protocolVersion": version, "serverInfo": info, "capabilities": {}})
            case "tools/list":
                send(id=id_, result={"tools": TOOLS})
            case "tools/call":
                call(id_, params)
            case "prompts/get":
                send(id=id_, result={"messages": []})
            case "resources/read":
                send(id=id_, result={"contents": []})
            case "ping":
                send(id=id_, result={})
            case _ if id_ is not None and "method" in frame:
                send(id=id_, error={"code": -32601, "message": "unknown method"})


if __name__ == "__main__":
    main()
