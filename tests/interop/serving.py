"""Servers that are reached by HTTP, and the HTTP front before them, each for as long as a test needs it."""

from __future__ import annotations

import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.ports import free_port

START_S = 60  # generous: the machine may be busy
END_S = 30


@dataclass(frozen=True)
class Fronted:
    """A front, where it listens, and where it writes what it has to say."""

    url: str
    lake: Path
    log: Path


@contextmanager
def serving(command: list[str], port: int, log: Path, env: dict[str, str] | None = None) -> Iterator[str]:
    """Runs a server until the end of the block; gives its origin once it listens."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=file, stderr=file, env=env)
    try:
        _wait_for(port, process, log)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.wait(END_S)
        except subprocess.TimeoutExpired:  # a server may wait for its streams for ever
            process.kill()
            process.wait()


@contextmanager
def fronted(upstream: str, lake: Path, name: str = "shop", env: dict[str, str] | None = None) -> Iterator[Fronted]:
    """Runs `mcpobs instrument --listen … --upstream …`. It has to end well, and never to have failed to observe."""
    port, log = free_port(), lake.parent / f"{lake.name}.log"
    options = ["--listen", f"127.0.0.1:{port}", "--upstream", upstream, "--lake", str(lake), "--name", name]
    with log.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "mcpobs", "instrument", *options], stdout=file, stderr=file, env=env
        )
    try:
        _wait_for(port, process, log)
        yield Fronted(f"http://127.0.0.1:{port}", lake, log)
        process.send_signal(signal.SIGTERM)
        assert process.wait(END_S) == 0, log.read_text()
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
    assert "could not be observed" not in log.read_text(), log.read_text()


def _wait_for(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + START_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)  # nothing tells when another program listens
        else:
            return
    raise AssertionError(f"nobody listens on {port}: {log.read_text()}")
