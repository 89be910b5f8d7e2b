"""Each path on which a request or a connection is refused has a counter of its own, seen in /healthz."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any

import grpc
import pytest

from mcpobs.collector.intake import RefusedError
from mcpobs.collector.limits import Limits
from tests.collector.http2 import DATA, HEADERS, PREFACE, SETTINGS, Stalling, frame, header
from tests.collector.receiving import Running, collecting
from tests.collector.test_grpc import TRACES, channel, refused, silent_calls
from tests.collector.wire import ask, chunked, connected, post, zipped

HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer secret\r\n\r\n"
SMALL = Limits(body_bytes=1000, held_bytes=1000, head_bytes=2000, head_s=0.4, body_s=0.4, linger_s=0.4)
Refused = Callable[[Running], None]


def http(request: bytes, status: int) -> Refused:
    def ask_it(at: Running) -> None:
        assert ask(at.http_port, request).status == status

    return ask_it


def intake_says(error: Exception) -> Callable[[Refused], Refused]:
    def wrap(ask_it: Refused) -> Refused:
        def wrapped(at: Running) -> None:
            at.intake.answers.append(error)
            ask_it(at)

        return wrapped

    return wrap


def gone(at: Running) -> None:
    with connected(at.http_port) as wire:
        wire.send(post(b"x", content_length="10"))


HTTP: dict[str, tuple[str, Refused, dict[str, Any]]] = {
    "announced too large": ("refused.too_large", http(post(content_length="1001"), 413), {}),
    "too large in chunks": ("refused.too_large", http(chunked(bytes(1001)), 413), {}),
    "too large unpacked": (
        "refused.too_large",
        http(post(zipped(bytes(1001)), content_encoding="gzip"), 413),
        {},
    ),
    "not gzip": ("refused.malformed", http(post(b"x", content_encoding="gzip"), 400), {}),
    "not OTLP": (
        "refused.malformed",
        intake_says(RefusedError("malformed", "no"))(http(post(b"x"), 400)),
        {},
    ),
    "busy": ("refused.busy", intake_says(RefusedError("busy", "no"))(http(post(b"x"), 503)), {}),
    "disk full": (
        "refused.unavailable",
        intake_says(RefusedError("unavailable", "no"))(http(post(b"x"), 503)),
        {},
    ),
    "our fault": ("refused.failed", intake_says(ZeroDivisionError())(http(post(b"x"), 500)), {}),
    "no token": ("refused.unauthenticated", http(post(b"x"), 401), {"tokens": ("secret",)}),
    "unknown path": ("refused.unknown_path", http(post(b"x", "/v1/profiles"), 404), {}),
    "wrong method": ("refused.wrong_method", http(post(b"").replace(b"POST", b"PUT"), 405), {}),
    "wrong method of health": ("refused.wrong_method", http(post(b"", "/healthz"), 405), {}),
    "wrong type": ("refused.wrong_type", http(post(b"x", content_type="text/plain"), 415), {}),
    "wrong coding": ("refused.wrong_coding", http(post(b"x", content_encoding="br"), 415), {}),
    "no length": ("refused.no_length", http(post(b"", content_length=None), 411), {}),
    "long headers": ("refused.head_too_large", http(post(b"", x_long="x" * 2000), 431), {}),
    "not HTTP": ("refused.not_http", http(b"what?\r\n\r\n", 400), {}),
    "CONNECT": ("refused.not_http", http(b"CONNECT x:1 HTTP/1.1\r\nhost: localhost\r\n\r\n", 400), {}),
    "slow headers": ("refused.slow", http(b"POST /v1/tr", 408), {}),
    "slow body": ("refused.slow", http(post(b"x", content_length="10"), 408), {}),
    "foreign host": ("refused.foreign_host", http(post(b"").replace(b"localhost", b"evil"), 403), {}),
    "foreign origin": ("refused.foreign_origin", http(post(b"", origin="https://evil.example"), 403), {}),
    "two hosts": (
        "refused.malformed",
        http(post(b"").replace(b"host: localhost\r\n", b"host: localhost\r\n" * 2), 400),
        {},
    ),
    "gone": ("gone", gone, {}),
}


@pytest.mark.parametrize("case", HTTP.values(), ids=HTTP)
def test_a_refusal_over_http_is_counted_by_its_reason(case: tuple[str, Refused, dict[str, Any]]) -> None:
    name, ask_it, options = case
    with collecting(grpc=None, **{"limits": SMALL, **options}) as at:
        ask_it(at)
        while not (found := _refusals(at, "http")):
            pass  # the connection's end may be heard of later than the next request
    assert found == {f"http.{name}": 1}


def rpc(body: bytes, path: str = TRACES, packing: Any = None, **metadata: str) -> Refused:
    def call_it(at: Running) -> None:
        refused(at.grpc_port, body, path, packing, **metadata)

    return call_it


def raw(sent: bytes) -> Refused:
    def send_it(at: Running) -> None:
        with socket.create_connection(("127.0.0.1", at.grpc_port), timeout=60) as sock:
            sock.sendall(sent)
            try:
                while sock.recv(1000):
                    pass
            except ConnectionError:
                pass

    return send_it


def by_hand(message: bytes, **changed: str) -> Refused:
    """A call in frames, for what grpc's own client does not send."""

    def send_it(at: Running) -> None:
        names = {":method": "POST", ":scheme": "http", ":path": TRACES, ":authority": "x"}
        names |= {"content-type": "application/grpc", "te": "trailers"}
        names |= {name.replace("_", "-").removeprefix("-"): value for name, value in changed.items()}
        stalling = Stalling(at.grpc_port)
        stalling.sock.sendall(frame(HEADERS, 4, 1, b"".join(header(*one) for one in names.items())))
        stalling.sock.sendall(frame(DATA, 1, 1, message))
        while not _refusals(at, "grpc"):
            pass
        stalling.close()

    return send_it


