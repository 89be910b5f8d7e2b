"""What the OTEL_* variables ask for: which signal goes where, and what is refused."""

from __future__ import annotations

import subprocess
import sys

import pytest

from mcpobs.telemetry.targets import Target, targets

ENDPOINT = {"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}


def read(env: dict[str, str]) -> tuple[dict[str, Target], list[str]]:
    said: list[str] = []
    return {target.signal: target for target in targets(env, said.append)}, said


def shown(env: dict[str, str]) -> dict[str, str]:
    found, said = read(env)
    assert said == []
    return {signal: f"{target.protocol} {target.endpoint}" for signal, target in found.items()}


def test_without_a_variable_nothing_is_exported() -> None:
    assert shown({}) == {}
    assert shown({"OTEL_EXPORTER_OTLP_ENDPOINT": "", "OTEL_TRACES_EXPORTER": ""}) == {}
    assert shown({"OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_SERVICE_NAME": "x"}) == {}


def test_an_endpoint_is_for_both_signals_by_http() -> None:
    assert shown(ENDPOINT) == {
        "traces": "http/protobuf http://collector:4318/v1/traces",
        "metrics": "http/protobuf http://collector:4318/v1/metrics",
    }


def test_an_endpoint_of_one_signal_is_for_that_signal() -> None:
    assert shown({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://t:1/api/v2/traces"}) == {
        "traces": "http/protobuf http://t:1/api/v2/traces"
    }
    assert shown({**ENDPOINT, "OTEL_EXPORTER_OTLP_METRICS_ENDPOINT": "http://m:2/metrics"})["metrics"].endswith(
        "http://m:2/metrics"
    )


def test_naming_the_otlp_exporter_is_enough_and_means_the_default_endpoint() -> None:
    assert shown({"OTEL_TRACES_EXPORTER": "otlp"}) == {"traces": "http/protobuf http://localhost:4318/v1/traces"}
    assert shown({"OTEL_METRICS_EXPORTER": "otlp_proto_grpc"}) == {"metrics": "grpc http://localhost:4317"}


def test_the_protocol_of_a_signal_wins_over_the_common_one() -> None:
    env = {**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_METRICS_PROTOCOL": "http/protobuf"}
    assert shown(env) == {
        "traces": "grpc http://collector:4318",
        "metrics": "http/protobuf http://collector:4318/v1/metrics",
    }


@pytest.mark.parametrize("value", ["true", "TRUE", " True "])
def test_a_disabled_sdk_exports_nothing(value: str) -> None:
    assert shown({**ENDPOINT, "OTEL_SDK_DISABLED": value, "OTEL_TRACES_EXPORTER": "otlp"}) == {}


def test_none_switches_one_signal_off() -> None:
    assert set(shown({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none"})) == {"metrics"}
    assert set(shown({**ENDPOINT, "OTEL_METRICS_EXPORTER": "none"})) == {"traces"}
    assert shown({**ENDPOINT, "OTEL_TRACES_EXPORTER": "none", "OTEL_METRICS_EXPORTER": "None"}) == {}


@pytest.mark.parametrize("name", ["console", "otlp_json_file", "otlp_json_http", "zipkin"])
def test_an_exporter_that_is_not_otlp_is_refused_with_a_word(name: str) -> None:
    found, (said,) = read({**ENDPOINT, "OTEL_TRACES_EXPORTER": name})
    assert set(found) == {"metrics"}
    assert f"OTEL_TRACES_EXPORTER={name} is refused" in said
    assert "hint: set OTEL_TRACES_EXPORTER=otlp" in said


def test_beside_a_refused_exporter_otlp_is_honoured() -> None:
    found, (said,) = read({**ENDPOINT, "OTEL_TRACES_EXPORTER": "otlp, console"})
    assert set(found) == {"traces", "metrics"}
    assert "OTEL_TRACES_EXPORTER=console is refused" in said


@pytest.mark.parametrize("value", ["http/json", "HTTP", "kafka"])
def test_an_unknown_protocol_is_warned_of_once_and_nothing_is_exported(value: str) -> None:
    found, (said,) = read({**ENDPOINT, "OTEL_EXPORTER_OTLP_PROTOCOL": value})
    assert found == {}
    assert f"OTEL_EXPORTER_OTLP_PROTOCOL={value} is not a protocol of the OTLP exporter package" in said
    assert "OTEL_EXPORTER_OTLP_PROTOCOL=grpc or OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf" in said


@pytest.mark.parametrize("endpoint", ["collector:4318", "localhost", "ftp://x", "http://", "http://[half"])
def test_an_http_endpoint_that_is_no_url_is_warned_of_once(endpoint: str) -> None:
    found, (said,) = read({"OTEL_EXPORTER_OTLP_ENDPOINT": endpoint})
    assert found == {}
    assert "OTEL_EXPORTER_OTLP_ENDPOINT is not an http:// or https:// URL" in said


def test_a_grpc_endpoint_needs_no_scheme() -> None:
    env = {"OTEL_EXPORTER_OTLP_ENDPOINT": "collector:4317", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}
    assert set(shown(env).values()) == {"grpc collector:4317"}


def test_credentials_and_queries_of_an_endpoint_are_never_shown() -> None:
    found = shown({"OTEL_EXPORTER_OTLP_ENDPOINT": "https://user:pass@c:1/k3y/?key=k"})
    assert found["traces"] == "http/protobuf https://c:1/*/"
    for endpoint in ("http://c:1/v1/traces?k3y=1", "http://c:1?k3y=1/2", "http://k3y@c:1", "http://c:1/v1/k3y#k3y"):
        assert "k3y" not in shown({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": endpoint})["traces"]


def test_without_a_configuration_nothing_of_opentelemetry_is_imported() -> None:
    program = """
import sys
from mcpobs.telemetry.export import exporter_from_environment
assert exporter_from_environment({}, service_name="s", instance_id="i", warn=print) is None
found = [name for name in sys.modules if name.startswith(("opentelemetry", "grpc", "google", "requests", "logging"))]
print(found)
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60, check=True)
    assert done.stdout == b"[]\n"
