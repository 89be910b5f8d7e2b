"""`mcpobs serve` over real pipes: frames by hand, and how it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from mcpobs.serve.stdio import MAX_LINE
from tests.serve.frames import Frame, initialize, line, modern, notification, request
from tests.serve.test_pool import FOREVER, HOLDING

Start = Callable[..., "Server"]


class Server:
    """A running `mcpobs serve`."""

    def __init__(self, lake: Path, *front: str) -> None:
        self.process = subprocess.Popen(
            [*front, sys.executable, "-m", "mcpobs", "serve", "--lake", str(lake)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def send(self, *frames: Any) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(b"".join(line(frame) + b"\n" for frame in frames))
        self.process.stdin.flush()

    def receive(self) -> Frame:
        assert self.process.stdout is not None
        received: Frame = json.loads(self.process.stdout.readline())
        return received

    def ask(self, frame: Frame) -> Frame:
        self.send(frame)
        received = self.receive()
        assert received["id"] == frame["id"]
        return received

    def end(self, last: bytes = b"") -> tuple[int, bytes, bytes]:
        """Closes its stdin; what was left on stdout, and stderr."""
        out, err = self.process.communicate(last, timeout=60)
        return self.process.returncode, out, err


@pytest.fixture
def start(lake: Path) -> Iterator[Start]:
    started: list[Server] = []

    def start(folder: Path = lake, *front: str) -> Server:
        started.append(Server(folder, *front))
        return started[-1]

    yield start
    for server in started:
        if server.process.poll() is None:
            server.process.kill()
        server.process.communicate()


def test_a_legacy_conversation(start: Start) -> None:
    server = start()
    assert server.ask(initialize(0, "2024-11-05"))["result"]["protocolVersion"] == "2024-11-05"
    server.send(notification("notifications/initialized"))
    names = [tool["name"] for tool in server.ask(request("l", "tools/list"))["result"]["tools"]]
    assert names == ["overview", "report", "session_timeline", "explain", "sql", "columns"]
    result = server.ask(request(2, "tools/call", name="report", arguments={"name": "loops"}))["result"]
    assert "resultType" not in result
    assert result["structuredContent"]["rows"][0]["session_id"] == "looping"
    assert json.loads(result["content"][0]["text"]) == result["structuredContent"]
    assert server.end() == (0, b"", b"")


def test_a_modern_conversation(start: Start) -> None:
    server = start()
    assert server.ask(modern(1, "server/discover"))["result"]["supportedVersions"] == ["2026-07-28"]
    result = server.ask(modern(2, "tools/call", name="sql", arguments={"query": "select 1 as one"}))["result"]
    assert result["resultType"] == "complete"
    assert result["structuredContent"]["rows"] == [{"one": 1}]
    assert server.end() == (0, b"", b"")


def test_a_client_may_write_frames_in_pieces_and_several_at_once(start: Start) -> None:
    server = start()
    assert server.process.stdin is not None
    both = line(initialize(0)) + b"\r\n\n" + line(request(1, "ping")) + b"\n"
    for place in range(0, len(both), 7):
        server.process.stdin.write(both[place : place + 7])
        server.process.stdin.flush()
    assert [server.receive()["id"], server.receive()["id"]] == [0, 1]


def test_a_line_that_is_too_long_is_refused_and_the_next_one_taken(start: Start) -> None:
    server = start()
    server.send(initialize(0), request(1, "ping", padding="x" * MAX_LINE), request(2, "ping"))
    assert server.receive()["id"] == 0
    assert server.receive()["error"]["code"] == -32600
    assert server.receive()["id"] == 2


def test_a_cancelled_call_is_never_answered_and_later_ones_are(start: Start) -> None:
    server = start()
    server.ask(initialize(0))
    server.send(request(1, "tools/call", name="sql", arguments={"query": FOREVER, "timeout_s": 30}))
    server.send(notification("notifications/cancelled", requestId=1))
    assert server.ask(request(2, "tools/call", name="columns"))["result"]["isError"] is False
    assert server.end() == (0, b"", b"")


def test_answers_come_when_they_are_there_and_not_in_order(start: Start) -> None:
    server = start()
    server.ask(initialize(0))
    server.send(request("slow", "tools/call", name="sql", arguments={"query": FOREVER, "timeout_s": 2}))
    server.send(request("quick", "tools/call", name="columns"))
    assert server.receive()["id"] == "quick"
    slow = server.receive()
    assert (slow["id"], slow["result"]["isError"]) == ("slow", True)


@pytest.mark.parametrize("query", [FOREVER, HOLDING])
def test_the_end_of_its_input_ends_it_in_the_middle_of_a_query(query: str, start: Start) -> None:
    server = start()
    server.ask(initialize(0))
    server.send(request(1, "tools/call", name="sql", arguments={"query": query, "timeout_s": 30}))
    server.ask(request(2, "ping"))
    assert server.end() == (0, b"", b"")


def test_what_was_answered_before_the_end_of_the_input_is_written_whole(start: Start) -> None:
    server = start()
    assert server.process.stdin is not None
    frames = [initialize(0), *(request(number, "tools/list") for number in range(1, 6))]
    code, out, err = server.end(b"".join(line(frame) + b"\n" for frame in frames))
    assert (code, err) == (0, b"")
    assert [json.loads(answer)["id"] for answer in out.splitlines()] == list(range(6))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_ends_it(number: signal.Signals, code: int, start: Start) -> None:
    server = start()
    server.ask(initialize(0))
    server.send(request(1, "tools/call", name="sql", arguments={"query": HOLDING, "timeout_s": 30}))
    server.ask(request(2, "ping"))
    server.process.send_signal(number)
    assert server.process.wait(60) == code
    assert server.end() == (code, b"", b"")


def test_a_client_that_went_away_ends_it(start: Start) -> None:
    server = start()
    server.ask(initialize(0))
    assert server.process.stdout is not None
    server.process.stdout.close()
    assert server.process.wait(60) == 0


def test_a_client_that_does_not_read_gets_everything_later(start: Start) -> None:
    server = start()
    server.ask(initialize(0))
    for number in range(1, 31):
        server.send(request(number, "tools/call", name="columns"))
    received = [server.receive() for _ in range(30)]
    assert {frame["id"] for frame in received} == set(range(1, 31))
    assert sum(len(json.dumps(frame)) for frame in received) > 1 << 18  # more than a pipe holds


def test_without_stdin_or_stdout_it_says_so(lake: Path) -> None:
    command = ["sh", "-c", f"{sys.executable} -m mcpobs serve --lake {lake} <&-"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("mcpobs: error: serve needs stdin and stdout")


def test_it_starts_without_a_lake_and_finds_one_that_comes_later(start: Start, lake: Path, tmp_path: Path) -> None:
    server = start(tmp_path / "later")
    server.ask(initialize(0))
    reply = server.ask(request(1, "tools/call", name="overview"))["result"]
    assert reply["isError"] is True
    assert "mcpobs instrument" in reply["content"][0]["text"]
    os.symlink(lake, tmp_path / "later")
    assert server.ask(request(2, "tools/call", name="overview"))["result"]["isError"] is False
    code, out, err = server.end()
    assert (code, out) == (0, b"")
    assert err.startswith((b"mcpobs: there is no lake at ", b"mcpobs: no lake at "))
