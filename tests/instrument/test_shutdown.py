"""What was seen outlives the process: on SIGTERM, under uvicorn, and after a fork."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
from mcp import Client

from tests.instrument.recorded import calls_of, rows_of
from tests.ports import free_port

WAIT_S = 30
INITIALIZE = (
    b'{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-11-25","capabilities":{},'
    b'"clientInfo":{"name":"c","version":"1"}}}\n'
)
SLOW = (
    b'{"jsonrpc":"2.0","method":"notifications/initialized"}\n'
    b'{"jsonrpc":"2.0","id":2,"method":"tools/call","params":{"name":"slow"}}\n'
)
PING = b'{"jsonrpc":"2.0","id":3,"method":"ping"}\n'
SCRIPT = str(Path(__file__).with_name("exporting_server.py"))


def _start(home: Path, *words: str) -> subprocess.Popen[bytes]:
    env = {**os.environ, "MCPOBS_LAKE": str(home / "lake"), "PYTHONPATH": str(Path(__file__).parents[2])}
    pipe = subprocess.PIPE
    command = [sys.executable, SCRIPT, str(home / "spans"), *words]
    return subprocess.Popen(command, env=env, stdin=pipe, stdout=pipe, stderr=pipe)


def _exported(home: Path) -> list[str]:
    return (home / "spans").read_text().splitlines()


def _ended(process: subprocess.Popen[bytes]) -> tuple[int, bytes]:
    _, err = process.communicate(timeout=WAIT_S)
    return process.returncode, err


def test_a_stdio_server_that_is_terminated_leaves_no_span_behind(home: Path) -> None:
    process = _start(home, "stdio")
    process.stdin.write(INITIALIZE)
    process.stdin.flush()
    assert process.stdout.readline().startswith(b'{"jsonrpc"')
    process.send_signal(signal.SIGTERM)
    assert _ended(process)[0] == -signal.SIGTERM
    assert _exported(home) == ["mcpobs initialize"]
    assert [row["method"] for row in rows_of(home / "lake")] == ["initialize"]


def test_a_call_under_way_when_the_server_is_terminated_is_recorded_as_unfinished(home: Path) -> None:
    process = _start(home, "stdio")
    process.stdin.write(INITIALIZE + SLOW)
    process.stdin.flush()
    process.stdout.readline()
    process.stdin.write(PING)
    process.stdin.flush()
    assert b'"id":3' in process.stdout.readline()  # so the call before it has begun
    process.send_signal(signal.SIGTERM)
    assert _ended(process)[0] == -signal.SIGTERM
    (call,) = calls_of(home / "lake")
    assert (call["tool"], call["outcome"], call["error_type"]) == ("slow", "unfinished", "server_exit")
    assert "mcpobs tools/call slow" in _exported(home)


def test_a_handler_of_the_user_s_own_runs_as_before(home: Path) -> None:
    process = _start(home, "stdio", "--handler")
    process.stdin.write(INITIALIZE)
    process.stdin.flush()
    process.stdout.readline()
    process.send_signal(signal.SIGTERM)
    _, err = _ended(process)
    assert b"the user's handler ran" in err
    assert _exported(home) == ["mcpobs initialize"]


def test_a_server_under_uvicorn_that_is_terminated_leaves_no_span_behind(home: Path) -> None:
    port = free_port()
    process = _start(home, "http", str(port))
    _wait_for(port)

    async def call() -> None:
        async with Client(f"http://127.0.0.1:{port}/mcp") as client:
            await client.call_tool("add", {"a": 1, "b": 2})

    asyncio.run(call())
    process.send_signal(signal.SIGTERM)
    assert _ended(process)[0] == -signal.SIGTERM
    assert "mcpobs tools/call add" in _exported(home)
    assert [row["tool"] for row in calls_of(home / "lake")] == ["add"]


def test_after_a_fork_parent_and_child_record_apart(home: Path) -> None:
    script = Path(__file__).with_name("forking_server.py")
    env = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    command = [sys.executable, str(script), str(home / "lake")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=WAIT_S)
    assert done.returncode == 0, done.stderr
    first, *later = sorted(calls_of(home / "lake"), key=lambda row: row["start_unix_nano"])
    by_tool = {row["tool"]: row for row in later}
    assert set(by_tool) == {"add", "fail"}
    assert by_tool["add"]["session_id"] == first["session_id"]
    assert by_tool["fail"]["session_id"] != first["session_id"]
    assert len({row["span_id"] for row in rows_of(home / "lake")}) == len(rows_of(home / "lake"))
    assert len(list((home / "lake" / "spool").glob("*.jsonl"))) == 2


def _wait_for(port: int) -> None:
    begun = time.monotonic()
    while time.monotonic() < begun + WAIT_S:
        with socket.socket() as tried:
            if tried.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    pytest.fail("the server did not start")
