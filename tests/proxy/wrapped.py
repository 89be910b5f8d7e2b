"""A wrapped server as its client sees it, over real pipes; and what its spool holds."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from mcpobs.segment import scan

INSTRUMENT = [sys.executable, "-m", "mcpobs", "instrument"]
JUDGED = [sys.executable, "-m", "tests.gate.judged_wrapper"]
SCRIPTED = [sys.executable, str(Path(__file__).with_name("scripted.py"))]
DEADLINE_S = 60


def line(**frame: Any) -> bytes:
    return json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n"


def call(id_: object, tool: str, **arguments: Any) -> bytes:
    return line(id=id_, method="tools/call", params={"name": tool, "arguments": arguments})


def rows(lake: Path) -> list[dict[str, Any]]:
    """The whole rows of the spool, as any reader finds them now."""
    segments = sorted((lake / "spool").glob("*.jsonl"))
    return [json.loads(row) for segment in segments for row in scan(segment.read_bytes()).rows]


def attributes(row: dict[str, Any]) -> dict[str, Any]:
    return dict(json.loads(row["attributes"]))


class Wrapped:
    """A server behind `mcpobs instrument`. Killed after a deadline, so that no test hangs."""

    def __init__(
        self,
        lake: Path,
        command: Sequence[str] = SCRIPTED,
        options: Sequence[str] = (),
        deadline_s: float = DEADLINE_S,
        judged: str | None = None,
        **popen: Any,
    ) -> None:
        """`judged`: behind the test judge, with this `on_error`."""
        wrapper = [*INSTRUMENT, "--lake", str(lake), *options, "--", *command]
        if judged is not None:
            wrapper = [*JUDGED, str(lake), judged, *options, "--", *command]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        self.process = subprocess.Popen(wrapper, **{**pipes, **popen})
        self._deadline = threading.Timer(deadline_s, self.process.kill)
        self._deadline.start()

    def send(self, *frames: bytes) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(frames))
        self.process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        return dict(json.loads(self.process.stdout.readline()))

    def server_pid(self) -> int:
        self.send(call("pid", "pid"))
        return int(self.receive()["result"]["content"][0]["text"])

    def leave(self) -> tuple[int, bytes, bytes]:
        """Closes stdin and waits: the exit code, the rest of stdout, stderr."""
        out, err = self.process.communicate(timeout=DEADLINE_S)
        return self.process.returncode, out, err

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._deadline.cancel()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.process.stderr):
            if pipe is not None:
                with suppress(BrokenPipeError):  # of what was not flushed; the pipe itself is closed nevertheless
                    pipe.close()
