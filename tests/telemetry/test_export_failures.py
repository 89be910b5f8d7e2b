"""What happens when the export cannot work: the call path and the end of the process are never held up."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from mcpobs.telemetry.export import Exporter

from .receiver import Receiver
from .rows import operation

Open = Callable[[], Exporter]
PROGRAM = """
import os, sys
from mcpobs.telemetry.export import exporter_from_environment
from tests.telemetry.rows import operation
def warn(text): os.write(2, f"mcpobs: {text}\\n".encode())
exporter = exporter_from_environment(os.environ, service_name="s", instance_id="i", warn=warn)
for _ in range(3):
    exporter.export(operation())
exporter.session_ended(1.0)
exporter.close(float(sys.stdin.readline()))
warn("closed")
"""


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that is taken and on which nobody listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        yield taken.getsockname()[1]


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """Takes connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        listening.settimeout(60)
        yield listening


@contextmanager
def exporting_process(port: int, protocol: str, **env: str) -> Iterator[subprocess.Popen[bytes]]:
    """A process that exports three spans, and closes after a line on its stdin."""
    where = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{port}", "OTEL_EXPORTER_OTLP_PROTOCOL": protocol}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
        env={**os.environ, **where, **env},
    )
    try:
        yield process
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_a_dead_endpoint_is_warned_of_in_one_line_and_counted(protocol: str, dead_port: int) -> None:
    with exporting_process(dead_port, protocol) as process:
        stdout, stderr = process.communicate(b"60\n", timeout=60)
    assert process.returncode == 0
    assert stdout == b""
    failure, hint, summary, closed = stderr.decode().splitlines()
    assert failure.startswith("mcpobs: OTLP: cannot export ")
    assert f"http://127.0.0.1:{dead_port}" in failure
    assert hint.startswith("hint: is a collector listening there?")
    assert summary == "mcpobs: OTLP: 0 spans exported, 3 dropped; the last metrics not exported"
    assert closed == "mcpobs: closed"


@pytest.mark.parametrize("protocol", ["http/protobuf", "grpc"])
def test_an_endpoint_that_hangs_does_not_hold_up_the_end_of_the_process(protocol: str, silent: socket.socket) -> None:
    patient = {"OTEL_EXPORTER_OTLP_TIMEOUT": "3600", "OTEL_BSP_SCHEDULE_DELAY": "1"}
    with exporting_process(silent.getsockname()[1], protocol, **patient) as process, silent.accept()[0]:
        stdout, stderr = process.communicate(b"0.2\n", timeout=60)  # a hang fails here, a slow machine does not
    assert process.returncode == 0
    assert stdout == b""
    summary, closed = stderr.decode().splitlines()
    assert summary == "mcpobs: OTLP: 0 spans exported, 3 dropped; the last metrics not exported"
    assert closed == "mcpobs: closed"


