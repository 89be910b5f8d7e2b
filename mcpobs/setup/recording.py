"""Runs the self test: a server behind mcpobs, one call, and the report that must have the call.

It uses its own processes and folder, so neither the user's lake nor an OTLP endpoint sees the call.
"""

from __future__ import annotations

import json
import signal
import subprocess
import tempfile
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from typing import Final

from mcpobs import interpreter, temporary
from mcpobs.folders import CONFIG_VARIABLE, LAKE_VARIABLE
from mcpobs.setup.check import Check

ABOUT: Final = "self test"
DEADLINE_S: Final = 60.0
_SHOWN: Final = 160


@dataclass(frozen=True, slots=True)
class Server:
    """A server's command, and a tool that needs no arguments."""

    words: tuple[str, ...]
    tool: str


SAMPLE: Final = Server(tuple(interpreter.command("mcpobs.sample.server")), "list_products")
ECHO: Final = Server(tuple(interpreter.command("mcpobs.setup.echo")), "echo")


def server() -> Server:
    """Returns the sample server if the MCP SDK that it needs is installed, else the echo server."""
    return SAMPLE if find_spec("mcp") is not None and find_spec("mcp.server.mcpserver") is not None else ECHO


def check(env: Mapping[str, str], server: Server, deadline_s: float = DEADLINE_S) -> Check:
    hint = f"run it by hand: mcpobs instrument -- {' '.join(server.words)}"
    folder = temporary.make(env)
    if folder is None:
        return Check(ABOUT, "fail", "no folder for temporary files can be written", "set TMPDIR to a writable folder")
    env = interpreter.environment(env)
    own = {k: v for k, v in env.items() if not k.startswith("OTEL_") and k != LAKE_VARIABLE}
    own[CONFIG_VARIABLE] = str(folder / "config")
    lake = str(folder / "lake")
    try:
        why = _call(server, lake, own, deadline_s)
        if why is not None:
            return Check(ABOUT, "fail", f"a call through mcpobs got no answer: {why}", hint)
        report = _report(lake, own)
    except subprocess.TimeoutExpired:
        return Check(ABOUT, "fail", f"the report of a call did not end within {DEADLINE_S:.0f} s", hint)
    except OSError as error:
        return Check(ABOUT, "fail", f"mcpobs could not be started: {error}", hint)
    finally:
        temporary.remove(folder)
    calls = _calls(report.stdout, server.tool)
    if calls != 1:
        why = last_line(report.stderr) or f"{calls} calls in it"
        return Check(ABOUT, "fail", f"the call was answered, but the report does not have it: {why}", hint)
    return Check(ABOUT, "ok", f"a call of {server.words[-1]} went through mcpobs, and the report has it")


def _call(server: Server, lake: str, env: Mapping[str, str], deadline_s: float) -> str | None:
    """Makes a call; returns why it was not answered, or None if it was.

    A server may drop unanswered requests when its client leaves, so the client stays until the answer arrives. Stderr
    goes to a file, which needs no reader meanwhile.
    """
    front = interpreter.command("mcpobs", "instrument", "--lake", lake, "--name", "doctor", "--", *server.words)
    pipe = subprocess.PIPE
    with (
        tempfile.TemporaryFile() as stderr,
        subprocess.Popen(front, stdin=pipe, stdout=pipe, stderr=stderr, env=env) as process,
    ):
        assert process.stdin is not None
        assert process.stdout is not None
        deadline = threading.Timer(deadline_s, process.kill)
        deadline.start()
        try:
            with suppress(BrokenPipeError):
                process.stdin.write(_conversation(server.tool))
                process.stdin.flush()
            answered = any(_is_answer(line) for line in process.stdout)
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.read()
            code = process.wait()
        finally:
            deadline.cancel()
            process.kill()
        if answered:
            return None
        stderr.seek(0)
        return (
            f"nothing within {deadline_s:.0f} s"
            if code == -signal.SIGKILL
            else last_line(stderr.read()) or f"exit {code}"
        )


def _report(lake: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = interpreter.command("mcpobs", "report", "latency", "--json", "--lake", lake)
    return subprocess.run(command, capture_output=True, env=env, timeout=DEADLINE_S, check=False)


def _conversation(tool: str) -> bytes:
    hello = {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "mcpobs doctor", "version": "1"},
    }
    frames: list[dict[str, object]] = [
        {"id": 1, "method": "initialize", "params": hello},
        {"method": "notifications/initialized"},
        {"id": 2, "method": "tools/call", "params": {"name": tool, "arguments": {}}},
    ]
    return b"".join(json.dumps({"jsonrpc": "2.0", **frame}).encode() + b"\n" for frame in frames)


def _is_answer(line: bytes) -> bool:
    """Returns whether a frame is the result of the call."""
    try:
        frame = json.loads(line)
    except ValueError:
        return False
    return isinstance(frame, dict) and frame.get("id") == 2 and "result" in frame


def _calls(stdout: bytes, tool: str) -> int:
    try:
        rows = json.loads(stdout)["rows"]
        return sum(int(row["calls"]) for row in rows if row["tool"] == tool)
    except (ValueError, KeyError, TypeError):
        return 0


def last_line(stderr: bytes) -> str:
    """Returns the most informative line: an mcpobs error, else the last line."""
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("mcpobs: error")]
    return (errors or lines or [""])[-1][:_SHOWN]
