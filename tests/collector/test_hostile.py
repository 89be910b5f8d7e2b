"""Clients that are slow, endless, huge or mad: each gets a clear end, memory stays bounded, the next one is served."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from mcpobs.collector.limits import Limits
from tests.collector.dropping import Process, dropping
from tests.collector.receiving import KeepingIntake, Running, collecting
from tests.collector.wire import Wire, ask, chunked, connected, post, zipped

MIB = 1 << 20
HASTY = Limits(head_s=0.3, body_s=0.6, idle_s=0.3, linger_s=0.3, body_bytes=MIB, held_bytes=4 * MIB)


def served(at: Running | Process) -> bool:
    return ask(at.http_port, post(b"good")).status == 200


# Slow ones.


@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"P",
        b"POST /v1/traces HTTP/1.1\r\n",
        b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\nx-slow: a",
        b"\r\n",
        post(b"done") + b"POST /v1/tra",
    ],
)
def test_headers_that_do_not_end_are_ended(sent: bytes) -> None:
    with collecting(grpc=None, limits=HASTY) as at, connected(at.http_port) as wire:
        wire.send(sent)
        if sent.startswith(post(b"done")):
            assert wire.answer().status == 200
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (408, "close")
        assert wire.ended()
        assert served(at)


def test_headers_that_come_drop_by_drop_are_ended() -> None:
    with collecting(grpc=None, limits=HASTY) as at, connected(at.http_port) as wire:
        wire.send(b"POST /v1/traces HTTP/1.1\r\n")
        drip(wire, b"x-drop: 1\r\n")
        assert served(at)


@pytest.mark.parametrize("begun", [post(b"", content_length="1000000"), chunked(b"x")[:-5]])
def test_a_body_that_stands_still_is_ended_in_the_requests_encoding(begun: bytes) -> None:
    with collecting(grpc=None, limits=HASTY) as at, connected(at.http_port) as wire:
        wire.send(begun, b"1")
        answer = wire.answer()
        assert (answer.status, answer.headers["content-type"]) == (408, "application/x-protobuf")
        assert wire.ended()
        assert served(at)
        assert [body for *_, body in at.intake.taken] == [b"good"]


def test_a_body_that_comes_drop_by_drop_is_ended() -> None:
    with collecting(grpc=None, limits=HASTY) as at, connected(at.http_port) as wire:
        wire.send(post(content_length="1000000"))
        drip(wire, b"x")
        assert served(at)


def drip(wire: Wire, drop: bytes) -> None:
    """Sends drops until the collector ends it."""
    wire.sock.settimeout(0.02)
    heard = b""
    try:
        for _ in range(3000):
            wire.send(drop)
            try:
                heard += wire.sock.recv(1000)
            except TimeoutError:
                continue
            break
    except ConnectionError:
        return
    assert heard.startswith(b"HTTP/1.1 408 ")


def test_a_connection_without_requests_is_closed_in_order() -> None:
    with collecting(grpc=None, limits=HASTY) as at, connected(at.http_port) as wire:
        wire.send(post(b"x"))
        assert wire.answer().status == 200
        assert wire.ended()


def test_a_client_that_reads_no_answers_is_dropped() -> None:
    with collecting(grpc=None, limits=HASTY) as at, connected(at.http_port) as wire:
        wire.sock.settimeout(60)
        wire.send_for_ever(
            b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n" * 1000, 1 << 40
        )  # ends when it is dropped
        assert served(at)


def test_slow_connections_give_way_to_new_ones() -> None:
    limits = Limits(connections=10, head_s=600, body_s=600, body_bytes_per_s=1, idle_s=600)
    with collecting(grpc=None, limits=limits) as at, ExitStack() as stack:
        wires = [stack.enter_context(connected(at.http_port)) for _ in range(10)]
        for n, wire in enumerate(wires):
            wire.send([b"", b"POST /v1/traces HTTP/1.1\r\n", post(content_length="10")][n % 3])
        for _ in range(10):
            while ask(at.http_port, post(b"good")).status == 503:
                pass  # until the slow ones have been slow for long enough
        counters = ask(at.http_port, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "GET").json()["counters"]
    assert counters["http.connections.turned_out"] >= 1


def test_a_client_that_has_been_served_outlives_strangers_that_are_slow() -> None:
    limits = Limits(connections=10, head_s=600, idle_s=600)
    with collecting(grpc=None, limits=limits) as at, ExitStack() as stack:
        known = stack.enter_context(connected(at.http_port))
        known.send(post(b"1"))
        assert known.answer().status == 200
        for _ in range(9):
            stack.enter_context(connected(at.http_port))
        for _ in range(4):
            new = stack.enter_context(connected(at.http_port))
            new.send(post(b"2"))
            while new.answer().status == 503:  # until the strangers have been slow for long enough
                new.close()
                new = stack.enter_context(connected(at.http_port))
                new.send(post(b"2"))
        known.send(post(b"3"))
        assert known.answer().status == 200


# Huge ones.


@pytest.fixture(scope="module")
def process() -> Iterator[Process]:
    with dropping(body_bytes=MIB, held_bytes=4 * MIB, linger_s=1) as running:
        assert served(running)
        yield running


@pytest.fixture
def bounded(process: Process) -> Iterator[Process]:
    """A collector, whose memory may not have grown by more than it may hold at the test's end."""
    process.forget_peak()
    before = process.peak_mib()
    yield process
    assert served(process)
    assert process.peak_mib() - before < 16


