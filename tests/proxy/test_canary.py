"""A secret in every place that a client, a server or an operator may put one into: no front records or exports it."""

from __future__ import annotations

import http.client
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest

from mcpobs.lake.reader import open_reading
from mcpobs.protocol.naming import session_digest
from tests.seeds import some
from tests.telemetry.receiver import Receiver, receiving

CANARY = "kAn4rIe-7731-c0de"
KNOWN = ("AKIA" + "K4N4RIEQ2MZ7TWBX", "kanarie@mail.calc.org", "+49 30 773101337")
"""Secrets and personal data that can be recognised: they are recorded nowhere either, not even within a text that is
recorded, as the name of a client."""
ALL_KNOWN = " ".join(KNOWN)
SERVER = str(Path(__file__).with_name("scripted.py"))
MCPOBS = [sys.executable, "-m", "mcpobs"]
META = {"progressToken": CANARY, "baggage": f"user={CANARY}", "tracestate": f"vendor={CANARY}", "io.example/x": CANARY}
LEGACY = {
    "protocolVersion": "2025-11-25",
    "clientInfo": {"name": f"tester {ALL_KNOWN}", "version": f"1 {ALL_KNOWN}"},
    "capabilities": {},
}


def call(id_: object, tool: str, **params: Any) -> dict[str, Any]:
    params = {
        "name": tool,
        "arguments": {"q": f"{CANARY} {ALL_KNOWN}", CANARY: [CANARY], ALL_KNOWN: 1},
        "_meta": META,
    } | params
    return {"jsonrpc": "2.0", "id": id_, "method": "tools/call", "params": params}


FRAMES: list[dict[str, Any]] = [
    {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": LEGACY},
    call(1, "echo"),
    call(2, "slow"),
    call(3, "fail"),
    call(4, "error"),
    call(5, "never"),
    {"jsonrpc": "2.0", "id": 6, "method": "resources/read", "params": {"uri": f"file:///{CANARY}?{CANARY}"}},
    {"jsonrpc": "2.0", "id": 7, "method": "prompts/get", "params": {"name": "p", "arguments": {"q": CANARY}}},
    {
        "jsonrpc": "2.0",
        "id": 8,
        "method": "completion/complete",
        "params": {"argument": {"name": "q", "value": CANARY}},
    },
    {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 5, "reason": CANARY}},
    call(10, "quote"),
    call(11, "refuse"),
]
TEXT = "[id] [aws_key] [email] [phone]"
"""What is recorded of the text of a failure, if it is."""


@pytest.fixture(params=["http/protobuf", "grpc"])
def receiver(request: pytest.FixtureRequest) -> Iterator[Receiver]:
    with receiving(request.param) as found:
        found.protocol = request.param  # type: ignore[attr-defined]  # of this test
        yield found


def environment(receiver: Receiver) -> dict[str, str]:
    return os.environ | {
        "API_KEY": CANARY,
        "OTEL_EXPORTER_OTLP_ENDPOINT": receiver.endpoint,
        "OTEL_EXPORTER_OTLP_PROTOCOL": receiver.protocol,  # type: ignore[attr-defined]
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer%20{CANARY}",
        "OTEL_EXPERIMENTAL_RESOURCE_DETECTORS": "process,otel",
    }


def recording(errors: str) -> None:
    """Says in the test's own configuration which texts of failures are recorded."""
    folder = Path(os.environ["HOME"]) / ".config" / "mcpobs"
    folder.mkdir(parents=True, mode=0o700)
    (folder / "config.toml").write_text(f'[record]\nerrors = "{errors}"\n')


def texts(lake: Path) -> set[str | None]:
    """The texts of the failures of a lake."""
    with open_reading(lake) as reading:
        rows = reading.connection.execute(
            "select error_message from spans where tool in ('quote', 'refuse') and outcome <> 'ok'"
        ).fetchall()
    return {text for (text,) in rows}


