"""The conventions' metrics by OTLP: of every operation, whatever is sampled, and with bounded attributes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from mcpobs import semconv
from mcpobs.telemetry.export import Exporter

from .receiver import Receiver, plain
from .rows import operation

Open = Callable[[], Exporter]


def measure(open_exporter: Open, *rows: dict[str, Any]) -> None:
    exporter = open_exporter()
    for row in rows:
        exporter.export(row)
    exporter.close(60)


def test_durations_are_counted_in_the_conventions_buckets(open_exporter: Open, receiver: Receiver) -> None:
    measure(open_exporter, *(operation(duration_ns=ms * 1_000_000) for ms in (5, 15, 15, 400_000)))
    metric = receiver.metrics()["mcp.server.operation.duration"]
    assert metric.unit == "s"
    (point,) = receiver.points("mcp.server.operation.duration")
    assert tuple(point.explicit_bounds) == semconv.DURATION_BUCKETS_S
    assert list(point.bucket_counts) == [1, 2, *[0] * 12, 1]
    assert point.count == 4
    assert point.sum == pytest.approx(400.035)


def test_an_operation_is_measured_by_the_conventions_attributes_and_no_others(
    open_exporter: Open, receiver: Receiver
) -> None:
    measure(open_exporter, operation(error_type="-32603", status_code="-32603", args_digest="d", client_name="c"))
    (point,) = receiver.points("mcp.server.operation.duration")
    assert plain(point.attributes) == {
        "mcp.method.name": "tools/call",
        "gen_ai.tool.name": "search",
        "gen_ai.operation.name": "execute_tool",
        "mcp.protocol.version": "2025-11-25",
        "network.transport": "pipe",
        "error.type": "-32603",
        "rpc.response.status_code": "-32603",
    }


def test_a_request_of_the_server_is_measured_as_the_clients(open_exporter: Open, http_receiver: Receiver) -> None:
    measure(open_exporter, operation(kind="client", method="sampling/createMessage", tool=None), operation())
    (asked,) = http_receiver.points("mcp.client.operation.duration")
    assert plain(asked.attributes)["mcp.method.name"] == "sampling/createMessage"
    assert [p.count for p in http_receiver.points("mcp.server.operation.duration")] == [1]


def test_a_span_of_our_own_is_exported_and_not_measured(open_exporter: Open, http_receiver: Receiver) -> None:
    measure(open_exporter, operation(kind="internal", name=semconv.LOSS_SPAN))
    assert [span.name for span in http_receiver.spans()] == [semconv.LOSS_SPAN]
    assert http_receiver.points("mcp.server.operation.duration") == []


def test_a_session_is_measured_when_it_ends(open_exporter: Open, receiver: Receiver) -> None:
    exporter = open_exporter()
    exporter.session_ended(42.5, {"mcp.protocol.version": "2025-11-25", "mcpobs.session.id": "secret"})
    exporter.close(60)
    (point,) = receiver.points("mcp.server.session.duration")
    assert (point.count, point.sum) == (1, 42.5)
    assert plain(point.attributes) == {"mcp.protocol.version": "2025-11-25"}
    assert tuple(point.explicit_bounds) == semconv.DURATION_BUCKETS_S


def test_every_metric_is_registered_and_every_registered_metric_is_exported(
    open_exporter: Open, http_receiver: Receiver
) -> None:
    exporter = open_exporter()
    exporter.export(operation())
    exporter.export(operation(kind="client"))
    exporter.session_ended(1.0)
    exporter.close(60)
    assert set(http_receiver.metrics()) == {metric.name for metric in semconv.METRICS}


@pytest.mark.parametrize("sampler", ["always_off", "parentbased_always_off"])
def test_nothing_sampled_is_still_measured(
    open_exporter: Open, receiver: Receiver, monkeypatch: pytest.MonkeyPatch, sampler: str, said: list[str]
) -> None:
    monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    measure(open_exporter, *(operation() for _ in range(3)))
    assert receiver.spans() == []
    assert [p.count for p in receiver.points("mcp.server.operation.duration")] == [3]
    assert said == ["OTLP: 0 spans exported, 0 dropped, 3 not sampled; metrics exported"]


def test_a_caller_that_invents_tool_names_does_not_grow_the_metrics(
    open_exporter: Open, http_receiver: Receiver
) -> None:
    measure(open_exporter, *(operation(tool=f"t{n}") for n in range(250)), operation(tool="t3"))
    points = http_receiver.points("mcp.server.operation.duration")
    by_tool = {plain(p.attributes)["gen_ai.tool.name"]: p.count for p in points}
    assert len(by_tool) == 201
    assert by_tool["_OTHER"] == 50
    assert by_tool["t3"] == 2


def test_a_caller_that_invents_methods_and_versions_does_not_grow_the_metrics(
    open_exporter: Open, http_receiver: Receiver
) -> None:
    rows = [
        operation(tool=f"t{n % 200}", method=f"m{n % 40}", protocol_version=f"v{n % 37}", error_type=f"e{n % 31}")
        for n in range(4000)
    ]
    measure(open_exporter, *rows)
    points = http_receiver.points("mcp.server.operation.duration")
    assert sum(p.count for p in points) == 4000
    assert len(points) == 1501
    others = [plain(p.attributes) for p in points if plain(p.attributes)["mcp.protocol.version"] == "_OTHER"]
    assert {"mcp.method.name": "_OTHER", "gen_ai.tool.name": "_OTHER"}.items() <= others[-1].items()


def test_the_temporality_is_as_the_variable_says(
    open_exporter: Open, http_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_METRICS_TEMPORALITY_PREFERENCE", "delta")
    measure(open_exporter, operation())
    assert http_receiver.metrics()["mcp.server.operation.duration"].histogram.aggregation_temporality == 1


def test_metrics_are_sent_at_the_interval_without_any_close(
    open_exporter: Open, http_receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_METRIC_EXPORT_INTERVAL", "20")
    exporter = open_exporter()
    exporter.export(operation())
    http_receiver.wait_for(lambda: [p.count for p in http_receiver.points("mcp.server.operation.duration")] == [1])
