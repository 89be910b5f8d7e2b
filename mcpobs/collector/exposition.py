"""Writes the collector's counters in Prometheus' text format. Counts nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

CONTENT_TYPE: Final = b"text/plain; version=0.0.4; charset=utf-8"

_PREFIX: Final = "mcpobs_collector_"
_GAUGES: Final = frozenset(
    {
        "lake.backlog_bytes",
        "lake.quarantined_segments",
        "lake.quarantined_bytes",
        "spend.unmatched_model_calls",
        "spend.unpriced_model_calls",
        "spend.lag_ms",
        "spend.failing",
    }
)
_NO_NAME: Final = re.compile("[^a-zA-Z0-9_]")


def exposed(counters: Mapping[str, int], degraded: bool) -> bytes:
    """Returns the counters as metrics: `traces.spans` is `mcpobs_collector_traces_spans_total`. A gauge has no
    `_total`."""
    lines: list[str] = []
    for name, value in sorted(counters.items()):
        gauge = name in _GAUGES
        metric = _PREFIX + _NO_NAME.sub("_", name) + ("" if gauge else "_total")
        lines += (f"# TYPE {metric} {'gauge' if gauge else 'counter'}", f"{metric} {value}")
    metric = _PREFIX + "degraded"
    lines += (f"# TYPE {metric} gauge", f"{metric} {int(degraded)}")
    return ("\n".join(lines) + "\n").encode()
