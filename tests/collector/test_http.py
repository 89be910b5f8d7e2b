"""OTLP over HTTP: what is accepted, and what each refusal says."""

from __future__ import annotations

import socket
import zlib
from collections.abc import Callable

import pytest
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceResponse
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceResponse

from mcpobs.collector.intake import Accepted, RefusedError
from mcpobs.collector.limits import Limits
from tests.collector.receiving import KeepingIntake, collecting
from tests.collector.wire import ask, chunked, connected, post, zipped

SIGNALS = ["traces", "metrics", "logs"]
JSON = "application/json"


@pytest.mark.parametrize("signal", SIGNALS)
@pytest.mark.parametrize(
    ("content_type", "encoding", "empty"),
    [
        ("application/x-protobuf", "protobuf", b""),
        ("application/json", "json", b"{}"),
        ("application/json; charset=utf-8", "json", b"{}"),
        ('Application/JSON;charset="UTF-8"', "json", b"{}"),
        ("application/x-protobuf ; proto=x", "protobuf", b""),
    ],
)
def test_a_request_is_taken_as_it_came_and_answered_in_its_encoding(
    signal: str, content_type: str, encoding: str, empty: bytes
) -> None:
    with collecting(grpc=None) as at:
        answer = ask(at.http_port, post(b"body", f"/v1/{signal}", content_type))
    assert (answer.status, answer.body) == (200, empty)
    assert answer.headers["content-type"] == ("application/json" if encoding == "json" else "application/x-protobuf")
    assert at.intake.taken == [(signal, encoding, b"body")]


@pytest.mark.parametrize(
    ("coding", "packed"),
    [
        ("gzip", zipped(b"body")),
        ("GZIP", zipped(b"body")),
        ("x-gzip", zipped(b"body")),
        ("gzip", zipped(b"bo") + zipped(b"dy")),
        ("gzip", zipped(b"bo") + zipped(b"") + zipped(b"dy")),
        ("deflate", zlib.compress(b"body")),
        ("identity", b"body"),
        ("none", b"body"),
    ],
)
def test_a_packed_body_is_unpacked(coding: str, packed: bytes) -> None:
    with collecting(grpc=None) as at:
        assert ask(at.http_port, post(packed, content_encoding=coding)).status == 200
        assert ask(at.http_port, chunked(*(bytes([b]) for b in packed), content_encoding=coding)).status == 200
    assert at.intake.taken == [("traces", "protobuf", b"body")] * 2


def test_a_large_body_arrives_unaltered_by_every_way() -> None:
    body = bytes(n * 7 & 0xFF for n in range(3_000_000))
    pieces = [body[n : n + 50_000] for n in range(0, len(body), 50_000)]
    with collecting(grpc=None) as at:
        for request in (post(body), chunked(*pieces), post(zipped(body), content_encoding="gzip")):
            assert ask(at.http_port, request).status == 200
    assert [taken == body for _, _, taken in at.intake.taken] == [True] * 3


def test_an_empty_body_is_left_to_the_intake() -> None:
    with collecting(grpc=None) as at:
        assert ask(at.http_port, post(b"")).status == 200
        assert ask(at.http_port, chunked()).status == 200
    assert at.intake.taken == [("traces", "protobuf", b"")] * 2


RESPONSES = {
    "traces": (ExportTraceServiceResponse, "rejected_spans", "rejectedSpans"),
    "metrics": (ExportMetricsServiceResponse, "rejected_data_points", "rejectedDataPoints"),
    "logs": (ExportLogsServiceResponse, "rejected_log_records", "rejectedLogRecords"),
}


@pytest.mark.parametrize("signal", SIGNALS)
def test_a_partial_success_gives_the_number_and_the_reason(signal: str) -> None:
    kind, field, member = RESPONSES[signal]
    intake = KeepingIntake(answers=[Accepted(300, "no träce id"), Accepted(300, "no träce id"), Accepted(0, "mind")])
    with collecting(intake, grpc=None) as at:
        by_protobuf = kind.FromString(ask(at.http_port, post(b"x", f"/v1/{signal}")).body).partial_success
        by_json = ask(at.http_port, post(b"x", f"/v1/{signal}", JSON)).json()
        warned = ask(at.http_port, post(b"x", f"/v1/{signal}", JSON)).json()
    assert (getattr(by_protobuf, field), by_protobuf.error_message) == (300, "no träce id")
    assert by_json == {"partialSuccess": {member: "300", "errorMessage": "no träce id"}}
    assert warned == {"partialSuccess": {"errorMessage": "mind"}}


