"""Rotel, a relay for OTLP in Rust, between a sender and us."""

from __future__ import annotations

import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.interop.otelcol.collector import free_ports
from tests.interop.otlp.packages import Senders

READY_S = 60


@contextmanager
def rotel(senders: Senders, home: Path, to: str, protocol: str, compression: str) -> Iterator[str]:
    """The endpoint to send to by HTTP. When the block ends it has passed on all it had."""
    grpc, http = free_ports(2)
    command = [str(senders.rotel()), "start", "--exporter", "otlp", "--otlp-exporter-endpoint", to]
    command += ["--otlp-exporter-protocol", protocol, "--otlp-exporter-compression", compression]
    command += ["--otlp-grpc-endpoint", f"127.0.0.1:{grpc}", "--otlp-http-endpoint", f"127.0.0.1:{http}"]
    command += ["--pid-file", str(home / "rotel.pid"), "--log-file", str(home / "rotel.log")]
    with (home / "rotel.stderr").open("w+") as said:
        process = subprocess.Popen(command, stdout=said, stderr=said, env={"HOME": str(home)})
        try:
            _wait(process, http)
            yield f"http://127.0.0.1:{http}"
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(60)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait(process: subprocess.Popen[bytes], port: int) -> None:
    deadline = time.monotonic() + READY_S
    while True:
        assert process.poll() is None, f"rotel ended with {process.returncode}"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            assert time.monotonic() < deadline, "rotel does not listen"
            time.sleep(0.05)
