"""A shop for fronts to stand before: tools that answer with their arguments, one that fails, one that breaks.

As a script it serves stdio, without any SDK. What a call costs is the argument `cost` of the answer."""

import json
import sys
from typing import Any

TOOLS = ("search", "fetch", "refund", "fail", "broken")


def answer(frame: dict[str, Any]) -> dict[str, Any] | None:
    """The response to a message; None for a notification."""
    if "id" not in frame:
        return None
    params = frame.get("params") or {}
    match frame["method"], params.get("name"):
        case "initialize", _:
            info = {"name": "shop", "version": "1"}
            return _result(frame, protocolVersion=params["protocolVersion"], serverInfo=info, capabilities={})
        case "tools/list", _:
            return _result(frame, tools=[{"name": name, "inputSchema": {"type": "object"}} for name in TOOLS])
        case "tools/call", "broken":
            return {"jsonrpc": "2.0", "id": frame["id"], "error": {"code": -32603, "message": "broken"}}
        case "tools/call", name:
            content = [{"type": "text", "text": json.dumps(params.get("arguments"))}]
            return _result(frame, content=content, isError=name == "fail")
        case "prompts/get", _:
            return _result(frame, messages=[])
        case "resources/read", _:
            return _result(frame, contents=[])
    return _result(frame)


def _result(frame: dict[str, Any], **members: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": frame["id"], "result": {"resultType": "complete", **members}}


def main() -> None:
    for line in sys.stdin:
        response = answer(json.loads(line))
        if response is not None:
            sys.stdout.write(json.dumps(response) + "\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
