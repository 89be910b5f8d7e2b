"""Our configurations in a real Collector: it takes them, and they do what their comments say."""

from __future__ import annotations

import gzip
import subprocess
import time
import urllib.error
import urllib.request
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
import yaml
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.resources import shipped
from tests.interop.otelcol.collector import arguments, free_ports, running

pytestmark = pytest.mark.interop

CORE = {"batch", "memory_limiter"}  # the processors of the Collector that build.sh makes
DEADLINE_S = 60
NOWHERE = "http://127.0.0.1:9"  # the port `discard`: nobody listens


def validated(binary: Path, config: list[str], environment: dict[str, str] | None = None) -> tuple[int, str]:
    done = subprocess.run(
        [str(binary), "validate", *config], env=environment or {}, capture_output=True, text=True, timeout=60
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize("name", ["otelcol.yaml", "otelcol-fanout.yaml"])
def test_the_collector_takes_a_configuration_of_core_components(name: str, otelcol: Path) -> None:
    assert validated(otelcol, arguments(name), {"BACKEND_ENDPOINT": NOWHERE}) == (0, "")


def test_the_collector_takes_the_core_part_of_the_redacting_one(otelcol: Path, tmp_path: Path) -> None:
    config = yaml.safe_load((shipped("collector-config") / "otelcol-redact.yaml").read_text())
    foreign = {name for name in config["processors"] if name.split("/")[0] not in CORE}
    assert foreign == {"attributes/content", "transform/content", "redaction/users"}
    for name in foreign:
        del config["processors"][name]
    for pipeline in config["service"]["pipelines"].values():
        pipeline["processors"] = [name for name in pipeline["processors"] if name not in foreign]
    (tmp_path / "core.yaml").write_text(yaml.safe_dump(config))
    assert validated(otelcol, ["--config", str(tmp_path / "core.yaml")]) == (0, "")


def test_the_collector_refuses_a_fan_out_without_a_backend(otelcol: Path) -> None:
    code, said = validated(otelcol, arguments("otelcol-fanout.yaml"))
    assert code == 1
    assert "otlp_http/backend: at least one endpoint must be specified" in said


def test_the_collector_takes_the_bearer_token_of_the_readme(otelcol: Path) -> None:
    readme = (shipped("collector-config") / "README.md").read_text()
    (token,) = [line.strip().split("--config ")[1].strip("'") for line in readme.splitlines() if "'yaml:" in line]
    assert validated(otelcol, arguments("otelcol.yaml", token), {"MCPOBS_TOKEN": "t"}) == (0, "")
    assert validated(otelcol, arguments("otelcol.yaml", token.replace("headers", "header")))[0] == 1


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("queue_size:", "queue_sise:"),
        ("flush_timeout:", "timeout:"),
        ("compression: gzip", "compression: gz"),
        ("sizer: items", "sizer: spans"),
        ("min_size: 1000000", "min_size: 9000000"),
        ("enabled: true", "enable: true"),
        ("exporters: [nop]", "exporters: []"),
        ("${env:MCPOBS_ENDPOINT:-", "${env:mcpobs/endpoint:-"),
    ],
)
def test_the_collector_refuses_what_the_schema_check_refuses(
    right: str, wrong: str, otelcol: Path, tmp_path: Path
) -> None:
    text = (shipped("collector-config") / "otelcol.yaml").read_text()
    assert right in text
    (tmp_path / "wrong.yaml").write_text(text.replace(right, wrong))
    code, said = validated(otelcol, ["--config", str(tmp_path / "wrong.yaml")])
    assert code == 1, said


# -- what they do when one side is down --------------------------------------------------------------------


