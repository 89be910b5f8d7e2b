"""Web pages: by which Host and Origin a collector on loopback without a token is reached, and when every one passes."""

from __future__ import annotations

from pathlib import Path

import grpc
import pytest

from mcpobs.collector.callers import parse_origin
from mcpobs.errors import UsageError
from mcpobs.listening import is_own_name
from tests.collector.certificates import Authority
from tests.collector.receiving import collecting
from tests.collector.test_grpc import call, refused
from tests.collector.wire import Answer, ask

APP = "https://app.example"

OWN_NAMES = [
    "localhost",
    "localhost:4318",
    "LocalHost:1",
    "localhost.",
    "localhost.:80",
    "localhost:",
    "127.0.0.1",
    "127.0.0.1:65535",
    "127.9.9.9",
    "[::1]",
    "[::1]:4318",
    "[0:0:0:0:0:0:0:1]:1",
    "my-machine",
    "MY-MACHINE.:4318",
]
FOREIGN_NAMES = [
    "",
    "evil.example",
    "evil.example:4318",
    "localhost.evil.example",
    "localhost.evil.example:80",
    "evil-localhost",
    "localhost..",
    "127.0.0.1.evil.example",
    "127.0.0.1.nip.io",
    "192.168.1.5",
    "0.0.0.0",
    "[::]",
    "[::1",
    "[::1]evil",
    "[localhost]",
    "[evil.example]:80",
    "evil@localhost",
    "localhost@evil",
    "localhost:4318@evil",
    "localhost:port",
    "localhost:80:80",
    "localhost, evil",
    "localhost evil",
    ":4318",
    ".",
    "my-machine.evil.example",
]


@pytest.mark.parametrize("host", OWN_NAMES)
def test_these_hosts_name_a_server_on_loopback(host: str) -> None:
    assert is_own_name(host, "my-machine")


@pytest.mark.parametrize("host", FOREIGN_NAMES)
def test_these_hosts_do_not(host: str) -> None:
    assert not is_own_name(host, "my-machine")
    assert not is_own_name(host, "")


def request(method: str, path: str, *headers: str, version: str = "1.1") -> bytes:
    lines = [f"{method} {path} HTTP/{version}", *headers]
    if method == "POST":
        lines += ["content-type: application/x-protobuf", "content-length: 0"]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("latin-1")


DOORS = [("POST", "/v1/traces"), ("POST", "/v1/metrics"), ("POST", "/v1/logs"), ("GET", "/healthz")]


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_every_path_asks_for_a_host_that_names_the_collector(method: str, path: str) -> None:
    with collecting(grpc=None) as at:

        def status(*headers: str, target: str = path, version: str = "1.1") -> int:
            return ask(at.http_port, request(method, target, *headers, version=version), method).status

        own, foreign = f"host: 127.0.0.1:{at.http_port}", "host: evil.example"
        assert status(own) == status("HOST: LOCALHOST.") == status("host: [::1]:1") == 200
        assert status(foreign) == status("host: localhost.evil.example") == status("host: ") == 403
        assert status(own, foreign) == status(foreign, own) == status(own, own) == 400
        assert status(version="1.0") == 200
        assert status(foreign, version="1.0") == 403
        assert status(own, target=f"http://evil.example{path}") == 403
        assert status(own, target=f"http://localhost@evil.example{path}") == 403
        assert status(foreign, target=f"http://localhost:4318{path}") == 200
        counters = ask(at.http_port, request("GET", "/healthz", own), "GET").json()["counters"]
    assert (counters["http.refused.foreign_host"], counters["http.refused.malformed"]) == (6, 3)
    assert at.intake.taken == [] if method == "GET" else len(at.intake.taken) == 5


@pytest.mark.parametrize(("method", "path"), DOORS)
def test_no_path_takes_what_a_page_of_another_site_sends(method: str, path: str) -> None:
    own = "host: localhost"
    with collecting(grpc=None) as at:

        def status(*headers: str) -> int:
            return ask(at.http_port, request(method, path, own, *headers), method).status

        for mark in (
            "origin: https://evil.example",
            "Origin: null",
            f"origin: http://localhost:{at.http_port}",
            "sec-fetch-site: cross-site",
            "Sec-Fetch-Site: same-site",
            "sec-fetch-site: Cross-Site",
        ):
            assert status(mark) == 403, mark
        assert status("sec-fetch-site: none") == status("sec-fetch-site: same-origin") == status() == 200


