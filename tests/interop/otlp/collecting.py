"""A running `mcpobs collect`, and its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.interop.otelcol.collector import free_ports

READY_S = 60
STOP_S = 60


@dataclass
class Collect:
    """`mcpobs collect` on ports of its own, which it has again after a restart."""

    lake: Path
    home: Path
    http_port: int
    grpc_port: int
    process: subprocess.Popen[bytes] | None = None

    def endpoint(self, protocol: str) -> str:
        return f"http://127.0.0.1:{self.grpc_port if protocol == 'grpc' else self.http_port}"

    def start(self) -> None:
        """Returns when it answers."""
        command = [sys.executable, "-m", "mcpobs", "collect", "--lake", str(self.lake)]
        command += ["--http", f"127.0.0.1:{self.http_port}", "--grpc", f"127.0.0.1:{self.grpc_port}"]
        with (self.home / "collect.stderr").open("ab") as stderr:
            self.process = subprocess.Popen(command, stderr=stderr, env={**os.environ, "HOME": str(self.home)})
        deadline = time.monotonic() + READY_S
        while not self._answers():
            assert self.process.poll() is None, f"it ended\n{self.said()}"
            assert time.monotonic() < deadline, f"it does not answer\n{self.said()}"
            time.sleep(0.05)

    def _answers(self) -> bool:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.http_port}/healthz", timeout=5) as answer:
                return answer.status == 200
        except OSError:
            return False

    def said(self) -> str:
        return (self.home / "collect.stderr").read_text()

    def kill(self) -> None:
        """As a power cut does, as far as a process can know one."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()
        self.process = None

    def stop(self) -> None:
        assert self.process is not None
        process, self.process = self.process, None
        process.send_signal(signal.SIGTERM)
        try:
            code = process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise AssertionError(f"it did not stop\n{self.said()}") from None
        assert code == 0, f"it ended with {code}\n{self.said()}"


@contextmanager
def collecting(folder: Path, home: Path) -> Iterator[Collect]:
    """A collector whose lake is whole after the block: everything in Parquet."""
    http, grpc = free_ports(2)
    collect = Collect(folder / "lake", home, http, grpc)
    collect.start()
    try:
        yield collect
        if collect.process is not None:
            collect.stop()
    finally:
        if collect.process is not None:
            collect.kill()
    command = [sys.executable, "-m", "mcpobs", "lake", "compact", "--lake", str(collect.lake)]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