def is_nowhere(lake: Path, receiver: Receiver, stderr: str) -> None:
    """Neither in the files as the front left them, nor in the table, nor in what was exported, nor on stderr."""
    secrets = (CANARY, *KNOWN)
    assert not [in_files(lake, secret) for secret in secrets if in_files(lake, secret)]
    subprocess.run([*MCPOBS, "lake", "compact", "--lake", lake], check=True, capture_output=True, timeout=120)
    assert not [in_files(lake, secret) for secret in secrets if in_files(lake, secret)]
    with open_reading(lake) as reading:
        rows = reading.connection.execute("select * from spans").fetchall()
    assert rows
    assert receiver.requests
    exported = str([str(request) for request, _ in receiver.requests])
    for secret in secrets:
        assert secret not in str(rows)
        assert secret not in exported
        assert secret not in stderr


def in_files(lake: Path, secret: str) -> list[Path]:
    return [path for path in lake.rglob("*") if path.is_file() and secret.encode() in path.read_bytes()]


POLICY = """version: 1
halt_after_denials: off
inspect:
- {id: orders, find: injection, where: [result, arguments, listing], action: block}
- {id: pii, find: [personal, secrets], where: [result, arguments, listing], action: mask}
"""


@pytest.mark.parametrize(
    ("options", "errors"), [([], "off"), (["--propagate"], "masked")], ids=["plain", "propagate and texts"]
)
def test_of_a_wrapped_server(tmp_path: Path, receiver: Receiver, options: list[str], errors: str) -> None:
    recording(errors)
    wrapped(tmp_path / "lake", receiver, options)
    assert texts(tmp_path / "lake") == ({TEXT} if errors == "masked" else {None})


def test_of_a_wrapped_server_whose_messages_are_inspected(tmp_path: Path) -> None:
    policy = tmp_path / "policy.yaml"
    policy.write_text(POLICY)
    with receiving("http/protobuf") as found:
        found.protocol = "http/protobuf"  # type: ignore[attr-defined]  # of this test
        wrapped(tmp_path / "lake", found, ["--policy", str(policy)])
    assert not in_files(Path.home(), CANARY)


def wrapped(lake: Path, receiver: Receiver, options: list[str]) -> None:
    server = ["env", f"KEY={CANARY}", sys.executable, SERVER, "--api-key", CANARY, f"--url=https://x:{CANARY}@y"]
    done = subprocess.run(
        [*MCPOBS, "instrument", "--lake", lake, *options, "--", *server],
        input=b"".join(json.dumps(frame).encode() + b"\n" for frame in FRAMES),
        capture_output=True,
        env=environment(receiver),
        timeout=60,
        check=False,
    )
    assert CANARY.encode() in done.stdout, "what passes is not altered"
    is_nowhere(lake, receiver, done.stderr.decode())


class Upstream(BaseHTTPRequestHandler):
    """A server that gives out a session id, and says the secret in whatever it answers."""

    protocol_version = "HTTP/1.1"

    def do_POST(self) -> None:
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = f"{CANARY} {ALL_KNOWN}"
        answer: dict[str, Any] = {"result": {"content": [{"type": "text", "text": text}], CANARY: CANARY}}
        name = message.get("params", {}).get("name")
        if name == "quote":
            answer["result"]["isError"] = True
        if name in ("error", "refuse"):
            answer = {"error": {"code": -32603, "message": text, "data": text}}
        status = 400 if message.get("params", {}).get("name") == "refused" else 200
        self._answer(status, {"jsonrpc": "2.0", "id": message.get("id"), **answer}, message["method"] == "initialize")

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "text/event-stream")
        self.end_headers()
        self.wfile.write(f"event: endpoint\ndata: /messages/{CANARY}?session_id={CANARY}\n\n".encode())
        self.close_connection = True

    def do_DELETE(self) -> None:
        self._answer(404, {"error": CANARY}, False)

    do_PROPFIND = do_DELETE

    def _answer(self, status: int, body: dict[str, Any], begins: bool) -> None:
        text = json.dumps(body).encode()
        self.send_response(status)
        if begins:
            self.send_header("Mcp-Session-Id", CANARY)
        self.send_header("WWW-Authenticate", f'Bearer error="{CANARY}"')
        self.send_header("Set-Cookie", f"session={CANARY}")
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def upstream() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Upstream)
    thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


