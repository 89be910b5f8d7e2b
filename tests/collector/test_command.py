"""`mcpobs collect` as a command: from its options to the lake, and what it says of those that do not do."""

from __future__ import annotations

import base64
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from google.protobuf.json_format import MessageToJson
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.cli.collect import CollectOptions, read_options
from mcpobs.errors import UsageError
from mcpobs.installed.commands import add_extra
from mcpobs.lake.reader import open_reading
from mcpobs.listening import Endpoint
from tests.collector.test_grpc import call
from tests.collector.wire import ask, post

MCPOBS = [sys.executable, "-m", "mcpobs"]


def collect(*options: str, **env: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, **env}
    command = [*MCPOBS, "collect", *options]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=environment)


@contextmanager
def running(*options: str, **env: str) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    command = [*MCPOBS, "collect", "--http", "127.0.0.1:0", "--grpc", "127.0.0.1:0", *options]
    environment = {**os.environ, **env}
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment) as popen:
        try:
            assert popen.stderr
            ports = [int(popen.stderr.readline().rpartition(":")[2]) for _ in range(2)]
            yield popen, ports[0], ports[1]
        finally:
            popen.kill()


def one_span(n: int) -> bytes:
    request = ExportTraceServiceRequest()
    span = request.resource_spans.add().scope_spans.add().spans.add()
    span.trace_id, span.span_id = n.to_bytes(16), n.to_bytes(8)
    span.name = f"span {n}"
    span.start_time_unix_nano, span.end_time_unix_nano = 1_700_000_000_000_000_000, 1_700_000_000_000_001_000
    return request.SerializeToString()


def test_acknowledged_spans_are_in_the_lake(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    with running("--lake", str(lake)) as (popen, http, grpc):
        assert ask(http, post(one_span(1))).status == 200
        assert call(grpc, one_span(2)) == b""
        assert ask(http, post(one_span(1))).status == 200
        counters = ask(http, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "GET").json()["counters"]
        popen.send_signal(signal.SIGTERM)
        out, err = popen.communicate(timeout=60)
    assert (popen.returncode, out) == (0, "")
    assert counters["traces.spans"] == 3
    assert re.search(r"^mcpobs: stopped; .*traces\.spans 3", err, re.MULTILINE), err
    expected = subprocess.run(
        [*MCPOBS, "lake", "info", "--lake", str(lake)], capture_output=True, text=True, timeout=60, check=False
    )
    assert expected.returncode == 0, expected.stderr


CANARY = "kAn4rIe-7731-c0de"


def with_content(n: int) -> ExportTraceServiceRequest:
    request = ExportTraceServiceRequest.FromString(one_span(n))
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.name, span.kind, span.status.message = f"tools/call {CANARY}", 2, CANARY
    span.events.add(name=CANARY)
    for key, value in {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "t",
        "gen_ai.tool.call.arguments": CANARY,
    }.items():
        span.attributes.add(key=key).value.string_value = value
    return request


@pytest.mark.parametrize("how", ["option", "configuration", "killed"])
def test_without_content_whatever_way_it_comes_in_and_whoever_commits_it(tmp_path: Path, how: str) -> None:
    lake, options = tmp_path / "lake", ["--redact"]
    if how == "configuration":
        options = []
        (tmp_path / "config.toml").write_text("[collect]\nredact = true\n")
    with running("--lake", str(lake), *options, MCPOBS_CONFIG=str(tmp_path)) as (popen, http, grpc):
        assert ask(http, post(with_content(1).SerializeToString())).status == 200
        assert call(grpc, with_content(2).SerializeToString()) == b""
        json_body = MessageToJson(with_content(3))
        for field in ("traceId", "spanId"):  # OTLP has these in hex digits, protobuf's JSON in base64
            json_body = re.sub(
                f'("{field}": )"([^"]*)"', lambda m: f'{m[1]}"{base64.b64decode(m[2]).hex()}"', json_body
            )
        assert ask(http, post(json_body.encode(), content_type="application/json")).status == 200
        popen.send_signal(signal.SIGKILL if how == "killed" else signal.SIGTERM)
        popen.communicate(timeout=60)
    subprocess.run([*MCPOBS, "lake", "compact", "--lake", str(lake)], check=True, capture_output=True, timeout=120)

    with open_reading(lake) as reading:
        rows = reading.connection.execute("select * from spans").fetchall()
        named = reading.connection.execute("select name, tool, outcome from spans").fetchall()
    assert CANARY not in str(rows)
    assert named == [("tools/call t", "t", "ok")] * 3
    in_table = [path for path in (lake / "spans").rglob("*") if path.is_file()]
    assert not [path for path in in_table if CANARY.encode() in path.read_bytes()]


def test_the_option_stands_above_the_configuration(tmp_path: Path) -> None:
    (tmp_path / "config.toml").write_text("[collect]\nredact = true\n")
    lake = tmp_path / "lake"
    with running("--lake", str(lake), "--no-redact", MCPOBS_CONFIG=str(tmp_path)) as (popen, http, _):
        assert ask(http, post(with_content(1).SerializeToString())).status == 200
        popen.send_signal(signal.SIGTERM)
        popen.communicate(timeout=60)
    with open_reading(lake) as reading:
        assert CANARY in str(reading.connection.execute("select * from spans").fetchall())


def test_the_token_may_come_from_the_environment() -> None:
    with running(MCPOBS_COLLECT_TOKEN="s3cret") as (_, http, _grpc):
        assert ask(http, post(b"")).status == 401
        assert ask(http, post(b"", authorization="Bearer s3cret")).status == 200


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--no-http", "--no-grpc"], "nothing is left"),
        (["--http", ":4318"], "0.0.0.0:4318"),
        (["--grpc", "x:y"], "--grpc"),
        (["--max-body", "much"], "16MiB"),
        (["--max-body", "0"], "--max-body"),
        (["--max-body", "100MiB"], "--max-in-flight"),
        (["--token-file", "nowhere"], "nowhere"),
        (["--token-file", os.devnull], "no token"),
        (["--tls-cert", "x.pem"], "--tls-key"),
        (["--tls-key", "x.pem"], "--tls-cert"),
        (["--tls-client-ca", "x.pem"], "--tls-cert"),
        (["--tls-cert", "nowhere.pem", "--tls-key", "nowhere.key"], "nowhere.pem"),
    ],
)
def test_a_wrong_option_gets_one_line_a_hint_and_code_2(options: list[str], expected: str, tmp_path: Path) -> None:
    shown = collect("--lake", str(tmp_path / "lake"), *options)
    error, hint = shown.stderr.splitlines()
    assert error.startswith("mcpobs: error: ")
    assert hint.startswith("hint: ")
    assert expected in error + hint
    assert (shown.returncode, shown.stdout) == (2, "")