def test_a_page_of_an_allowed_origin_may_send_and_read_the_answer() -> None:
    ours, theirs = f"origin: {APP}", "origin: https://evil.example"
    asks = ("access-control-request-method: POST", "access-control-request-headers: content-type,x-a")
    with collecting(grpc=None, allowed_origins=(APP,)) as at:

        def answer(method: str, *headers: str) -> Answer:
            return ask(at.http_port, request(method, "/v1/traces", "host: localhost", *headers), method)

        sent = answer("POST", ours, "sec-fetch-site: cross-site")
        assert (sent.status, sent.headers["access-control-allow-origin"], sent.headers["vary"]) == (200, APP, "origin")
        refusal = answer("PUT", ours)
        assert (refusal.status, refusal.headers["access-control-allow-origin"]) == (405, APP)
        preflight = answer("OPTIONS", ours, *asks, "access-control-request-private-network: true")
        assert (preflight.status, preflight.body) == (204, b"")
        assert preflight.headers["access-control-allow-headers"] == "content-type,x-a"
        assert preflight.headers["access-control-allow-methods"] == "POST"
        assert preflight.headers["access-control-allow-private-network"] == "true"
        for headers in ((theirs, *asks), (ours, theirs, *asks)):
            refused = answer("OPTIONS", *headers)
            assert refused.status == 403
            assert "access-control-allow-methods" not in refused.headers
        assert answer("POST", theirs).status == 403
        assert answer("OPTIONS", *asks).status == 405


def test_another_name_may_be_allowed() -> None:
    with collecting(grpc=None, allowed_hosts=("host.docker.internal",)) as at:
        sent = ask(at.http_port, request("POST", "/v1/traces", "host: Host.Docker.Internal:4318"))
        assert sent.status == 200


def test_with_a_token_every_host_and_origin_passes() -> None:
    with collecting(tokens=("secret",)) as at:
        marks = ("host: collector.example", "origin: https://page.example", "authorization: Bearer secret")
        sent = ask(at.http_port, request("POST", "/v1/traces", *marks))
        assert (sent.status, "access-control-allow-origin" in sent.headers) == (200, False)
        assert call(at.grpc_port, b"x", authorization="Bearer secret", origin="https://page.example") == b""


def test_over_grpc_no_page_may_send() -> None:
    with collecting(http=None, allowed_origins=(APP,)) as at:
        error = refused(at.grpc_port, b"x", origin="https://evil.example")
        assert error.code() is grpc.StatusCode.PERMISSION_DENIED
        assert call(at.grpc_port, b"x", origin=APP) == b""


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://App.Example", "https://app.example"),
        ("https://app.example/", "https://app.example"),
        ("https://app.example:443", "https://app.example"),
        ("http://localhost:3000", "http://localhost:3000"),
        ("http://[::1]:80", "http://[::1]"),
        ("chrome-extension://abcdef", "chrome-extension://abcdef"),
    ],
)
def test_an_origin_is_written_as_browsers_do(text: str, origin: str) -> None:
    assert parse_origin(text, "--allow-origin") == origin


@pytest.mark.parametrize(
    "text", ["", "*", "null", "app.example", "https://", "https://a/b", "https://a?b", "https://a:x", "https://u@a"]
)
def test_an_invalid_origin_is_refused(text: str) -> None:
    with pytest.raises(UsageError, match="--allow-origin"):
        parse_origin(text, "--allow-origin")


def test_tls_alone_makes_no_exception(tmp_path: Path) -> None:
    from mcpobs.collector.options import Certificates
    from tests.collector.test_tls import by_http

    authority = Authority(tmp_path, "pages")
    with collecting(grpc=None, tls=Certificates(*authority.sign("server"))) as at:
        assert by_http(at, authority).status == 200
