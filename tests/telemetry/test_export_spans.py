"""Spans by OTLP: equal to the rows, and sampled as the OTEL_* variables say."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from mcpobs import __version__, semconv
from mcpobs.telemetry.export import Exporter

from .receiver import Receiver, plain
from .rows import START, operation, with_every_column

Open = Callable[[], Exporter]


def exported(open_exporter: Open, receiver: Receiver, *rows: dict[str, Any]) -> list[Any]:
    """The spans that the receiver has got of these rows once the exporter is closed, in their order."""
    exporter = open_exporter()
    for row in rows:
        exporter.export(row)
    exporter.close(60)
    return receiver.spans()


def test_a_span_has_the_ids_name_kind_and_times_of_its_row(open_exporter: Open, receiver: Receiver) -> None:
    row = operation()
    (span,) = exported(open_exporter, receiver, row)
    assert span.trace_id.hex() == row["trace_id"]
    assert span.span_id.hex() == row["span_id"]
    assert span.parent_span_id == b""
    assert span.name == "tools/call search"
    assert span.kind == Span.SPAN_KIND_SERVER
    assert span.start_time_unix_nano == START
    assert span.end_time_unix_nano == START + 40_000_000
    assert span.status.code == Status.STATUS_CODE_UNSET


def test_the_callers_span_is_the_parent(open_exporter: Open, receiver: Receiver) -> None:
    row = operation(parent_span_id="b7ad6b7169203331", trace_id="0af7651916cd43dd8448eb211c80319c")
    (span,) = exported(open_exporter, receiver, row)
    assert span.parent_span_id.hex() == "b7ad6b7169203331"
    assert span.trace_id.hex() == "0af7651916cd43dd8448eb211c80319c"
    assert span.span_id.hex() == row["span_id"]


def test_each_row_keeps_its_own_ids_and_its_place(open_exporter: Open, receiver: Receiver) -> None:
    rows = [operation(request_id=str(n)) for n in range(1500)]  # three batches
    spans = exported(open_exporter, receiver, *rows)
    assert [(s.trace_id.hex(), s.span_id.hex()) for s in spans] == [(r["trace_id"], r["span_id"]) for r in rows]
    assert [plain(s.attributes)[semconv.REQUEST_ID] for s in spans] == [str(n) for n in range(1500)]


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("server", Span.SPAN_KIND_SERVER), ("client", Span.SPAN_KIND_CLIENT), ("internal", Span.SPAN_KIND_INTERNAL)],
)
def test_the_kind_is_that_of_the_row(open_exporter: Open, http_receiver: Receiver, kind: str, expected: int) -> None:
    (span,) = exported(open_exporter, http_receiver, operation(kind=kind))
    assert span.kind == expected


def test_the_status_is_an_error_if_there_is_an_error_type(open_exporter: Open, http_receiver: Receiver) -> None:
    failed = operation(error_type="tool_error", outcome="tool_error")
    callers_fault = operation(status_code="-32602", outcome="protocol_error")
    with_text = operation(error_type="-32603", error_message="out of order")
    spans = exported(open_exporter, http_receiver, failed, callers_fault, with_text)
    assert [span.status.code for span in spans] == [
        Status.STATUS_CODE_ERROR,
        Status.STATUS_CODE_UNSET,
        Status.STATUS_CODE_ERROR,
    ]
    assert [span.status.message for span in spans] == ["", "", "out of order"]
    assert plain(spans[1].attributes)[semconv.STATUS_CODE] == "-32602"


def test_every_attribute_is_registered_and_every_registered_attribute_is_exported(
    open_exporter: Open, receiver: Receiver
) -> None:
    row = with_every_column()
    (span,) = exported(open_exporter, receiver, row)
    of_resource = {semconv.SERVICE_NAME, semconv.SERVICE_INSTANCE_ID}
    registered = {name.attribute for name in semconv.NAMES if name.attribute} - of_resource
    attributes = plain(span.attributes)
    assert set(attributes) == registered
    for name in semconv.NAMES:
        if name.column is not None and name.attribute in attributes:
            value = attributes[name.attribute]
            assert value == row[name.column]
            assert type(value) is type(row[name.column])
    for key, value in json.loads(row["attributes"]).items():
        assert attributes[key] == value


def test_values_that_otlp_cannot_carry_become_text(open_exporter: Open, http_receiver: Receiver) -> None:
    rest = {"huge": 2**63, "list": [1, "a"], "map": {"b": None}, "nothing": None}
    (span,) = exported(open_exporter, http_receiver, operation(attributes=json.dumps(rest)))
    found = plain(span.attributes)
    assert (found["huge"], found["list"], found["map"]) == (str(2**63), '[1,"a"]', '{"b":null}')
    assert "nothing" not in found


def test_the_resource_is_the_service_with_what_the_user_adds(
    open_exporter: Open, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "deployment.environment.name=prod,team=a%20b")
    exported(open_exporter, receiver, operation())
    ((resource, scope, _),) = receiver.scoped_spans()
    found = plain(resource.attributes)
    assert found["service.name"] == "files"
    assert found["service.instance.id"] == "instance"
    assert found["deployment.environment.name"] == "prod"
    assert found["team"] == "a b"
    assert (scope.name, scope.version) == (semconv.SCOPE_NAME, __version__)


def test_the_command_line_is_no_part_of_the_resource(
    open_exporter: Open, http_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "process,otel")
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "process.command_args=KEY,process.command_line=KEY")
    exported(open_exporter, http_receiver, operation())
    ((resource, _, _),) = http_receiver.scoped_spans()
    found = plain(resource.attributes)
    assert "process.pid" in found, "the detector is asked"
    assert not [name for name in found if name.startswith("process.command")]


def test_an_instance_id_that_the_user_chose_stays(
    open_exporter: Open, http_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_RESOURCE_ATTRIBUTES", "service.instance.id=pod-7")
    exported(open_exporter, http_receiver, operation())
    ((resource, _, _),) = http_receiver.scoped_spans()
    assert plain(resource.attributes)["service.instance.id"] == "pod-7"


def test_headers_and_compression_are_sent_as_the_variables_say(
    open_exporter: Open, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_HEADERS", "authorization=Bearer%20t0ken")
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_COMPRESSION", "gzip")
    assert len(exported(open_exporter, receiver, *(operation() for _ in range(100)))) == 100
    assert {headers["authorization"] for headers in receiver.headers} == {"Bearer t0ken"}
    if "content-type" in receiver.headers[0]:  # gRPC keeps its encoding from the application
        assert {headers["content-encoding"] for headers in receiver.headers} == {"gzip"}


def test_a_caller_that_does_not_sample_is_not_exported(
    open_exporter: Open, receiver: Receiver, said: list[str]
) -> None:
    unsampled = operation(parent_span_id="b7ad6b7169203331", trace_flags=0)
    sampled = operation(parent_span_id="b7ad6b7169203331", trace_flags=1)
    (span,) = exported(open_exporter, receiver, unsampled, sampled)
    assert span.span_id.hex() == sampled["span_id"]
    assert said == ["OTLP: 1 spans exported, 0 dropped, 1 not sampled; metrics exported"]


def test_a_ratio_sampler_decides_by_the_recorded_trace_id(
    open_exporter: Open, http_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", "traceidratio")
    monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", "0.25")
    rows = [operation(trace_id=f"{'ab' * 8}{n << 56:016x}") for n in range(256)]
    spans = exported(open_exporter, http_receiver, *rows)
    assert [span.trace_id.hex() for span in spans] == [row["trace_id"] for row in rows[:64]]


def test_the_sdks_span_limits_hold(
    open_exporter: Open, http_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT", "3")
    (span,) = exported(open_exporter, http_receiver, operation(tool="search"))
    assert plain(span.attributes)[semconv.TOOL] == "sea"


def test_a_span_is_sent_after_the_schedule_delay_without_any_close(
    open_exporter: Open, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "10")
    exporter = open_exporter()
    exporter.export(operation())
    receiver.wait_for(lambda: len(receiver.spans()) == 1)
    exporter.export(operation())
    receiver.wait_for(lambda: len(receiver.spans()) == 2)


def test_a_whole_batch_is_sent_before_the_schedule_delay(
    open_exporter: Open, http_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "3600000")
    monkeypatch.setenv("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", "8")
    exporter = open_exporter()
    for _ in range(8):
        exporter.export(operation())
    http_receiver.wait_for(lambda: len(http_receiver.spans()) == 8)


def test_a_row_that_is_none_costs_itself_and_not_its_batch(
    open_exporter: Open, http_receiver: Receiver, said: list[str]
) -> None:
    good = [operation(), operation()]
    spans = exported(open_exporter, http_receiver, good[0], operation(trace_id="no hex"), good[1])
    assert [span.span_id.hex() for span in spans] == [row["span_id"] for row in good]
    assert said[-1] == "OTLP: 2 spans exported, 1 dropped; metrics exported"
