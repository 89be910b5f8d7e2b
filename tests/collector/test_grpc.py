"""OTLP over gRPC: what is accepted, what each refusal says, and clients that are slow, huge or gone."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from typing import Any

import grpc
import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from mcpobs.collector.intake import Accepted, RefusedError
from mcpobs.collector.limits import Limits
from mcpobs.errors import UsageError
from mcpobs.installed.commands import add_extra
from tests.collector.dropping import dropping
from tests.collector.http2 import Stalling
from tests.collector.receiving import KeepingIntake, collecting

MIB = 1 << 20
PATHS = {
    signal: f"/opentelemetry.proto.collector.{package}.v1.{service}/Export"
    for signal, package, service in (
        ("traces", "trace", "TraceService"),
        ("metrics", "metrics", "MetricsService"),
        ("logs", "logs", "LogsService"),
    )
}
TRACES = PATHS["traces"]


@contextmanager
def channel(port: int, *options: tuple[str, int]) -> Iterator[grpc.Channel]:
    """A connection of its own: channels to one place share theirs otherwise."""
    own = ("grpc.use_local_subchannel_pool", 1)
    endless = ("grpc.max_send_message_length", -1)
    with grpc.insecure_channel(f"127.0.0.1:{port}", options=[own, endless, *options]) as made:
        yield made


def call(port: int, body: bytes, path: str = TRACES, packing: Any = None, **metadata: str) -> bytes:
    with channel(port) as made:
        return made.unary_unary(path)(body, timeout=60, compression=packing, metadata=list(metadata.items()))


def refused(port: int, body: bytes, path: str = TRACES, packing: Any = None, **metadata: str) -> grpc.Call:
    with pytest.raises(grpc.RpcError) as caught:
        call(port, body, path, packing, **metadata)
    error = caught.value
    assert isinstance(error, grpc.Call)
    return error


def served(port: int) -> bool:
    """Whether a request is taken; else it is one that may come again."""
    with channel(port) as made:
        error = made.unary_unary(TRACES).future(b"good", timeout=60).exception()
    if error is None:
        return True
    assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "google.rpc.retryinfo-bin" in dict(error.trailing_metadata())
    return False


@pytest.mark.parametrize("packing", [None, grpc.Compression.Gzip, grpc.Compression.Deflate])
@pytest.mark.parametrize("signal", PATHS)
def test_a_request_is_taken_as_it_came(signal: str, packing: Any) -> None:
    body = b"body" * 1000
    with collecting(http=None) as at:
        assert call(at.grpc_port, body, PATHS[signal], packing) == b""
    assert at.intake.taken == [(signal, "protobuf", body)]


RESPONSES = {
    "traces": (ExportTraceServiceResponse, "rejected_spans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records"),
}


@pytest.mark.parametrize("signal", PATHS)
def test_a_partial_success_gives_the_number_and_the_reason(signal: str) -> None:
    kind, field = RESPONSES[signal]
    with collecting(KeepingIntake(answers=[Accepted(3, "no trace id")]), http=None) as at:
        partial = kind.FromString(call(at.grpc_port, b"x", PATHS[signal])).partial_success
    assert (getattr(partial, field), partial.error_message) == (3, "no trace id")


@pytest.mark.parametrize(
    ("refusal", "code", "delay_s"),
    [
        (RefusedError("malformed", "not OTLP"), grpc.StatusCode.INVALID_ARGUMENT, None),
        (RefusedError("busy", "later", 0.25), grpc.StatusCode.RESOURCE_EXHAUSTED, 0.25),
        (RefusedError("unavailable", "disk full"), grpc.StatusCode.UNAVAILABLE, 5.0),
        (RefusedError("unavailable", "disk füll", 90.0), grpc.StatusCode.UNAVAILABLE, 90.0),
    ],
)
def test_what_the_intake_refuses_has_the_status_that_makes_clients_act_rightly(
    refusal: RefusedError, code: grpc.StatusCode, delay_s: float | None
) -> None:
    with collecting(KeepingIntake(answers=[refusal]), http=None) as at:
        error = refused(at.grpc_port, b"x")
    assert (error.code(), error.details()) == (code, refusal.message)
    trailers = dict(error.trailing_metadata())
    if delay_s is None:
        assert "grpc-status-details-bin" not in trailers
        return
    status, info = Status.FromString(trailers["grpc-status-details-bin"]), RetryInfo()
    assert (status.code, status.message) == (code.value[0], refusal.message)
    assert status.details[0].Unpack(info)
    assert info == RetryInfo.FromString(trailers["google.rpc.retryinfo-bin"])
    assert info.retry_delay.seconds + info.retry_delay.nanos / 1e9 == delay_s


def test_a_fault_of_the_intake_is_internal_and_the_next_request_is_served() -> None:
    with collecting(KeepingIntake(answers=[ZeroDivisionError("x")]), http=None) as at:
        assert refused(at.grpc_port, b"x").code() is grpc.StatusCode.INTERNAL
        assert call(at.grpc_port, b"y") == b""


def test_only_a_valid_token_may_send() -> None:
    with collecting(http=None, tokens=("first", "second")) as at:
        for wrong in ({}, {"authorization": "Bearer firs"}, {"authorization": "first"}):
            assert refused(at.grpc_port, b"x", **wrong).code() is grpc.StatusCode.UNAUTHENTICATED
        assert call(at.grpc_port, b"1", authorization="Bearer first") == b""
        assert call(at.grpc_port, b"2", authorization="bearer second") == b""
    assert [body for *_, body in at.intake.taken] == [b"1", b"2"]


def test_an_unknown_grpc_service_is_unimplemented() -> None:
    with collecting(http=None) as at:
        for path in ("/x/Y", TRACES.replace("Export", "Import")):
            assert refused(at.grpc_port, b"x", path).code() is grpc.StatusCode.UNIMPLEMENTED


def test_a_call_without_a_message_is_invalid() -> None:
    with collecting(http=None) as at, channel(at.grpc_port) as made:
        with pytest.raises(grpc.RpcError) as caught:
            made.stream_unary(TRACES)(iter(()), timeout=60)
        assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT  # type: ignore[attr-defined]
    assert at.intake.taken == []


def test_a_message_of_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    with collecting(http=None, limits=Limits(body_bytes=100_000)) as at:
        for packing in (None, grpc.Compression.Gzip, grpc.Compression.Deflate):
            assert call(at.grpc_port, bytes(100_000), packing=packing) == b""
            error = refused(at.grpc_port, bytes(100_001), packing=packing)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "grpc-status-details-bin" not in dict(error.trailing_metadata())  # which would mean: try again
        assert call(at.grpc_port, b"good") == b""
    assert [len(body) for *_, body in at.intake.taken] == [100_000] * 3 + [4]


def test_requests_beyond_the_memory_limit_are_refused_as_retryable_and_later_served() -> None:
    for limits in (Limits(requests=1), Limits(body_bytes=100, held_bytes=150)):
        intake = KeepingIntake()
        with collecting(intake, http=None, limits=limits) as at, channel(at.grpc_port) as made:
            intake.open.clear()
            first = made.unary_unary(TRACES).future(bytes(100), timeout=60)
            assert intake.entered.acquire(timeout=60)
            error = refused(at.grpc_port, bytes(100))
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
            assert "google.rpc.retryinfo-bin" in dict(error.trailing_metadata())
            intake.open.set()
            assert first.result() == b""
            assert call(at.grpc_port, bytes(100)) == b""


def test_a_request_whose_client_has_gone_is_stored_all_the_same() -> None:
    intake = KeepingIntake()
    with collecting(intake, http=None) as at, channel(at.grpc_port) as made:
        intake.open.clear()
        going = made.unary_unary(TRACES).future(b"stored", timeout=60)
        assert intake.entered.acquire(timeout=60)
        going.cancel()
        intake.open.set()
        assert call(at.grpc_port, b"good") == b""
    assert sorted(body for *_, body in intake.taken) == [b"good", b"stored"]


def test_messages_that_stand_still_are_ended() -> None:
    with collecting(http=None, limits=Limits(body_s=0.3)) as at, silent_calls(at.grpc_port, 1) as [silent]:
        error = silent.exception()
        assert error.code() is grpc.StatusCode.UNAVAILABLE
        assert call(at.grpc_port, b"good") == b""


def test_messages_that_stand_still_give_way_to_new_ones() -> None:
    with collecting(http=None, limits=Limits(body_s=600)) as at, silent_calls(at.grpc_port, 8) as silent:
        taken = 0
        while taken < 8:  # at first they are too young to give way
            taken += served(at.grpc_port)
        given_up = [future for future in silent if future.done()]
        assert given_up
        assert {future.exception().code() for future in given_up} == {grpc.StatusCode.UNAVAILABLE}


@contextmanager
def silent_calls(port: int, count: int) -> Iterator[list[Any]]:
    """Calls whose message never comes."""
    end = threading.Event()

    def never() -> Iterator[bytes]:
        end.wait(120)
        yield from ()

    with channel(port) as made:
        calls = [made.stream_unary(TRACES).future(never(), timeout=60) for _ in range(count)]
        try:
            yield calls
        finally:
            end.set()


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x00" * 1000, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"],
    ids=["nothing", "zeros", "http/1.1", "no settings"],
)
def test_a_connection_that_is_no_http_2_is_ended_and_the_next_one_is_served(sent: bytes) -> None:
    with collecting(http=None, limits=Limits(head_s=0.5)) as at:
        with socket.create_connection(("127.0.0.1", at.grpc_port), timeout=60) as sock:
            sock.sendall(sent)
            try:
                while sock.recv(1000):
                    pass
            except ConnectionError:
                pass
        assert call(at.grpc_port, b"good") == b""


def test_an_idle_connection_is_closed_and_its_client_serves_on() -> None:
    with collecting(http=None, limits=Limits(idle_s=0.3)) as at, channel(at.grpc_port) as made:
        left: list[Any] = []
        made.subscribe(left.append)
        for _ in range(3):
            assert made.unary_unary(TRACES)(b"x", timeout=60) == b""
            while left and left.pop(0) is not grpc.ChannelConnectivity.IDLE:
                pass
    assert len(at.intake.taken) == 3


def test_memory_stays_bounded_whatever_is_sent() -> None:
    with dropping(body_bytes=MIB, held_bytes=4 * MIB) as at, ExitStack() as stack:
        assert call(at.grpc_port, bytes(MIB)) == b""
        at.forget_peak()
        before = at.peak_mib()
        for packing in (None, grpc.Compression.Gzip):
            error = refused(at.grpc_port, bytes(256 * MIB), packing=packing)
            assert error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        stalled = [stack.enter_context(_stalling(at.grpc_port)) for _ in range(10)]
        sent = 0
        for one in stalled:
            for stream in (1, 3, 5, 7, 9):
                one.begin(stream, TRACES, MIB)
                sent += one.send(stream, bytes(MIB - 1))
        assert sent > 4 * MIB
        assert at.peak_mib() - before < 48
        while not served(at.grpc_port):
            pass  # until those that stand still have done so for long enough


@contextmanager
def _stalling(port: int) -> Iterator[Stalling]:
    made = Stalling(port)
    try:
        yield made
    finally:
        made.close()


def test_a_grpc_that_unpacks_without_a_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("mcpobs.collector.grpc.version", lambda _: "1.83.0")
    with pytest.raises(UsageError) as caught, collecting(http=None):
        pass
    assert "1.83.0" in caught.value.message
    assert add_extra("collect") in str(caught.value.hint)
