"""A conversation with its own clock, fed with messages in place of bytes."""

from __future__ import annotations

import json
from typing import Any

from mcpobs.protocol.call import Call
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.cut import Cut
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.lifecycle import Lifecycle
from mcpobs.protocol.operation import Operation, Stamp
from mcpobs.protocol.registry import Registry
from mcpobs.sessions.stdio import StdioSessions

KEY = b"0123456789abcdef0123456789abcdef"
STEP_NS = 1_000_000


class Talk:
    """Each frame comes a millisecond after the one before it."""

    def __init__(self) -> None:
        sessions = StdioSessions("process", 0)
        self.seen = Conversation(Lifecycle(Facts(KEY), Registry(), sessions), sessions.caller)
        self._at = 0

    def stamp(self) -> Stamp:
        self._at += STEP_NS
        return Stamp(1_790_000_000_000_000_000 + self._at, self._at)

    def pass_time(self, ns: int) -> None:
        self._at += ns

    def client(self, message: Any) -> list[Operation]:
        return operations(self.seen.feed("client", _frame(message), self.stamp()))

    def server(self, message: Any) -> list[Operation]:
        return operations(self.seen.feed("server", _frame(message), self.stamp()))

    def ask(self, method: str, params: Any = None, request_id: Any = 1) -> list[Operation]:
        return self.client(request(method, params, request_id))

    def call(self, tool: str, arguments: Any, result: Any, request_id: Any = 1) -> Operation:
        """One whole tools/call."""
        assert self.ask("tools/call", {"name": tool, "arguments": arguments}, request_id) == []
        (operation,) = self.server(response(result, request_id))
        return operation

    def close(self, error_type: str = "server_exit") -> list[Operation]:
        return operations(self.seen.close(self.stamp(), error_type))


def operations(calls: list[Call]) -> list[Operation]:
    return [call.operation for call in calls]


def request(method: str, params: Any = None, request_id: Any = 1) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "id": request_id, "method": method}
    return message if params is None else {**message, "params": params}


def notification(method: str, params: Any = None) -> dict[str, Any]:
    message = {"jsonrpc": "2.0", "method": method}
    return message if params is None else {**message, "params": params}


def response(result: Any, request_id: Any = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": result}


def failure(code: Any, request_id: Any = 1, message: str = "no") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "error": {"code": code, "message": message}}


def text_result(*texts: str, **more: Any) -> dict[str, Any]:
    return {"content": [{"type": "text", "text": text} for text in texts], **more}


def _frame(message: Any) -> bytes | Cut:
    return message if isinstance(message, bytes | Cut) else json.dumps(message, separators=(",", ":")).encode()
