"""More connections than there are places, from a client that does nothing with them: an honest client is served."""

from __future__ import annotations

import os
import socket
import ssl
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import grpc
import pytest

from mcpobs.collector.frames import PREFACE
from mcpobs.collector.limits import Limits
from mcpobs.collector.options import Certificates
from tests.collector.certificates import Authority
from tests.collector.http2 import SETTINGS, Stalling, frame
from tests.collector.receiving import Running, collecting
from tests.collector.test_grpc import TRACES, channel
from tests.collector.wire import Wire, ask, connected, post

PLACES = 12
PATIENT = Limits(connections=PLACES, head_s=600, body_s=600, idle_s=600, body_bytes_per_s=1)
"""Deadlines that nobody meets: only eviction makes room."""
HEALTH = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n"

Crowd = Callable[[int, ExitStack], None]


def _bytes(sent: bytes) -> Crowd:
    def crowd(port: int, stack: ExitStack) -> None:
        stack.enter_context(connected(port)).send(sent)

    return crowd


def _stream(port: int, stack: ExitStack) -> None:
    stalling = Stalling(port)
    stack.callback(stalling.close)
    with suppress(ConnectionError):  # where there is no room yet
        stalling.begin(1, TRACES, 1000)


def _answered(port: int, stack: ExitStack) -> None:
    made = stack.enter_context(channel(port))
    with_retry(lambda: made.unary_unary(TRACES)(b"", timeout=60))


def with_retry(send: Callable[[], Any]) -> Any:
    """What an exporter does with an answer that says: later."""
    while True:
        try:
            return send()
        except grpc.RpcError as error:
            if error.code() not in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED):  # type: ignore[attr-defined]
                raise
        except ConnectionError:
            pass


def served_by_grpc(port: int) -> bytes:
    def send() -> bytes:
        with channel(port) as made:
            answer: bytes = made.unary_unary(TRACES)(b"", timeout=60)
            return answer

    got: bytes = with_retry(send)
    return got


def served_by_http(port: int) -> int:
    while True:
        try:
            status = ask(port, post(b"good")).status
        except ConnectionError:
            continue
        if status != 503:
            return status


GRPC_CROWDS: dict[str, Crowd] = {
    "nothing sent": _bytes(b""),
    "half a preface": _bytes(PREFACE[:10]),
    "the preface": _bytes(PREFACE + frame(SETTINGS, 0, 0)),
    "half a frame": _bytes(PREFACE + frame(SETTINGS, 0, 0)[:5]),
    "a stream that never sends": _stream,
}


@pytest.mark.parametrize("crowd", GRPC_CROWDS.values(), ids=GRPC_CROWDS)
def test_a_crowd_over_grpc_does_not_shut_an_honest_client_out(crowd: Crowd) -> None:
    with collecting(limits=PATIENT) as at, ExitStack() as stack:
        for _ in range(3 * PLACES):
            crowd(at.grpc_port, stack)
        assert served_by_grpc(at.grpc_port) == b""
        counters = _counters(at)
    assert counters["grpc.connections.turned_out"] >= 1


def test_a_crowd_of_clients_that_were_answered_once_gives_way_too() -> None:
    with collecting(limits=PATIENT) as at, ExitStack() as stack:
        for _ in range(PLACES + 3):
            _answered(at.grpc_port, stack)
        assert served_by_grpc(at.grpc_port) == b""


def test_a_request_that_waits_for_its_answer_is_not_evicted() -> None:
    with collecting(limits=PATIENT) as at, ExitStack() as stack, channel(at.grpc_port) as made:
        at.intake.open.clear()
        waiting = made.unary_unary(TRACES).future(b"honest", timeout=60)
        assert at.intake.entered.acquire(timeout=60)
        for _ in range(3 * PLACES):
            _bytes(b"")(at.grpc_port, stack)
        while _counters(at).get("grpc.connections.turned_out", 0) < 1:
            _bytes(b"")(at.grpc_port, stack)  # until those that came first have waited for long enough
        at.intake.open.set()
        assert waiting.result() == b""


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"), "crowd")


@pytest.mark.parametrize("sent", [b"", b"\x16\x03\x01"], ids=["nothing sent", "half a hello"])
def test_handshakes_that_never_end_do_not_shut_honest_clients_out(authority: Authority, sent: bytes) -> None:
    certificates = Certificates(*authority.sign("server"))
    with collecting(tls=certificates, limits=PATIENT) as at, ExitStack() as stack:
        for port in (at.http_port, at.grpc_port):
            for _ in range(3 * PLACES):
                _bytes(sent)(port, stack)
        credentials = grpc.ssl_channel_credentials(authority.file.read_bytes())

        def by_grpc() -> bytes:
            own = [("grpc.use_local_subchannel_pool", 1)]
            with grpc.secure_channel(f"localhost:{at.grpc_port}", credentials, own) as made:
                answer: bytes = made.unary_unary(TRACES)(b"", timeout=60)
                return answer

        assert with_retry(by_grpc) == b""
        context = ssl.create_default_context(cafile=authority.file)

        def by_http() -> int:
            plain = socket.create_connection(("127.0.0.1", at.http_port), timeout=60)
            with plain, context.wrap_socket(plain, server_hostname="localhost") as sock:
                wire = Wire(sock)
                wire.send(post(b"good"))
                status = wire.answer().status
                wire.close()
                return status

        assert with_retry(by_http) == 200


@pytest.fixture
def short_folder() -> Iterator[Path]:
    """The path of a socket must be short, and pytest's own folders are not."""
    with TemporaryDirectory(dir="/tmp") as folder:
        yield Path(folder)


def test_the_private_socket_is_for_this_user_alone_and_leaves_nothing_behind(
    short_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(short_folder))
    stale = short_folder / "mcpobs-grpc-of-one-that-was-killed"
    stale.mkdir()
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as killed:
        killed.bind(str(stale / "grpc"))
    os.utime(stale, (1, 1))
    with collecting(http=None) as at, collecting(http=None) as other:
        folders = list(short_folder.iterdir())
        assert len(folders) == 2
        assert stale not in folders
        assert {folder.stat().st_mode & 0o777 for folder in folders} == {0o700}
        assert served_by_grpc(at.grpc_port) == served_by_grpc(other.grpc_port) == b""
    assert list(short_folder.iterdir()) == []


def test_a_long_name_of_the_temporary_folder_does_no_harm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    long = tmp_path / ("x" * 200)
    long.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(long))
    with collecting(http=None) as at:
        assert served_by_grpc(at.grpc_port) == b""


def _counters(at: Running) -> dict[str, int]:
    counters: dict[str, int] = ask(at.http_port, HEALTH, "GET").json()["counters"]
    return counters
