"""The real Collector: its binary, built once, and a running one."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import pytest

from mcpobs.resources import shipped

BINARY_VARIABLE = "MCPOBS_OTELCOL"
CACHE_VARIABLE = "MCPOBS_INTEROP_CACHE"
BUILD_S = 1800
READY = "Everything is ready."
QUIET = "yaml:service::telemetry::metrics::level: none"  # else each Collector listens on port 8888 too
_HERE = Path(__file__).parent


@pytest.fixture(scope="session")
def otelcol(request: pytest.FixtureRequest) -> Path:
    """The Collector that MCPOBS_OTELCOL names; else it is built once, in MCPOBS_INTEROP_CACHE or pytest's cache."""
    if named := os.environ.get(BINARY_VARIABLE):
        return Path(named)
    chosen = os.environ.get(CACHE_VARIABLE)
    cache = Path(chosen) if chosen else Path(request.config.cache.mkdir("interop"))
    recipe = b"".join((_HERE / name).read_bytes() for name in ("main.go", "build.sh"))
    folder = cache / f"otelcol-{hashlib.sha256(recipe).hexdigest()[:12]}"
    built = subprocess.run(
        ["sh", str(_HERE / "build.sh"), str(folder)], capture_output=True, text=True, timeout=BUILD_S
    )
    assert built.returncode == 0, f"no Collector ({BINARY_VARIABLE} may name one)\n{built.stdout}\n{built.stderr}"
    return folder / "otelcol"


@dataclass
class Collector:
    """A running Collector and what it says."""

    grpc: str
    http: str
    process: subprocess.Popen[str]
    said: list[str]


def arguments(name: str, *more: str) -> list[str]:
    """Our configuration of that name, with what is laid over it."""
    configs = [str(shipped("collector-config") / name), *more, QUIET]
    return [part for config in configs for part in ("--config", config)]


@contextmanager
def running(binary: Path, config: list[str], environment: dict[str, str]) -> Iterator[Collector]:
    """A Collector with free ports that takes spans; ended as a service manager would."""
    grpc, http = (f"127.0.0.1:{port}" for port in free_ports(2))
    process = subprocess.Popen(
        [str(binary), *config],
        env={**environment, "OTLP_GRPC_LISTEN": grpc, "OTLP_HTTP_LISTEN": http},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    said: list[str] = []
    for line in process.stderr:
        said.append(line)
        if READY in line:
            break
    else:
        raise AssertionError(f"the Collector ended with {process.wait()}\n{''.join(said)}")
    rest = process.stderr
    reading = Thread(target=lambda: said.extend(rest), daemon=True)  # a full pipe would stop it
    reading.start()
    try:
        yield Collector(grpc, http, process, said)
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        reading.join(5)
        rest.close()


def free_ports(count: int) -> list[int]:
    """Ports that nobody listens on at this moment."""
    sockets = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    try:
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()