def test_a_body_that_announces_a_gigabyte_is_refused_before_it_is_read(bounded: Process) -> None:
    with connected(bounded.http_port) as wire:
        wire.send(post(content_length=str(1 << 30)))
        assert wire.answer().status == 413
    with connected(bounded.http_port) as wire:
        wire.send(post(content_length=str(1 << 30)))
        assert wire.send_for_ever(bytes(MIB), 1 << 30) < 1 << 28
    assert ask(bounded.http_port, post(content_length=str(10**30))).status in (400, 413)


@pytest.mark.parametrize("chunk_bytes", [100, 65536, 16 * MIB])
def test_a_gigabyte_in_chunks_is_refused_at_the_limit(bounded: Process, chunk_bytes: int) -> None:
    chunk = b"%x\r\n%s\r\n" % (chunk_bytes, bytes(chunk_bytes))
    with connected(bounded.http_port) as wire:
        wire.send(post(content_length=None, transfer_encoding="chunked"))
        sent = wire.send_for_ever(chunk * max(1, MIB // chunk_bytes), 1 << 30)
        assert sent < 1 << 28


def test_who_sends_too_much_can_read_why(bounded: Process) -> None:
    for request in (post(bytes(MIB + 1)), chunked(bytes(MIB), bytes(MIB // 2))):
        assert ask(bounded.http_port, request).status == 413
        closing = request.replace(b"host: localhost", b"host: localhost\r\nconnection: close", 1)
        assert ask(bounded.http_port, closing).status == 413


def bomb(level: int = 9) -> bytes:
    """A gigabyte of nothing, in one megabyte."""
    return _bomb_of(lambda: zlib.compressobj(level, wbits=31), 1 << 30)


def _bomb_of(make: Callable[[], zlib._Compress], size: int) -> bytes:
    packer = make()
    zeros = bytes(MIB)
    return b"".join(packer.compress(zeros) for _ in range(size // MIB)) + packer.flush()


@pytest.fixture(scope="module")
def bombs() -> dict[str, tuple[str, bytes]]:
    half = _bomb_of(lambda: zlib.compressobj(9, wbits=31), 1 << 29)
    one = zipped(bytes(900_000))
    return {
        "one member": ("gzip", half),
        "many members": ("gzip", one * 900),
        "a bomb in a bomb": ("gzip", zipped(half + half)),
        "empty members": ("gzip", zipped(b"") * 50_000),
        "deflate": ("deflate", _bomb_of(lambda: zlib.compressobj(9), 1 << 29)),
        "without an end": ("gzip", half[:-100]),
    }


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("one member", 413),
        ("many members", 413),
        ("a bomb in a bomb", 200),  # only its outside is unpacked, and what that holds is no bomb yet
        ("empty members", 400),
        ("deflate", 413),
        ("without an end", 413),
    ],
)
def test_a_bomb_is_not_unpacked_beyond_the_limit(
    bounded: Process, bombs: dict[str, tuple[str, bytes]], name: str, status: int
) -> None:
    coding, body = bombs[name]
    assert len(body) < MIB
    assert ask(bounded.http_port, post(body, content_encoding=coding)).status == status


def test_many_bombs_at_once_hold_no_more_than_may_be_held(
    bounded: Process, bombs: dict[str, tuple[str, bytes]]
) -> None:
    coding, body = bombs["one member"]
    with ExitStack() as stack:
        wires = [stack.enter_context(connected(bounded.http_port)) for _ in range(50)]
        for wire in wires:
            wire.send(post(body, content_encoding=coding))
        assert {wire.answer().status for wire in wires} <= {413, 503}


@pytest.mark.parametrize(
    "sent",
    [
        b"POST /v1/traces HTTP/1.1\r\nx-long: " + b"x" * (4 * MIB),
        b"POST /" + b"x" * (4 * MIB),
        b"POST /v1/traces HTTP/1.1\r\n" + b"x: y\r\n" * 500_000,
        b"POST /v1/traces HTTP/1.1\r\n" + b"x: y\r\n" * 8_000 + b"\r\n",
        b"POST /v1/traces HTTP/1.1\r\n" + b"x" * (4 * MIB) + b": y\r\n\r\n",
    ],
    ids=["long value", "long path", "many", "many that end", "long name"],
)
def test_headers_beyond_the_limit_are_refused(bounded: Process, sent: bytes) -> None:
    with connected(bounded.http_port) as wire:
        if wire.send_for_ever(sent, 1) and len(sent) < 100_000:
            assert wire.answer().status == 431
        else:
            assert wire.send_for_ever(b"x" * MIB, 1 << 30) < 1 << 28


@pytest.mark.parametrize(
    "drop",
    [b"1\r\nx\r\n" * 100_000, b"1;" + b"x" * MIB, b"0\r\n" + b"x: y\r\n" * 100_000, b"0\r\nx: " + b"x" * MIB],
    ids=["chunks of one byte", "a long extension", "many trailers", "a long trailer"],
)
def test_a_chunked_body_is_more_than_framing(bounded: Process, drop: bytes) -> None:
    with connected(bounded.http_port) as wire:
        wire.send(post(content_length=None, transfer_encoding="chunked"))
        assert wire.send_for_ever(drop, 1 << 30) < 1 << 28


def test_very_many_requests_at_once_are_not_kept_in_store(bounded: Process) -> None:
    with connected(bounded.http_port) as wire:
        wire.send_for_ever(post(b"") * 5000, 1 << 26)


# Mad ones.


@pytest.mark.parametrize(
    "sent",
    [
        b"\x00\x01\x02\x03" * 100,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\x00" * 100,  # TLS where none is spoken
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"POST /v1/traces\r\n\r\n",
        b"POST /v1/traces HTTP/9.9\r\n\r\n",
        b"GET http:///// HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"GET \xff\xfe HTTP/1.1\r\nhost: localhost\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nhost x\r\n\r\n",
        b"POST /v1/traces HTTP/1.1\r\nhost: localhost\r\n folded: y\r\n\r\n",
        post(b"x", host=None),
        post(b"x", content_length="-1"),
        post(b"x", content_length="1e3"),
        post(b"x", content_length="1, 2"),
        post(b"x").replace(b"host: localhost", b"host: localhost\r\ncontent-length: 2"),
        post(b"0\r\n\r\n", transfer_encoding="chunked"),  # with a length as well: two readers, two requests
        post(content_length=None, transfer_encoding="chunked") + b"zz\r\n",
        post(content_length=None, transfer_encoding="chunked") + b"-1\r\n",
        post(content_length=None, transfer_encoding="chunked") + b"ffffffffffffffffff\r\n",
        post(content_length=None, transfer_encoding="chunked") + b"1\r\nxy\r\n",
    ],
)
def test_bytes_that_are_no_http_are_refused_and_the_connection_closed(sent: bytes) -> None:
    with collecting(grpc=None) as at:
        with connected(at.http_port) as wire:
            wire.send(sent)
            assert wire.answer().status // 100 == 4
            assert wire.ended()
        assert served(at)
    assert [body for *_, body in at.intake.taken] == [b"good"]


@pytest.mark.parametrize("wrong", [b"zz\r\n", b"1\r\nxy\r\n"])
def test_a_chunk_that_is_broken_amid_a_body_is_refused_at_once(wrong: bytes) -> None:
    patient = Limits(head_s=600, body_s=600)
    with collecting(grpc=None, limits=patient) as at, connected(at.http_port) as wire:
        wire.send(chunked(b"begun", expect="100-continue")[:-5])
        assert wire.line() == b"HTTP/1.1 100 Continue\r\n"  # the body is being read
        assert wire.line() == b"\r\n"
        wire.send(wrong)
        answer = wire.answer()
        assert (answer.status, answer.headers["content-type"]) == (400, "application/x-protobuf")
        assert wire.ended()
    assert at.intake.taken == []


def test_more_requests_ahead_than_anybody_sends_are_refused_after_the_first_answer() -> None:
    with collecting(grpc=None) as at, connected(at.http_port) as wire:
        wire.send(post(b"x") * 30)
        statuses = [wire.answer().status for _ in range(2)]
        assert statuses == [200, 503]
        assert wire.ended()
        assert served(at)


def test_nothing_that_a_client_sends_reaches_stderr() -> None:
    with dropping(stderr=1) as at:
        for sent in (
            b"kAn4rIe\r\n\r\n",
            b"GET /kAn4rIe HTTP/1.1\r\nhost kAn4rIe\r\n\r\n",
            post(b"x", x_kAn4rIe="\x00kAn4rIe"),
            post(content_length=None, transfer_encoding="chunked") + b"kAn4rIe\r\n",
            post(b"kAn4rIe", content_length="9"),
        ):
            with connected(at.http_port) as wire:
                wire.send(sent)
        assert served(at)
        at.popen.terminate()
        _, stderr = at.popen.communicate(timeout=60)
    assert "kAn4rIe" not in stderr
    assert "stopping" in stderr


def test_a_client_that_goes_away_amid_its_body_leaves_nothing_behind() -> None:
    limits = Limits(body_bytes=MIB, held_bytes=2 * MIB)
    with collecting(grpc=None, limits=limits) as at:
        for begun in (post(bytes(900_000), content_length="1000000"), chunked(bytes(900_000))[:-5]):
            for _ in range(5):
                with connected(at.http_port) as wire:
                    wire.send(begun)
        body = bytes(MIB)
        while ask(at.http_port, post(body)).status == 503:
            pass  # until it has heard that they are gone
    assert at.intake.taken == [("traces", "protobuf", body)]


def test_a_client_that_goes_away_before_its_answer_has_its_request_stored() -> None:
    with collecting(grpc=None) as at:
        at.intake.open.clear()
        with connected(at.http_port) as wire:
            wire.send(post(b"stored"))
            assert at.intake.entered.acquire(timeout=60)
        at.intake.open.set()
        assert served(at)
    assert sorted(body for *_, body in at.intake.taken) == [b"good", b"stored"]


# Too many.


@pytest.mark.parametrize(
    ("limits", "request_bytes"),
    [
        (Limits(requests=2), post(b"x")),
        (Limits(requests=2), chunked(b"x")),
        (Limits(body_bytes=100_000, held_bytes=200_000), post(bytes(100_000))),
        (Limits(body_bytes=100_000, held_bytes=200_000), chunked(bytes(50_000), bytes(50_000))),
        (
            Limits(body_bytes=100_000, held_bytes=200_000),
            post(gzip.compress(bytes(100_000), mtime=0), content_encoding="gzip"),
        ),
    ],
    ids=["number", "number, chunked", "bytes", "bytes, chunked", "bytes, packed"],
)
def test_requests_beyond_the_memory_limit_are_refused_as_retryable_and_later_served(
    limits: Limits, request_bytes: bytes
) -> None:
    intake = KeepingIntake()
    with collecting(intake, grpc=None, limits=limits) as at, ExitStack() as stack:
        intake.open.clear()
        first = [stack.enter_context(connected(at.http_port)) for _ in range(2)]
        for wire in first:
            wire.send(request_bytes)
            assert intake.entered.acquire(timeout=60)
        late = stack.enter_context(connected(at.http_port))
        late.send(request_bytes)
        refused = late.answer()
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
        health = ask(at.http_port, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "GET")
        assert health.json()["counters"]["http.answered.503"] == 1
        intake.open.set()
        assert [wire.answer().status for wire in first] == [200, 200]
        late.send(request_bytes)
        assert late.answer().status == 200
    assert len(intake.taken) == 3


def test_what_there_is_no_room_for_is_refused_before_it_is_sent() -> None:
    intake = KeepingIntake()
    with collecting(intake, grpc=None, limits=Limits(body_bytes=100, held_bytes=100)) as at, ExitStack() as stack:
        intake.open.clear()
        first, late = (stack.enter_context(connected(at.http_port)) for _ in range(2))
        first.send(post(bytes(60)))
        assert intake.entered.acquire(timeout=60)
        late.send(post(content_length="60"))  # and nothing more
        assert late.answer().status == 503
        intake.open.set()
        assert first.answer().status == 200
