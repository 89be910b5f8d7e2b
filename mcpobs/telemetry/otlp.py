"""Exports by OTLP: spans as sampled by the SDK, and the conventions' metrics of every row, each in its own thread.

A hanging endpoint delays neither the call path, nor the other signal, nor the end of the process.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from threading import Lock
from typing import Generic, TypeVar

from mcpobs.telemetry.delivery import Delivery, disown_the_logs, hear_repeats, own_the_logs
from mcpobs.telemetry.drain import Consumer, Drain
from mcpobs.telemetry.session_end import SessionEnd
from mcpobs.telemetry.spool import Row
from mcpobs.telemetry.targets import Target

Warn = Callable[[str], None]

Item = TypeVar("Item")

GRACE_S = 1.0  # at the end, for an endpoint whose last answer was a failure
POLL_S = 0.02
SWITCH_S = 0.0005
"""Switch interval: how long a thread may keep the interpreter from the relay's thread. Encoding a batch takes 50 ms:
with Python's 5 ms a concurrent call took 12 to 14 ms at the 99th percentile, with 0.5 ms 5 to 7 ms."""
_opening = Lock()  # two threads that import the same packages at once can see a partly initialised module


@dataclass(frozen=True, slots=True)
class Batching:
    """The specification's OTEL_BSP_* variables, with its defaults."""

    queue: int = 2048
    batch: int = 512
    delay_s: float = 5.0


DEFAULTS = Batching()
MEASURING = Batching(queue=8192, batch=512, delay_s=1.0)
"""For the metrics: their thread never waits for an endpoint, so only a burst can fill the queue."""


def batching(env: Mapping[str, str], warn: Warn) -> Batching:
    """Reads OTEL_BSP_*; warns of a wrong value and uses the default, as the specification requires."""

    def number(variable: str, default: int) -> int:
        text = env.get(variable, "").strip()
        if not text:
            return default
        if text.isascii() and text.isdecimal() and int(text) > 0:
            return int(text)
        warn(f"OTLP: {variable}={text} is not a positive whole number: {default} is used")
        return default

    queue = number("OTEL_BSP_MAX_QUEUE_SIZE", DEFAULTS.queue)
    batch = number("OTEL_BSP_MAX_EXPORT_BATCH_SIZE", DEFAULTS.batch)
    delay_ms = number("OTEL_BSP_SCHEDULE_DELAY", int(DEFAULTS.delay_s * 1000))
    return Batching(queue, min(batch, queue), delay_ms / 1000)


class OtlpExporter:
    """The Exporter for the given targets."""

    def __init__(
        self,
        targets: Sequence[Target],
        batching: Batching,
        *,
        service_name: str,
        instance_id: str,
        warn: Warn,
        say: Warn,
    ) -> None:
        own_the_logs(warn)
        sys.setswitchinterval(min(sys.getswitchinterval(), SWITCH_S))
        self._say = say
        self._closed = False
        self._spans: Lane[Row] | None = None
        self._metrics: Lane[Row | SessionEnd] | None = None
        reported: set[str] = set()
        for target in targets:
            delivery = Delivery(target, warn, reported)
            if target.signal == "traces":
                spans = partial(_span_export, delivery, service_name, instance_id)
                self._spans = Lane(delivery, spans, batching)
            else:
                measurements = partial(_measurements, delivery, service_name, instance_id)
                self._metrics = Lane(delivery, measurements, MEASURING)

    def export(self, row: Row) -> None:
        if self._spans is not None:
            self._spans.drain.put(row)
        if self._metrics is not None:
            self._metrics.drain.put(row)

    def session_ended(self, duration_s: float, attributes: Mapping[str, str] | None = None) -> None:
        if self._metrics is not None:
            self._metrics.drain.put(SessionEnd(duration_s, attributes or {}))

    def close(self, timeout_s: float = 5.0) -> None:
        if self._closed:
            return
        self._closed = True
        begun = time.monotonic()
        lanes = [lane for lane in (self._spans, self._metrics) if lane is not None]
        for lane in lanes:
            lane.drain.close()
        while waiting := [lane for lane in lanes if not lane.drain.wait(0)]:
            # Checked each time, because an endpoint may start to fail only now.
            bound_s = min(timeout_s, GRACE_S) if all(lane.delivery.failing for lane in waiting) else timeout_s
            left_s = begun + bound_s - time.monotonic()
            if left_s <= 0:
                break
            waiting[0].drain.wait(min(left_s, POLL_S))
        for lane in lanes:
            lane.drain.abandon()
            lane.delivery.mute()
        disown_the_logs()
        self._say(self._summary())

    def _summary(self) -> str:
        parts = []
        if self._spans is not None:
            delivery, drain = self._spans.delivery, self._spans.drain
            exported, unsampled = delivery.exported, delivery.unsampled
            parts.append(f"{exported} spans exported, {drain.refused + drain.taken - exported - unsampled} dropped")
            if unsampled:
                parts[-1] += f", {unsampled} not sampled"
        if self._metrics is not None:
            sent = self._metrics.drain.wait(0) and not self._metrics.delivery.failing
            parts.append("metrics exported" if sent else "the last metrics not exported")
            if refused := self._metrics.drain.refused:
                parts[-1] += f", {refused} not measured"
        return "OTLP: " + "; ".join(parts)


class Lane(Generic[Item]):
    """The export path of one signal: its queue and its delivery state."""

    def __init__(self, delivery: Delivery, open_consumer: Callable[[], Consumer[Item]], batching: Batching) -> None:
        self.delivery = delivery
        self.drain: Drain[Item] = Drain(
            f"otlp-{delivery.target.signal}",
            open_consumer,
            unopened=delivery.unopened,
            failed=delivery.broke,
            capacity=batching.queue,
            batch=batching.batch,
            delay_s=batching.delay_s,
        )


def _span_export(delivery: Delivery, service_name: str, instance_id: str) -> Consumer[Row]:
    with _opening:
        from mcpobs.telemetry import provider, spans

        exporter = provider.span_exporter(delivery.target.protocol)
        hear_repeats()
        return spans.SpanExport(exporter, provider.resource(service_name, instance_id), delivery)


def _measurements(delivery: Delivery, service_name: str, instance_id: str) -> Consumer[Row | SessionEnd]:
    with _opening:
        from mcpobs.telemetry import metrics, provider

        meters = provider.meter_provider(provider.resource(service_name, instance_id), delivery)
        hear_repeats()
        return metrics.Measurements(meters)