@pytest.mark.parametrize(
    ("refusal", "status", "code", "retry_after"),
    [
        (RefusedError("malformed", "not OTLP"), 400, 3, None),
        (RefusedError("malformed", "not OTLP", 7.0), 400, 3, None),
        (RefusedError("busy", "later", 0.25), 503, 8, "1"),
        (RefusedError("busy", "later"), 503, 8, "5"),
        (RefusedError("unavailable", "disk full", 29.5), 503, 14, "30"),
    ],
)
def test_what_the_intake_refuses_has_the_status_that_makes_clients_act_rightly(
    refusal: RefusedError, status: int, code: int, retry_after: str | None
) -> None:
    with collecting(KeepingIntake(answers=[refusal, refusal]), grpc=None) as at:
        by_protobuf = ask(at.http_port, post(b"x"))
        by_json = ask(at.http_port, post(b"x", content_type=JSON))
    decoded = Status.FromString(by_protobuf.body)
    assert (by_protobuf.status, decoded.code, decoded.message) == (status, code, refusal.message)
    assert by_protobuf.headers["content-type"] == "application/x-protobuf"
    assert (by_json.status, by_json.json()["code"], by_json.json()["message"]) == (status, code, refusal.message)
    assert by_protobuf.headers.get("retry-after") == by_json.headers.get("retry-after") == retry_after
    if retry_after is None:
        assert not decoded.details
        return
    info = RetryInfo()
    assert decoded.details[0].Unpack(info)
    delay_s = info.retry_delay.seconds + info.retry_delay.nanos / 1e9
    assert delay_s == (refusal.retry_after_s or 5.0)
    assert by_json.json()["details"][0]["retryDelay"] == f"{delay_s:.3f}s"


def test_a_fault_of_the_intake_is_a_500_and_the_next_request_is_served(caplog: pytest.LogCaptureFixture) -> None:
    intake = KeepingIntake(answers=[ZeroDivisionError("x"), ZeroDivisionError("y")])
    with collecting(intake, grpc=None) as at, connected(at.http_port) as wire:
        statuses = []
        for _ in range(3):
            wire.send(post(b"x", content_type=JSON))
            statuses.append(wire.answer().status)
    assert statuses == [500, 500, 200]
    assert len([record for record in caplog.records if record.name == "mcpobs.collector"]) <= 1


@pytest.mark.parametrize(
    ("request_bytes", "status", "header"),
    [
        (post(path="/"), 404, None),
        (post(path="/v1/traces/"), 404, None),
        (post(path="/v1/profiles"), 404, None),
        (b"GET /v1/traces HTTP/1.1\r\nhost: localhost\r\n\r\n", 405, ("allow", "POST")),
        (b"OPTIONS /v1/traces HTTP/1.1\r\nhost: localhost\r\n\r\n", 405, ("allow", "POST")),
        (post(path="/healthz"), 405, ("allow", "GET, HEAD")),
        (post(b"x", content_type="text/plain"), 415, None),
        (post(b"x", content_type="application/grpc"), 415, None),
        (post(b"x", content_type=""), 415, None),
        (post(b"x", content_encoding="br"), 415, ("accept-encoding", "gzip, deflate")),
        (post(b"x", content_encoding="gzip, gzip"), 415, ("accept-encoding", "gzip, deflate")),
        (post(content_length=None), 411, None),
        (post(content_length=None, transfer_encoding="gzip, chunked") + b"0\r\n\r\n", 501, None),
        (post(b"not gzip", content_encoding="gzip"), 400, None),
        (post(b"", content_encoding="gzip"), 400, None),
        (post(zipped(b"body")[:-1], content_encoding="gzip"), 400, None),
        (post(zipped(b"body")[:5], content_encoding="gzip"), 400, None),
        (post(zipped(b"body") + b"more", content_encoding="gzip"), 400, None),
        (post(zlib.compress(b"body") + b"x", content_encoding="deflate"), 400, None),
        (post(zlib.compress(b"body")[:-1], content_encoding="deflate"), 400, None),
    ],
)
def test_a_request_that_is_no_otlp_is_refused_and_the_connection_serves_on(
    request_bytes: bytes, status: int, header: tuple[str, str] | None
) -> None:
    with collecting(grpc=None) as at, connected(at.http_port) as wire:
        wire.send(request_bytes)
        answer = wire.answer()
        wire.send(post(b"good"))
        good = wire.answer()
    assert answer.status == status
    if answer.headers["content-type"] == "application/json":
        assert answer.json()["message"]
    else:
        assert Status.FromString(answer.body).message
    if header:
        assert answer.headers[header[0]] == header[1]
    assert good.status == 200
    assert at.intake.taken == [("traces", "protobuf", b"good")]


