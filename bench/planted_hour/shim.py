"""Stands before a stdio server and swallows or delays the answers of some tools; passes all else unchanged.

    python shim.py FAULTS.json COMMAND …

FAULTS.json has for each tool the fault, the Unix time from which it holds, and the delay. Needs only the standard
library: it is started as a script, once a session.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any


class Faults:
    """Remembers which requests call a faulty tool."""

    def __init__(self, by_tool: dict[str, dict[str, Any]]) -> None:
        self._by_tool = by_tool
        self._waiting: dict[Any, dict[str, Any]] = {}

    def note(self, line: bytes) -> None:
        message = json.loads(line)
        if message.get("method") == "tools/call":
            fault = self._by_tool.get(message["params"]["name"])
            if fault and time.time() >= fault["from"]:
                self._waiting[message["id"]] = fault

    def of(self, line: bytes) -> dict[str, Any] | None:
        message = json.loads(line)
        return None if "method" in message else self._waiting.pop(message.get("id"), None)


def _requests(client: IO[bytes], server: IO[bytes], faults: Faults) -> None:
    for line in client:
        faults.note(line)
        server.write(line)
        server.flush()
    server.close()


def _answers(server: IO[bytes], client: IO[bytes], faults: Faults) -> None:
    writing = threading.Lock()

    def write(line: bytes) -> None:
        with writing:
            client.write(line)
            client.flush()

    for line in server:
        match faults.of(line):
            case None:
                write(line)
            case {"kind": "delay", "delay_s": [least, most]}:
                threading.Timer(random.uniform(least, most), write, [line]).start()


def main(faults_file: str, *command: str) -> int:
    faults = Faults(json.loads(Path(faults_file).read_text()))
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    threading.Thread(target=_requests, args=(sys.stdin.buffer, process.stdin, faults), daemon=True).start()
    _answers(process.stdout, sys.stdout.buffer, faults)
    return process.wait()


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
