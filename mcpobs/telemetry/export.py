"""Decides whether rows are exported by OTLP, and defines the exporter interface of the wrapper.

Imports nothing of opentelemetry unless the OTEL_* variables configure an export: it would cost the wrapper 0.3 s and 30
MiB.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol

from mcpobs.stderr import Warn, say
from mcpobs.telemetry.spool import Row
from mcpobs.telemetry.targets import targets


class Exporter(Protocol):
    """Takes rows on the call path, so it only enqueues: it never blocks and never raises."""

    def export(self, row: Row) -> None:
        """Queues a row. The caller must not change it afterwards."""

    def session_ended(self, duration_s: float, attributes: Mapping[str, str] | None = None) -> None:
        """Records a session's duration; `attributes` by the conventions' names, e.g. error.type."""

    def close(self, timeout_s: float = 5.0) -> None:
        """Sends the queued rows, for `timeout_s` at most, and reports the numbers exported and dropped."""


def exporter_from_environment(
    env: Mapping[str, str], *, service_name: str, instance_id: str, warn: Warn, say: Warn = say
) -> Exporter | None:
    """Returns an exporter if OTLP is configured, else None.

    `env` must be the process's environment, which the SDK reads too. `warn` is called from other
    threads as well, `say` with the summary at the end.
    """
    found = targets(env, warn)
    if not found:
        return None
    from mcpobs.telemetry.otlp import OtlpExporter, batching

    return OtlpExporter(
        found, batching(env, warn), service_name=service_name, instance_id=instance_id, warn=warn, say=say
    )