def test_health_is_reported_with_the_counters() -> None:
    with collecting(grpc=None) as at:
        ask(at.http_port, post(b"x"))
        ask(at.http_port, post(b"x", content_type="text/plain"))
        health = ask(at.http_port, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "GET")
        head = ask(at.http_port, b"HEAD /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "HEAD")
    assert (health.status, health.json()["status"]) == (200, "ok")
    counted = health.json()["counters"]
    assert (counted["http.answered.200"], counted["http.answered.415"], counted["traces.requests"]) == (1, 1, 1)
    assert (head.status, head.body) == (200, b"")


def test_only_a_valid_token_may_send_or_see_the_counters() -> None:
    get = b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n%s\r\n"
    with collecting(grpc=None, tokens=("first", "second")) as at:
        for wrong in (None, "", "Bearer", "Bearer ", "Bearer firs", "Bearer first2", "Basic first", "first"):
            refused = ask(at.http_port, post(b"x", authorization=wrong))
            assert (refused.status, refused.headers["www-authenticate"]) == (401, 'Bearer realm="mcpobs"')
            assert Status.FromString(refused.body).code == 16
        assert ask(at.http_port, post(b"1", authorization="Bearer first")).status == 200
        assert ask(at.http_port, post(b"2", authorization="bearer  second")).status == 200
        stranger = ask(at.http_port, get % b"", "GET").json()
        friend = ask(at.http_port, get % b"authorization: Bearer first\r\n", "GET").json()
    assert [body for *_, body in at.intake.taken] == [b"1", b"2"]
    assert stranger == {"status": "ok"}
    assert friend["counters"]["http.answered.401"] == 8


def test_requests_in_a_row_on_one_connection_are_answered_in_order() -> None:
    with collecting(grpc=None) as at, connected(at.http_port) as wire:
        wire.send(*(post(b"%d" % n) for n in range(5)), post(path="/nowhere"), chunked(b"5"), chunked(b"6", b"7"))
        statuses = [wire.answer().status for _ in range(8)]
    assert statuses == [200] * 5 + [404] + [200] * 2
    assert [body for *_, body in at.intake.taken] == [b"0", b"1", b"2", b"3", b"4", b"5", b"67"]


def test_requests_are_taken_however_their_bytes_are_cut() -> None:
    requests = post(b"1"), chunked(b"2", b"3"), post(b"", path="/nowhere"), post(zipped(b"4"), content_encoding="gzip")
    sent = b"\r\n".join(requests)
    with collecting(grpc=None) as at, connected(at.http_port) as wire:
        wire.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in sent:
            wire.send(bytes([byte]))
        assert [wire.answer().status for _ in requests] == [200, 200, 404, 200]
    assert [body for *_, body in at.intake.taken] == [b"1", b"23", b"4"]


def test_http_1_0_is_served_and_closed() -> None:
    with collecting(grpc=None) as at, connected(at.http_port) as wire:
        wire.send(post(b"old").replace(b"HTTP/1.1", b"HTTP/1.0"))
        assert wire.answer().status == 200
        assert wire.ended()
    assert at.intake.taken == [("traces", "protobuf", b"old")]


def test_who_expects_100_continue_gets_it_before_the_body() -> None:
    with collecting(grpc=None) as at, connected(at.http_port) as wire:
        wire.send(post(expect="100-continue", content_length="4"))
        assert wire.line() == b"HTTP/1.1 100 Continue\r\n"
        assert wire.line() == b"\r\n"
        wire.send(b"body")
        assert wire.answer().status == 200
    assert at.intake.taken == [("traces", "protobuf", b"body")]


def test_who_expects_100_continue_and_is_refused_need_not_send_the_body() -> None:
    with collecting(grpc=None, tokens=("t",)) as at, connected(at.http_port) as wire:
        wire.send(post(expect="100-continue", content_length="4"))
        answer = wire.answer()
        assert (answer.status, answer.headers["connection"]) == (401, "close")
        assert wire.ended()


def test_an_offer_to_upgrade_is_declined_and_the_connection_serves_on() -> None:
    offers = {"connection": "Upgrade, HTTP2-Settings", "upgrade": "h2c", "http2_settings": "AAEAAEAAAAIAAAABAAMAAABk"}
    with collecting(grpc=None) as at, connected(at.http_port) as wire:
        for body in (b"1", b"2", b"3"):
            wire.send(post(body, **offers))
            assert wire.answer().status == 200
        wire.send(post(b"4", **offers), chunked(b"5", **offers), post(b"6"))
        assert [wire.answer().status for _ in range(3)] == [200] * 3
        wire.send(b"CONNECT x:1 HTTP/1.1\r\nhost: localhost\r\n\r\n", post(b"7"))
        assert wire.answer().status == 400
    assert [body for *_, body in at.intake.taken] == [b"1", b"2", b"3", b"4", b"5", b"6"]


@pytest.mark.parametrize("offer", ["websocket", "h2c", "WebSocket"])
@pytest.mark.parametrize("request_with", [post, chunked])
def test_the_body_of_a_request_that_offers_another_protocol_is_taken(
    offer: str, request_with: Callable[..., bytes]
) -> None:
    request = request_with(b"body", connection="upgrade", upgrade=offer, sec_websocket_version="13")
    with collecting(grpc=None) as at, connected(at.http_port) as wire:
        wire.send(request, post(b"next"))
        assert [wire.answer().status for _ in range(2)] == [200, 200]
    assert [body for *_, body in at.intake.taken] == [b"body", b"next"]


def test_an_answer_does_not_name_what_serves() -> None:
    with collecting(grpc=None) as at:
        answers = [ask(at.http_port, post(b"x")), ask(at.http_port, post(path="/")), ask(at.http_port, b"?\r\n\r\n")]
    assert [answer.status for answer in answers] == [200, 404, 400]
    assert not [answer for answer in answers if "server" in answer.headers]


def test_requests_that_are_sent_ahead_wait_for_the_answers_before_them() -> None:
    intake = KeepingIntake()
    with collecting(intake, grpc=None) as at, connected(at.http_port) as wire:
        intake.open.clear()
        wire.send(post(b"1"), post(b"2"))
        assert intake.entered.acquire(timeout=60)
        wire.send(post(b"3"), chunked(b"4"))
        assert ask(at.http_port, b"GET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n", "GET").status == 200
        assert not intake.entered.acquire(blocking=False)
        intake.open.set()
        assert [wire.answer().status for _ in range(4)] == [200] * 4
    assert [body for *_, body in intake.taken] == [b"1", b"2", b"3", b"4"]


def test_a_body_of_the_limit_is_taken_and_one_byte_more_is_not() -> None:
    limits = Limits(body_bytes=100_000)
    full, over = b"x" * 100_000, b"x" * 100_001
    with collecting(grpc=None, limits=limits) as at:
        for body, status in ((full, 200), (over, 413)):
            assert ask(at.http_port, post(body)).status == status
            assert ask(at.http_port, chunked(body[:60_000], body[60_000:])).status == status
            assert ask(at.http_port, post(zipped(body), content_encoding="gzip")).status == status
            assert ask(at.http_port, post(zlib.compress(body), content_encoding="deflate")).status == status
    assert [len(body) for *_, body in at.intake.taken] == [100_000] * 4
