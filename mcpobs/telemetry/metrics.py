"""Records the conventions' histograms from every row, regardless of sampling. Never records a session id or an
argument.

Values that a peer chooses (tool, prompt and method names) cannot grow a histogram without bound.
"""

from __future__ import annotations

from collections.abc import Sequence

import orjson
from opentelemetry.metrics import Histogram
from opentelemetry.sdk.metrics import MeterProvider

from mcpobs import __version__, semconv
from mcpobs.telemetry.session_end import SessionEnd
from mcpobs.telemetry.spool import Row

OTHER = "_OTHER"  # the conventions' value for all other values
MAX_TARGETS = 200  # tools and prompts
MAX_VALUES = 32  # of any other attribute
MAX_SETS = 1500  # combinations per process; below the SDK's limit of 2000, which older releases lack

_BY_COLUMN = {
    semconv.COLUMN_OF[attribute]: attribute
    for attribute in (
        semconv.METHOD,
        semconv.TOOL,
        semconv.PROMPT,
        semconv.ERROR_TYPE,
        semconv.STATUS_CODE,
        semconv.PROTOCOL_VERSION,
    )
}
_FROM_REST = (semconv.GEN_AI_OPERATION, semconv.NETWORK_TRANSPORT)
OPERATION_ATTRIBUTES = frozenset((*_BY_COLUMN.values(), *_FROM_REST))
SESSION_ATTRIBUTES = frozenset((semconv.ERROR_TYPE, semconv.PROTOCOL_VERSION))


class Measurements:
    """Records rows and ends of sessions in the histograms of `provider`, and shuts that down at the end."""

    def __init__(self, provider: MeterProvider) -> None:
        self._provider = provider
        self._bounded = BoundedAttributes()
        self._operation = {
            "server": self._histogram(semconv.SERVER_DURATION),
            "client": self._histogram(semconv.CLIENT_DURATION),
        }
        self._session = self._histogram(semconv.SESSION_DURATION)

    def consume(self, batch: Sequence[Row | SessionEnd]) -> None:
        for item in batch:
            if isinstance(item, SessionEnd):
                attributes = {key: value for key, value in item.attributes.items() if key in SESSION_ATTRIBUTES}
                self._session.record(item.duration_s, self._bounded(attributes))
            elif item.get("kind") in self._operation:  # our own spans are not operations
                duration_s = int(item.get("duration_ns") or 0) / 1e9
                self._operation[str(item["kind"])].record(duration_s, self._bounded(operation_attributes(item)))

    def close(self) -> None:
        self._provider.shutdown()

    def _histogram(self, metric: semconv.Metric) -> Histogram:
        return self._provider.get_meter(semconv.SCOPE_NAME, __version__).create_histogram(
            metric.name,
            unit=metric.unit,
            description=metric.meaning,
            explicit_bucket_boundaries_advisory=semconv.DURATION_BUCKETS_S,
        )


def operation_attributes(row: Row) -> dict[str, str]:
    """Returns the metric attributes of a row, by the conventions' names."""
    found = {
        attribute: str(value) for column, attribute in _BY_COLUMN.items() if (value := row.get(column)) is not None
    }
    rest = row.get("attributes")
    if isinstance(rest, str):
        others = orjson.loads(rest)
        found.update({key: str(others[key]) for key in _FROM_REST if key in others})
    return found


class BoundedAttributes:
    """Replaces values by OTHER: those beyond a number per attribute, and all values beyond a number of sets."""

    def __init__(self) -> None:
        self._values: dict[str, set[str]] = {}
        self._sets: set[tuple[tuple[str, str], ...]] = set()

    def __call__(self, attributes: dict[str, str]) -> dict[str, str]:
        bounded = {key: self._value(key, value) for key, value in attributes.items()}
        key = tuple(bounded.items())
        if key not in self._sets:
            if len(self._sets) >= MAX_SETS:
                return dict.fromkeys(bounded, OTHER)
            self._sets.add(key)
        return bounded

    def _value(self, key: str, value: str) -> str:
        known = self._values.setdefault(key, set())
        if value not in known:
            if len(known) >= (MAX_TARGETS if key in (semconv.TOOL, semconv.PROMPT) else MAX_VALUES):
                return OTHER
            known.add(value)
        return value