class Sink:
    """An OTLP/HTTP server that counts the spans it gets."""

    def __init__(self) -> None:
        self.spans: Counter[bytes] = Counter()
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                request = ExportTraceServiceRequest.FromString(gzip.decompress(body))
                sink.spans.update(s.span_id for r in request.resource_spans for p in r.scope_spans for s in p.spans)
                self.send_response(200)
                self.send_header("Content-Type", "application/x-protobuf")
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.endpoint = f"http://127.0.0.1:{self.server.server_address[1]}"

    def __enter__(self) -> Sink:
        Thread(target=self.server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.server.shutdown()
        self.server.server_close()

    def has(self, spans: set[bytes]) -> bool:
        """Waits until the spans are there."""
        deadline = time.monotonic() + DEADLINE_S
        while not spans <= self.spans.keys() and time.monotonic() < deadline:
            time.sleep(0.05)
        return spans <= self.spans.keys()


def send(to: str, number: int, spans: int) -> tuple[int, set[bytes]]:
    """A request of that many spans; the status of the answer."""
    request = ExportTraceServiceRequest()
    scope = request.resource_spans.add().scope_spans.add()
    ids = {(number * 10_000 + place + 1).to_bytes(8, "big") for place in range(spans)}
    for one in ids:
        scope.spans.add(trace_id=bytes(15) + b"\1", span_id=one, name="s", start_time_unix_nano=1, end_time_unix_nano=2)
    post = urllib.request.Request(
        f"http://{to}/v1/traces", request.SerializeToString(), {"Content-Type": "application/x-protobuf"}
    )
    try:
        with urllib.request.urlopen(post, timeout=30) as answer:
            return answer.status, ids
    except urllib.error.HTTPError as error:
        return error.code, ids


@pytest.mark.parametrize("down", ["backend", "mcpobs"])
def test_a_backend_that_is_down_with_its_queue_full_does_not_hold_up_the_other(down: str, otelcol: Path) -> None:
    up = "mcpobs" if down == "backend" else "backend"
    small = f"yaml:exporters::otlp_http/{down}::sending_queue::queue_size: 100"
    quick = "yaml:processors::batch/{}: {{timeout: 10ms, send_batch_size: 50, send_batch_max_size: 50}}"
    config = arguments("otelcol-fanout.yaml", small, quick.format("backend"), quick.format("mcpobs"))
    with Sink() as sink:
        endpoints = {f"{up.upper()}_ENDPOINT": sink.endpoint, f"{down.upper()}_ENDPOINT": NOWHERE}
        with running(otelcol, config, endpoints) as collector:
            sent: set[bytes] = set()
            for number in range(40):
                status, ids = send(collector.http, number, 100)
                assert status == 200
                sent |= ids
            assert sink.has(sent), f"{len(sink.spans)} of {len(sent)}"
        assert set(sink.spans.values()) == {1}
        assert any("sending queue is full" in line for line in collector.said)


def test_a_full_queue_is_reported_to_the_sender_and_the_rest_arrives_once_after_the_outage(otelcol: Path) -> None:
    (port,) = free_ports(1)
    config = arguments(
        "otelcol.yaml",
        "yaml:exporters::otlp_http/mcpobs::sending_queue::queue_size: 1000",
        "yaml:exporters::otlp_http/mcpobs::sending_queue::batch: {sizer: items, min_size: 100, max_size: 100}",
        "yaml:exporters::otlp_http/mcpobs::retry_on_failure: {initial_interval: 100ms, max_interval: 200ms}",
    )
    with running(otelcol, config, {"MCPOBS_ENDPOINT": f"http://127.0.0.1:{port}"}) as collector:
        taken: set[bytes] = set()
        statuses = []
        for number in range(30):
            status, ids = send(collector.http, number, 100)
            statuses.append(status)
            taken |= ids if status == 200 else set()
        assert set(statuses) == {200, 503}
        assert len(taken) >= 1000
        sink = Sink()
        sink.server.server_close()
        sink.server = ThreadingHTTPServer(("127.0.0.1", port), sink.server.RequestHandlerClass)
        with sink:
            assert sink.has(taken), f"{len(sink.spans)} of {len(taken)}"
            assert sink.spans.keys() == taken


@pytest.mark.parametrize("signal", ["metrics", "logs"])
def test_metrics_and_logs_are_taken_and_go_nowhere(signal: str, otelcol: Path) -> None:
    with Sink() as sink:
        with running(otelcol, arguments("otelcol.yaml"), {"MCPOBS_ENDPOINT": sink.endpoint}) as collector:
            post = urllib.request.Request(
                f"http://{collector.http}/v1/{signal}", b"", {"Content-Type": "application/x-protobuf"}
            )
            with urllib.request.urlopen(post, timeout=30) as answer:
                assert answer.status == 200
        assert not sink.spans