def test_close_returns_while_the_endpoint_still_holds_the_request(
    open_exporter: Open, receiver: Receiver, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TIMEOUT", "3600")
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    receiver.answering.clear()  # until after the test: a close that waited for the answer would never return
    exporter = open_exporter()
    exporter.export(operation())
    receiver.wait_for(lambda: len(receiver.spans()) == 1)
    exporter.close(0.2)
    assert said == ["OTLP: 0 spans exported, 1 dropped"]


def test_while_the_endpoint_holds_the_spans_the_metrics_go_on(
    open_exporter: Open,
    http_receiver: Receiver,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    silent: socket.socket,
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", f"http://127.0.0.1:{silent.getsockname()[1]}/v1/traces")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "3600")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
    exporter = open_exporter()
    for _ in range(50):
        exporter.export(operation())
    name = "mcp.server.operation.duration"
    http_receiver.wait_for(lambda: [point.count for point in http_receiver.points(name)] == [50])
    exporter.close(0.2)
    assert said[-1].startswith("OTLP: 0 spans exported, 50 dropped")


def test_a_full_queue_drops_and_counts_and_never_waits(
    open_exporter: Open, receiver: Receiver, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "10")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    receiver.answering.clear()
    exporter = open_exporter()
    exporter.export(operation())
    receiver.wait_for(lambda: len(receiver.spans()) == 1)  # its thread now waits for the answer
    for _ in range(25):
        exporter.export(operation())
    receiver.answering.set()
    exporter.close(60)
    assert len(receiver.spans()) == 11
    assert said == ["OTLP: 11 spans exported, 15 dropped"]


def test_rows_that_come_after_the_end_are_ignored(open_exporter: Open, http_receiver: Receiver) -> None:
    exporter = open_exporter()
    exporter.export(operation())
    exporter.close(60)
    exporter.export(operation())
    exporter.session_ended(1.0)
    exporter.close(60)
    assert len(http_receiver.spans()) == 1


@pytest.mark.parametrize(("status", "hint"), [(400, "is a collector listening"), (401, "OTEL_EXPORTER_OTLP_HEADERS")])
def test_a_refusal_by_the_endpoint_is_warned_of_once_with_a_hint(
    open_exporter: Open,
    http_receiver: Receiver,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    status: int,
    hint: str,
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "1")
    http_receiver.status = status
    exporter = open_exporter()
    for _ in range(3):
        exporter.export(operation())
    exporter.close(60)
    failure, summary = said
    assert f"code: {status}" in failure
    assert hint in failure
    assert summary == "OTLP: 0 spans exported, 3 dropped; the last metrics not exported"


def test_after_a_failure_the_next_batches_are_exported(
    open_exporter: Open, http_receiver: Receiver, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRICS_EXPORTER", "none")
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "1")
    http_receiver.status = 400
    exporter = open_exporter()
    exporter.export(operation())
    http_receiver.wait_for(lambda: http_receiver.answered == 1)
    http_receiver.status = 200
    exporter.export(operation())
    exporter.close(60)
    assert said[-1] == "OTLP: 1 spans exported, 1 dropped"


@pytest.mark.parametrize(
    ("variable", "value"), [("OTEL_EXPORTER_OTLP_COMPRESSION", "zstd"), ("OTEL_EXPORTER_OTLP_TIMEOUT", "soon")]
)
def test_a_value_that_the_sdk_cannot_read_is_warned_of_once(
    open_exporter: Open,
    receiver: Receiver,
    said: list[str],
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
) -> None:
    monkeypatch.setenv(variable, value)
    exporter = open_exporter()
    exporter.export(operation())
    exporter.close(60)
    warning, summary = said
    assert value in warning
    if receiver.requests:  # newer releases say so themselves and take their default
        assert summary == "OTLP: 1 spans exported, 0 dropped; metrics exported"
    else:
        assert warning.startswith(f"OTLP: nothing is exported to {receiver.endpoint}: ")
        assert summary == "OTLP: 0 spans exported, 1 dropped; the last metrics not exported, 1 not measured"


def test_an_unknown_sampler_is_warned_of(
    open_exporter: Open, http_receiver: Receiver, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "sometimes")
    exporter = open_exporter()
    exporter.close(60)
    assert [line for line in said if "sometimes" in line]


def test_an_unreadable_header_is_warned_of_without_its_content(
    open_exporter: Open, http_receiver: Receiver, said: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", 'authorization: "s3cret"')
    exporter = open_exporter()
    exporter.close(60)
    assert [line for line in said if "OTEL_EXPORTER_OTLP_HEADERS" in line]
    assert not [line for line in said if "s3cret" in line]


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_wrong_batch_setting_is_warned_of_and_the_default_taken(
    open_exporter: Open, http_receiver: Receiver, said: list[str], monkeypatch: pytest.MonkeyPatch, value: str
) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", value)
    exporter = open_exporter()
    for _ in range(1000):
        exporter.export(operation())
    exporter.close(60)
    assert said == [
        f"OTLP: OTEL_BSP_MAX_QUEUE_SIZE={value} is not a positive whole number: 2048 is used",
        "OTLP: 1000 spans exported, 0 dropped; metrics exported",
    ]
