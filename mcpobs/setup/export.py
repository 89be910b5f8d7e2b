"""Checks the export: the OTEL_* variables, whether their endpoint accepts an empty request, and whether an mcpobs
collector runs here. Sends no span."""

from __future__ import annotations

import http.client
import json
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final

from mcpobs.setup.check import Check
from mcpobs.telemetry.delivery import reason
from mcpobs.telemetry.targets import Target, targets

ABOUT: Final = "export"
TIMEOUT_S: Final = 3.0
COLLECTOR: Final = ("localhost", 4318)
STDOUT_EXPORTERS: Final = frozenset({"console", "logging", "otlp_json_file", "otlp_file", "otlp/stdout"})
_VARIABLES: Final = ("OTEL_TRACES_EXPORTER", "OTEL_METRICS_EXPORTER", "OTEL_LOGS_EXPORTER")
_LOGGERS: Final = ("opentelemetry", "urllib3", "requests", "grpc")


def check(env: Mapping[str, str], collector: tuple[str, int] = COLLECTOR) -> Iterator[Check]:
    """Checks the export. `env` must be the process's environment, which the exporters read too."""
    for variable, exporter in writes_to_stdout(env):
        line = f"{variable}={exporter} writes to stdout: a stdio server that reads it sends invalid JSON-RPC"
        yield Check(ABOUT, "fail", line, f"set {variable}=otlp or none")
    warnings: list[str] = []
    found = targets(env, warnings.append)
    for message in warnings:
        line, _, hint = message.removeprefix("OTLP: ").partition("\nhint: ")
        if "is refused" not in line:  # reported above, in terms of this machine's servers
            yield Check(ABOUT, "fail", line, hint or None)
    if not found:
        yield Check(ABOUT, "ok", "no OTLP endpoint is configured: recorded calls stay on this machine")
    for target in found:
        yield _reached(target)
    yield _collector(*collector)


def writes_to_stdout(env: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """Yields the OTEL_* variables that make an SDK write to stdout, which belongs to JSON-RPC."""
    for variable in _VARIABLES:
        named = [word.strip().lower() for word in env.get(variable, "").split(",")]
        wrong = [word for word in named if word in STDOUT_EXPORTERS]
        if wrong:
            yield variable, wrong[0]


def _reached(target: Target) -> Check:
    failure = _failure(target)
    where = f"{target.signal} to {target.endpoint} ({target.protocol})"
    if failure is None:
        hint = (
            "that is this shell's; for servers that a client starts, OTEL_* belongs into their env in its configuration"
        )
        return Check(ABOUT, "ok", f"{where}: an empty request was accepted", hint)
    hint = "is a collector listening there? 4318 is usual for http/protobuf and 4317 for grpc; check the token too"
    return Check(ABOUT, "fail", f"{where}: {failure}", hint)


def _failure(target: Target) -> str | None:
    """Returns why an empty request was not accepted; None if it was. Uses the exporter itself, because it reads the
    variables for headers, certificates and compression; in a thread, because it retries repeatedly."""
    heard = _Hearing()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    before = [(logger, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.addHandler(heard)
        logger.propagate = False
    outcome: list[bool] = []
    try:
        export, shutdown = _exporter(target)
        thread = threading.Thread(target=_attempt, args=(export, outcome, heard), daemon=True)
        thread.start()
        thread.join(TIMEOUT_S + 1)
        threading.Thread(target=shutdown, daemon=True).start()  # it may wait for the attempt to end
        thread.join(1)
    except Exception as error:  # from the exporter, for a variable that it cannot read
        return reason(f"{type(error).__name__}: {error}")
    finally:
        for logger, propagate in before:
            logger.removeHandler(heard)
            logger.propagate = propagate
    if outcome == [True]:
        return None
    return heard.texts[0] if heard.texts else f"no answer within {TIMEOUT_S:.0f} s"


def _attempt(export: Callable[[], bool], outcome: list[bool], heard: _Hearing) -> None:
    try:
        outcome.append(export())
    except Exception as error:  # from the exporter
        heard.texts.append(reason(f"{type(error).__name__}: {error}"))


def _exporter(target: Target) -> tuple[Callable[[], bool], Callable[[], None]]:
    """Returns a function that sends an empty request, and one that shuts the exporter down."""
    from opentelemetry.sdk.metrics.export import MetricExportResult, MetricsData
    from opentelemetry.sdk.trace.export import SpanExportResult

    if target.signal == "traces":
        if target.protocol == "grpc":
            from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpans

            spans: GrpcSpans | HttpSpans = GrpcSpans(timeout=int(TIMEOUT_S))
        else:
            from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpans

            spans = HttpSpans(timeout=int(TIMEOUT_S))
        return lambda: spans.export(()) is SpanExportResult.SUCCESS, spans.shutdown
    if target.protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc.metric_exporter import OTLPMetricExporter as GrpcMetrics

        metrics: GrpcMetrics | HttpMetrics = GrpcMetrics(timeout=int(TIMEOUT_S))
    else:
        from opentelemetry.exporter.otlp.proto.http.metric_exporter import OTLPMetricExporter as HttpMetrics

        metrics = HttpMetrics(timeout=int(TIMEOUT_S))
    empty = MetricsData(resource_metrics=[])
    return lambda: metrics.export(empty) is MetricExportResult.SUCCESS, metrics.shutdown


class _Hearing(logging.Handler):
    """Keeps the exporter's log messages off stderr."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.texts.append(reason(record.getMessage()))


def _collector(host: str, port: int) -> Check:
    where = f"{host}:{port}"
    connection = http.client.HTTPConnection(host, port, timeout=TIMEOUT_S)
    try:
        connection.request("GET", "/healthz")
        answer = connection.getresponse()
        health = json.loads(answer.read(1 << 16))
        status = health["status"]
    except ConnectionRefusedError:
        line = f"no `mcpobs collect` runs on {where}; only spans from elsewhere need it"
        return Check(ABOUT, "ok", line)
    except (OSError, http.client.HTTPException) as error:
        return Check(ABOUT, "warn", f"{where} does not answer: {error or type(error).__name__}", "what listens there?")
    except (ValueError, KeyError, TypeError):
        return Check(ABOUT, "ok", f"{where} is another program's")
    finally:
        connection.close()
    if status == "ok":
        return Check(ABOUT, "ok", f"`mcpobs collect` runs on {where}")
    trouble = str(health.get("trouble", "it does not say why to one without its token"))
    return Check(ABOUT, "warn", f"`mcpobs collect` on {where} is in trouble: {trouble}", "see its stderr")