def broken_frames(at: Running) -> None:
    with socket.create_connection(("127.0.0.1", at.grpc_port), timeout=60) as sock:
        sock.sendall(PREFACE + frame(SETTINGS, 0, 0) + frame(SETTINGS, 0, 0, b"x"))
        while not _refusals(at, "grpc"):
            pass


def empty_call(at: Running) -> None:
    with channel(at.grpc_port) as made, pytest.raises(grpc.RpcError):
        made.stream_unary(TRACES)(iter(()), timeout=60)


def silent(at: Running) -> None:
    with silent_calls(at.grpc_port, 1) as [call]:
        assert call.exception().code() is grpc.StatusCode.UNAVAILABLE


def cancelled(at: Running) -> None:
    at.intake.open.clear()
    with channel(at.grpc_port) as made:
        going = made.unary_unary(TRACES).future(b"x", timeout=60)
        assert at.intake.entered.acquire(timeout=60)
        going.cancel()
    at.intake.open.set()


def metadata_too_large(at: Running) -> None:
    with channel(at.grpc_port) as made, pytest.raises(grpc.RpcError):
        made.unary_unary(TRACES)(b"x", timeout=60, metadata=[("k", "v" * 9000)])


GRPC: dict[str, tuple[str, Refused, dict[str, Any]]] = {
    "too large": ("refused.too_large", rpc(bytes(1001)), {}),
    "too large unpacked": ("refused.too_large", rpc(bytes(1001), packing=grpc.Compression.Gzip), {}),
    "not gzip": ("refused.malformed", by_hand(b"\1\0\0\0\3abc", grpc_encoding="gzip"), {}),
    "no message": ("refused.malformed", empty_call, {}),
    "not OTLP": ("refused.malformed", intake_says(RefusedError("malformed", "no"))(rpc(b"x")), {}),
    "busy": ("refused.busy", intake_says(RefusedError("busy", "no"))(rpc(b"x")), {}),
    "disk full": ("refused.unavailable", intake_says(RefusedError("unavailable", "no"))(rpc(b"x")), {}),
    "our fault": ("refused.failed", intake_says(ZeroDivisionError())(rpc(b"x")), {}),
    "no token": ("refused.unauthenticated", rpc(b"x"), {"tokens": ("secret",)}),
    "unknown service": ("refused.unknown_path", rpc(b"x", "/x/Y"), {}),
    "unknown method": ("refused.unknown_path", rpc(b"x", TRACES.replace("Export", "Import")), {}),
    "wrong coding": ("refused.wrong_coding", by_hand(b"\1\0\0\0\3abc", grpc_encoding="br"), {}),
    "long metadata": ("refused.head_too_large", metadata_too_large, {}),
    "slow": ("refused.slow", silent, {}),
    "slow preface": ("refused.slow", raw(PREFACE[:10]), {}),
    "foreign origin": ("refused.foreign_origin", rpc(b"x", origin="https://evil.example"), {}),
    "not HTTP/2": ("refused.not_http2", raw(b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n\r\n"), {}),
    "broken frames": ("refused.protocol_error", broken_frames, {}),
    "gone": ("gone", cancelled, {}),
}


@pytest.mark.parametrize("case", GRPC.values(), ids=GRPC)
def test_a_refusal_over_grpc_is_counted_by_its_reason(case: tuple[str, Refused, dict[str, Any]]) -> None:
    name, ask_it, options = case
    with collecting(**{"limits": SMALL, **options}) as at:
        ask_it(at)
        while not (found := _refusals(at, "grpc")):
            pass
    assert found == {f"grpc.{name}": 1}


def test_an_idle_connection_that_is_closed_in_order_is_no_refusal() -> None:
    with collecting(limits=Limits(idle_s=0.3)) as at:
        with socket.create_connection(("127.0.0.1", at.grpc_port), timeout=60) as sock:
            sock.sendall(PREFACE + frame(SETTINGS, 0, 0))
            while sock.recv(1000):
                pass
        assert _refusals(at, "grpc") == {}


@pytest.mark.parametrize("receiver", ["http", "grpc"])
def test_connections_that_find_no_place_and_those_that_give_theirs_are_counted(receiver: str) -> None:
    limits = Limits(connections=4, head_s=600, idle_s=600)
    with collecting(limits=limits, tokens=()) as at, ExitStack() as stack:
        port = at.http_port if receiver == "http" else at.grpc_port
        for _ in range(8):
            stack.enter_context(connected(port))
        names = (f"{receiver}.refused.too_many_connections", f"{receiver}.connections.turned_out")
        until = time.monotonic() + 60  # a connection gives its place away a second after it began to wait
        while not set(names) <= _counters(at).keys() and time.monotonic() < until:
            stack.enter_context(connected(port))
        assert set(names) <= _counters(at).keys()


def test_the_answer_names_the_limit_and_its_value() -> None:
    limits = Limits(body_bytes=1000)
    with collecting(limits=limits) as at:
        for request in (post(content_length="1001"), chunked(bytes(1001))):
            message = ask(at.http_port, request.replace(b"x-protobuf", b"json")).json()["message"]
            assert message == "the body is longer than 1000 bytes, the limit of --max-body"
        packed = post(zipped(bytes(1001)), content_type="application/json", content_encoding="gzip")
        message = ask(at.http_port, packed).json()["message"]
        assert message == "the body unpacks to more than 1000 bytes, the limit of --max-body"
        assert "1001 vs. 1000" in str(refused(at.grpc_port, bytes(1001)).details())


def _counters(at: Running) -> dict[str, int]:
    while (answer := ask(at.http_port, HEALTH, "GET")).status == 503:
        pass
    counters: dict[str, int] = answer.json()["counters"]
    return counters


def _refusals(at: Running, receiver: str) -> dict[str, int]:
    wanted = (f"{receiver}.refused.", f"{receiver}.gone", f"{receiver}.connections.")
    return {name: count for name, count in _counters(at).items() if name.startswith(wanted) and count}
