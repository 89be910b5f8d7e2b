"""Creates the SDK's parts from the OTEL_* variables: resource, exporters, meter provider.

The exporters read their own variables (headers, timeout, compression, certificates) from the process's environment.
Nothing here registers a global provider or an exit handler.
"""

from __future__ import annotations

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import (
    MetricExporter,
    MetricExportResult,
    MetricsData,
    PeriodicExportingMetricReader,
)
from opentelemetry.sdk.metrics.view import ExplicitBucketHistogramAggregation
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace.export import SpanExporter

from mcpobs import semconv
from mcpobs.telemetry.delivery import Delivery
from mcpobs.telemetry.targets import WireProtocol

_COMMAND = "process.command"  # process.command, process.command_args, process.command_line


def resource(service_name: str, instance_id: str) -> Resource:
    """Returns the resource: the SDK's facts and OTEL_RESOURCE_ATTRIBUTES, under the lake's service name.

    Keeps an instance id from OTEL_RESOURCE_ATTRIBUTES, but not one that the SDK generated. Removes the command line,
    which an SDK detector adds if OTEL_EXPERIMENTAL_RESOURCE_DETECTORS selects it: servers get keys as arguments.
    """
    chosen = OTELResourceDetector().detect().attributes.get(semconv.SERVICE_INSTANCE_ID, instance_id)
    found = Resource.create({semconv.SERVICE_NAME: service_name, semconv.SERVICE_INSTANCE_ID: chosen})
    kept = {name: value for name, value in found.attributes.items() if not name.startswith(_COMMAND)}
    return Resource(kept, found.schema_url)


def span_exporter(protocol: WireProtocol) -> SpanExporter:
    if protocol == "grpc":  # each imports 20 to 40 MB of libraries that the other does not need
        from opentelemetry.exporter.otlp.proto.grpc import trace_exporter as grpc

        return grpc.OTLPSpanExporter()
    from opentelemetry.exporter.otlp.proto.http import trace_exporter as http

    return http.OTLPSpanExporter()


def metric_exporter(protocol: WireProtocol) -> MetricExporter:
    if protocol == "grpc":
        from opentelemetry.exporter.otlp.proto.grpc import metric_exporter as grpc

        return grpc.OTLPMetricExporter()
    from opentelemetry.exporter.otlp.proto.http import metric_exporter as http

    return http.OTLPMetricExporter()


def meter_provider(of: Resource, delivery: Delivery) -> MeterProvider:
    """Returns a meter provider that exports every OTEL_METRIC_EXPORT_INTERVAL and at shutdown."""
    exporter = WatchedMetricExporter(metric_exporter(delivery.target.protocol), delivery)
    return MeterProvider([PeriodicExportingMetricReader(exporter)], of, shutdown_on_exit=False)


class WatchedMetricExporter(MetricExporter):
    """Wraps an exporter and reports the result of each export to the delivery."""

    def __init__(self, exporter: MetricExporter, delivery: Delivery) -> None:
        # Private by name, but the SDK's reader itself reads them.
        preferred = (exporter._preferred_aggregation or {}).items()
        # An exporter with its own plain buckets (as in 1.30) would override the conventions' boundaries.
        chosen = {kind: how for kind, how in preferred if not isinstance(how, ExplicitBucketHistogramAggregation)}
        super().__init__(exporter._preferred_temporality, chosen)
        self._exporter = exporter
        self._delivery = delivery

    def export(self, metrics_data: MetricsData, timeout_millis: float = 10_000, **_: object) -> MetricExportResult:
        try:
            with self._delivery.attempt():
                result = self._exporter.export(metrics_data, timeout_millis)
        except Exception as error:
            self._delivery.broke(error)
            return MetricExportResult.FAILURE
        if result is MetricExportResult.SUCCESS:
            self._delivery.succeeded(0)
        else:
            self._delivery.failed("the endpoint did not take them")
        return result

    def force_flush(self, timeout_millis: float = 10_000) -> bool:
        return self._exporter.force_flush(timeout_millis)

    def shutdown(self, timeout_millis: float = 30_000, **_: object) -> None:
        self._exporter.shutdown(timeout_millis)