HEADERS = {
    "Authorization": f"Bearer {CANARY}",
    "Proxy-Authorization": f"Basic {CANARY}",
    "Cookie": f"session={CANARY}",
    "Mcp-Session-Id": CANARY,
    "Last-Event-Id": CANARY,
    "X-Api-Key": CANARY,
    "X-Whatever": CANARY,
    "Referer": f"https://user:{CANARY}@a.example/{CANARY}?q={CANARY}",
    "Origin": f"http://{CANARY}",
    "User-Agent": f"tester/1 (+https://user:{CANARY}@a.example/{CANARY}?q={CANARY}; {ALL_KNOWN})",
    "X-Request-Id": ALL_KNOWN,
    "Forwarded": f"for={CANARY};host={CANARY}_x/;proto={CANARY}",
    "X-Forwarded-For": CANARY,
    "Mcp-Param-Q": CANARY,
    "Baggage": f"user={CANARY}",
    "Tracestate": f"vendor={CANARY}",
}


@pytest.mark.parametrize("era", some(1, ["2026-07-28", "2025-11-25", CANARY]))
def test_of_a_server_behind_the_http_front(tmp_path: Path, receiver: Receiver, era: str) -> None:
    lake = tmp_path / "lake"
    errors = "off" if receiver.protocol == "grpc" else "masked"  # type: ignore[attr-defined]
    recording(errors)
    with upstream() as port:
        command = ["--listen", "127.0.0.1:0", "--upstream", f"http://127.0.0.1:{port}/{CANARY}/"]
        with subprocess.Popen(
            [*MCPOBS, "instrument", "--lake", lake, *command],
            stderr=subprocess.PIPE,
            env=environment(receiver),
            text=True,
        ) as front:
            assert front.stderr
            heard = front.stderr.readline()
            at = re.search(r"http://127\.0\.0\.1:(\d+) on to", heard)
            assert at, heard
            client = http.client.HTTPConnection("127.0.0.1", int(at[1]), timeout=30)
            for frame in [*FRAMES, call(9, "refused")]:
                method, uri = frame["method"], frame.get("params", {}).get("uri")
                own = {"Mcp-Method": method, "Mcp-Name": uri or CANARY, "MCP-Protocol-Version": era}
                if method in ("tools/call", "prompts/get"):  # names are recorded, in columns of their own too
                    own["Mcp-Name"] = frame["params"]["name"]
                for path in (f"/{CANARY}/mcp?key={CANARY}", "/mcp", f"/messages/{CANARY}?session_id={CANARY}"):
                    client.request(
                        "POST", path, json.dumps(frame), HEADERS | own | {"Content-Type": "application/json"}
                    )
                    assert CANARY.encode() in client.getresponse().read()
            for method in ("GET", "DELETE", "PROPFIND"):
                client.request(method, f"/sse/{CANARY}", headers=HEADERS | {"Mcp-Method": CANARY})
                client.getresponse().read()
            client.close()
            front.terminate()
            heard += front.communicate(timeout=60)[1]
    is_nowhere(lake, receiver, heard)
    assert texts(lake) == ({TEXT} if errors == "masked" else {None})
    if era == "2025-11-25":
        with open_reading(lake) as reading:
            sessions = reading.connection.execute(
                "select distinct session_id from spans where tool = 'echo'"
            ).fetchall()
        assert (session_digest(CANARY),) in sessions
