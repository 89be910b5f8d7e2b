"""The self test: a server in front of which mcpobs stands, one call, and the report that must have it.

All of it happens in processes and a folder of its own: neither the user's lake nor an OTLP endpoint sees it.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from typing import Final

from mcpobs.settings import CONFIG_VARIABLE, LAKE_VARIABLE
from mcpobs.setup.check import Check

ABOUT: Final = "self test"
DEADLINE_S: Final = 60.0
SAMPLE: Final = ("mcpobs.sample.server", "list_products")
ECHO: Final = ("mcpobs.setup.echo", "echo")
_SHOWN: Final = 160


def check(env: Mapping[str, str]) -> Check:
    """Runs the sample server where the MCP SDK is installed, else one of a few lines."""
    module, tool = SAMPLE if find_spec("mcp") is not None and find_spec("mcp.server.mcpserver") is not None else ECHO
    with tempfile.TemporaryDirectory(prefix="mcpobs-doctor-") as folder:
        own = {k: v for k, v in env.items() if not k.startswith("OTEL_") and k != LAKE_VARIABLE}
        own[CONFIG_VARIABLE] = os.path.join(folder, "config")
        lake = os.path.join(folder, "lake")
        server = (sys.executable, "-m", module)
        front = ("instrument", "--lake", lake, "--name", "doctor", "--", *server)
        hint = f"run it by hand: mcpobs instrument -- {' '.join(server)}"
        try:
            answered, why = _call(front, own, tool)
            if not answered:
                return Check(ABOUT, "fail", f"a call through mcpobs got no answer: {why}", hint)
            told = _report(lake, own)
        except subprocess.TimeoutExpired:
            return Check(ABOUT, "fail", f"a call through mcpobs did not end within {DEADLINE_S:.0f} s", hint)
        except OSError as error:
            return Check(ABOUT, "fail", f"mcpobs could not be started: {error}", hint)
    calls = _calls(told.stdout, tool)
    if calls != 1:
        why = _last(told.stderr) or f"{calls} calls in it"
        return Check(ABOUT, "fail", f"the call was answered, but the report does not have it: {why}", hint)
    return Check(ABOUT, "ok", f"a call of {module} went through mcpobs, and the report has it")


def _call(words: Sequence[str], env: Mapping[str, str], tool: str) -> tuple[bool, str]:
    """Whether a call was answered, and what there is to say if not. A server may drop what it has not answered when its
    client leaves, so the client stays until the answer is there. Stderr is a file, which nobody has to read meanwhile."""
    with tempfile.TemporaryFile() as said:
        command = [sys.executable, "-m", "mcpobs", *words]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, env=env)
        deadline = threading.Timer(DEADLINE_S, process.kill)
        deadline.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            with suppress(BrokenPipeError):
                process.stdin.write(_conversation(tool))
                process.stdin.flush()
            answered = any(_is_answer(line) for line in process.stdout)
            with suppress(BrokenPipeError):
                process.stdin.close()
            process.stdout.read()
            code = process.wait()
        finally:
            deadline.cancel()
        said.seek(0)
        return answered, _last(said.read()) or f"exit code {code}"


def _report(lake: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "mcpobs", "report", "latency", "--json", "--lake", lake]
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
    """Whether a frame is the result of the call."""
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


def _last(stderr: bytes) -> str:
    """The line that tells most: an error of ours, else the last."""
    lines = [line for line in stderr.decode(errors="replace").splitlines() if line.strip()]
    errors = [line for line in lines if line.startswith("mcpobs: error")]
    return (errors or lines or [""])[-1][:_SHOWN]
