"""A client that makes calls as fast as a server answers, some of them at once, and keeps the answers."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from bench.clean_traffic.servers import Call

IN_FLIGHT: Final = 4
START: Final = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "bench", "version": "1"}}


def answers(
    command: Sequence[str], calls: Sequence[Call], home: Path, path: str
) -> Iterator[tuple[int, dict[str, Any]]]:
    """Yields the number of each call with its answer. Messages of the server itself are left out."""
    environment = {"HOME": str(home), "PATH": path}
    with (home / "stderr").open("a") as stderr:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=stderr, env=environment
        )
    assert process.stdin is not None and process.stdout is not None
    _send(process, {"id": "start", "method": "initialize", "params": START})
    process.stdout.readline()
    _send(process, {"method": "notifications/initialized"})
    asked = 0
    answered = 0
    while answered < len(calls):
        while asked < len(calls) and asked - answered < IN_FLIGHT:
            tool, arguments = calls[asked]
            _send(process, {"id": asked, "method": "tools/call", "params": {"name": tool, "arguments": arguments}})
            asked += 1
        line = process.stdout.readline()
        if not line:
            raise EOFError(f"{command[-1]} ended after {answered} answers: {home / 'stderr'}")
        message = json.loads(line)
        if "method" not in message:
            answered += 1
            yield message["id"], message
        elif "id" in message:
            _send(process, {"id": message["id"], "error": {"code": -32601, "message": "not offered"}})
    process.stdin.close()
    process.stdout.read()
    process.wait()


def _send(process: subprocess.Popen[bytes], message: dict[str, Any]) -> None:
    assert process.stdin is not None
    process.stdin.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
    process.stdin.flush()
