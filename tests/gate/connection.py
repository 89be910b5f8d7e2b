"""A connection through the gate without a transport: frames in, frames out, and the rows that were recorded."""

from __future__ import annotations

import json
import threading
from typing import Any

from mcpobs.gate.frames import FrameGate, Held, Outgoing
from mcpobs.gate.gate import Gate
from mcpobs.gate.judge import Judge
from mcpobs.gate.recorder import Recorder
from mcpobs.gate.row import Origin, Row, Rows
from mcpobs.protocol.call import Call
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.lifecycle import Lifecycle, now
from mcpobs.protocol.operation import Sender
from mcpobs.protocol.registry import Registry
from mcpobs.segment import LinePrefix
from mcpobs.sessions.stdio import StdioSessions

WAIT_S = 20


class Kept:
    """A sink in memory."""

    def __init__(self) -> None:
        self.rows: list[dict[str, Any]] = []

    def write(self, row: Row, prefix: LinePrefix) -> bool:
        return True

    def export(self, row: Row) -> None:
        self.rows.append(dict(row))


class Connection:
    """Both ends of a connection whose frames a judge decides."""

    def __init__(self, judge: Judge | None, puts_off: bool = True) -> None:
        self.kept = Kept()
        self.said: list[str] = []
        recorder = Recorder(Rows(Origin("s", "i", "stdio", "pipe", "proxy/stdio")), None, self.kept)
        sessions = StdioSessions("process", 0)
        self.gate = Gate(recorder, judge, self.said.append)
        lifecycle = Lifecycle(Facts(b"k" * 32), Registry(), sessions, keeps_content=True, puts_off=puts_off)
        self.conversation = Conversation(lifecycle, sessions.caller)
        self.frames = FrameGate(self.gate, self.conversation)

    @property
    def rows(self) -> list[dict[str, Any]]:
        return self.kept.rows

    def take(self, sender: Sender, frame: bytes | dict[str, Any]) -> Held:
        return self.frames.take(sender, frame if isinstance(frame, bytes) else dumped(frame), now(), self.record)

    def pass_on(self, sender: Sender, frame: bytes | dict[str, Any]) -> Outgoing:
        """Takes a frame and waits for its decision."""
        held, ready = self.take(sender, frame), threading.Event()
        held.when_ready(lambda: ready.set() if held.ready else None)
        assert ready.wait(WAIT_S)
        return held.release()

    def client(self, frame: bytes | dict[str, Any]) -> Outgoing:
        return self.pass_on("client", frame)

    def server(self, frame: bytes | dict[str, Any]) -> Outgoing:
        return self.pass_on("server", frame)

    def close(self) -> None:
        self.frames.close(now(), "server_exit", self.record)

    def record(self, call: Call) -> None:
        self.gate.record(call)


def call(tool: str, request_id: object = 1, **arguments: Any) -> dict[str, Any]:
    params = {"name": tool, "arguments": arguments}
    return {"jsonrpc": "2.0", "id": request_id, "method": "tools/call", "params": params}


def result(request_id: object = 1, words: str = "fine") -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "result": {"content": [{"type": "text", "text": words}]}}


def dumped(frame: Any) -> bytes:
    return json.dumps(frame, separators=(",", ":")).encode()