def test_without_its_extra_it_prints_the_command_that_installs_it(tmp_path: Path) -> None:
    for missing in ("aiohttp", "grpc"):
        (tmp_path / "sitecustomize.py").write_text(f"import sys\nsys.modules[{missing!r}] = None\n")
        shown = collect(PYTHONPATH=str(tmp_path))
        assert shown.returncode == 2
        assert shown.stderr == (f"mcpobs: error: `mcpobs collect` needs {missing}\nhint: {add_extra('collect')}\n")


def given(**chosen: str | None) -> CollectOptions:
    nothing = dict.fromkeys(("lake", "token_file", "tls_cert", "tls_key", "tls_client_ca"))
    usual = {"http": "localhost:4318", "grpc": "localhost:4317", "max_body": "16MiB", "max_in_flight": "64MiB"}
    return CollectOptions(**{**nothing, **usual, **chosen})  # type: ignore[arg-type]


def test_without_options_only_this_machine_is_served() -> None:
    options = read_options(given())
    assert (options.http, options.grpc) == (Endpoint("localhost", 4318), Endpoint("localhost", 4317))
    assert (options.tokens, options.tls) == ((), None)


@pytest.mark.parametrize(
    ("text", "size"),
    [("1", 1), ("16MiB", 16 << 20), ("16 mib", 16 << 20), ("16M", 16_000_000), ("1GB", 10**9), ("512KiB", 512 << 10)],
)
def test_a_size_has_a_unit_or_is_bytes(text: str, size: int) -> None:
    assert read_options(given(max_body=text, max_in_flight="1GiB")).limits.body_bytes == size


def test_each_line_of_the_token_file_is_a_token(tmp_path: Path) -> None:
    file = tmp_path / "tokens"
    file.write_text("first\n\n  second  \n")
    assert read_options(given(token_file=str(file))).tokens == ("first", "second")


@pytest.mark.parametrize("token", ["", " ", "two words", "ümlaut", "ctrl\x07"])
def test_a_token_that_no_header_can_carry_is_refused(token: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MCPOBS_COLLECT_TOKEN", token)
    with pytest.raises(UsageError, match="no bearer token"):
        read_options(given())


KNOWN = "kanarie@mail.calc.org"


def test_with_scrub_no_text_of_a_sender_holds_personal_data(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    request = with_content(1)
    span = request.resource_spans[0].scope_spans[0].spans[0]
    span.status.message = f"no user {KNOWN}"
    span.attributes.add(key="db.query.text").value.string_value = f"select '{KNOWN}'"
    with running("--lake", str(lake), "--scrub", MCPOBS_CONFIG=str(tmp_path)) as (popen, http, _):
        assert ask(http, post(request.SerializeToString())).status == 200
        popen.send_signal(signal.SIGTERM)
        _, err = popen.communicate(timeout=60)
    assert not [path for path in lake.rglob("*") if path.is_file() and KNOWN.encode() in path.read_bytes()]
    with open_reading(lake) as reading:
        [(message, attributes)] = reading.connection.execute("select error_message, attributes from spans").fetchall()
    assert re.fullmatch(r"no user \[email:[0-9a-f]{8}\]", message)
    assert message.removeprefix("no user ") in attributes, "equal values stay equal"
    assert KNOWN not in err
