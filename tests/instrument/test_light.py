"""Spans that are made whole only when somebody looks: nobody can tell them from the SDK's own."""

from __future__ import annotations

import json
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from mcp import Client
from opentelemetry import trace
from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, SpanLimits, SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.sdk.trace.sampling import (
    ALWAYS_OFF,
    ALWAYS_ON,
    DEFAULT_ON,
    Decision,
    ParentBased,
    Sampler,
    SamplingResult,
    TraceIdRatioBased,
)
from opentelemetry.trace import (
    NonRecordingSpan,
    SpanContext,
    SpanKind,
    StatusCode,
    TraceFlags,
    TraceState,
    set_span_in_context,
)

from mcpobs import semconv
from mcpobs.instrument.light import LightSpan, LightSpans
from mcpobs.instrument.readers import StartReaders
from tests.instrument.recorded import calls_of
from tests.instrument.shop import new_shop

PARENTS = {
    "none": None,
    "sampled": SpanContext(7 << 64, 9, True, TraceFlags(1)),
    "sampled at random": SpanContext(7 << 64, 9, True, TraceFlags(3)),
    "not sampled": SpanContext(7 << 64, 9, True, TraceFlags(0)),
    "with a state": SpanContext(7 << 64, 9, True, TraceFlags(1), TraceState([("vendor", "1")])),
    "of the process": SpanContext(7 << 64, 9, False, TraceFlags(1)),
    "of the process, not sampled": SpanContext(7 << 64, 9, False, TraceFlags(0)),
}
SAMPLERS = [
    DEFAULT_ON,
    ALWAYS_ON,
    ALWAYS_OFF,
    ParentBased(ALWAYS_OFF),
    ParentBased(ALWAYS_ON, remote_parent_sampled=ALWAYS_OFF, local_parent_not_sampled=ALWAYS_ON),
    ParentBased(ALWAYS_ON, remote_parent_sampled=TraceIdRatioBased(1.0)),
    TraceIdRatioBased(1.0),
]
TOLD = {semconv.METHOD: "tools/call", semconv.TOOL: "add"}


class Looking(SpanProcessor):
    """Keeps what it sees at the start of a span."""

    def __init__(self) -> None:
        self.seen: list[dict[str, Any]] = []

    def on_start(self, span: Span, parent_context: Context | None = None) -> None:
        self.seen.append(dict(span.attributes or {}))


class Asking(Sampler):
    """Drops what is told to be a call of `add`."""

    def should_sample(self, *args: Any, **kwargs: Any) -> SamplingResult:
        attributes = dict(zip(("context", "trace_id", "name", "kind", "attributes"), args, strict=False)) | kwargs
        dropped = (attributes["attributes"] or {}).get(semconv.TOOL) == "add"
        return SamplingResult(Decision.DROP if dropped else Decision.RECORD_AND_SAMPLE)

    def get_description(self) -> str:
        return "Asking"


def _provider(*more: SpanProcessor, **kwargs: Any) -> tuple[TracerProvider, InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    provider = TracerProvider(shutdown_on_exit=False, **kwargs)
    for processor in (SimpleSpanProcessor(exporter), *more):
        provider.add_span_processor(processor)
    return provider, exporter


def _light(provider: TracerProvider) -> LightSpans:
    found = LightSpans.of(provider, provider.get_tracer("mcpobs", "1"))
    assert found is not None
    return found


def _started(spans: LightSpans, parent: SpanContext | None = None) -> Any:
    context = Context() if parent is None else set_span_in_context(NonRecordingSpan(parent), Context())
    return spans.start("tools/call add", context, parent, TOLD, 1_000)


def _told(spans: Sequence[ReadableSpan]) -> list[dict[str, Any]]:
    """What an exporter sees but the ids, which are drawn."""
    told = []
    for span in spans:
        seen = json.loads(span.to_json())
        seen["context"].pop("span_id")
        if span.parent is None:
            seen["context"].pop("trace_id")
        counts = (span.dropped_attributes, span.dropped_events, span.dropped_links)
        told.append({**seen, "scope": span.instrumentation_scope, "flags": span.context.trace_flags, "dropped": counts})
    return told


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.get_description())
@pytest.mark.parametrize("parent", PARENTS)
@pytest.mark.parametrize("failed", [False, True])
def test_an_exporter_sees_what_it_would_see_of_the_sdk_s_own_span(sampler: Sampler, parent: str, failed: bool) -> None:
    provider, exporter = _provider(sampler=sampler)
    spans = _light(provider)
    light = _started(spans, PARENTS[parent])
    if isinstance(light, LightSpan):
        assert spans.end(light, {**TOLD, "found": 1}, failed, 2_000)
    ours = _told(exporter.get_finished_spans())
    exporter.clear()

    above = Context()
    if PARENTS[parent] is not None:
        above = set_span_in_context(NonRecordingSpan(PARENTS[parent]), above)
    tracer = provider.get_tracer("mcpobs", "1")
    whole = tracer.start_span("tools/call add", above, SpanKind.SERVER, TOLD, start_time=1_000)
    whole.set_attribute("found", 1)
    if failed:
        whole.set_status(StatusCode.ERROR)
    whole.end(2_000)
    assert ours == _told(exporter.get_finished_spans())
    assert light.get_span_context().trace_flags == whole.get_span_context().trace_flags
    assert not light.is_recording()


def test_a_ratio_is_asked_about_the_trace_that_the_span_has() -> None:
    provider, _ = _provider(sampler=TraceIdRatioBased(0.5))
    spans = _light(provider)
    started = [_started(spans) for _ in range(200)]
    for span in started:
        sampled = TraceIdRatioBased(0.5).should_sample(None, span.get_span_context().trace_id, "").decision.is_sampled()
        assert isinstance(span, LightSpan) == sampled == span.get_span_context().trace_flags.sampled
    assert {isinstance(span, LightSpan) for span in started} == {True, False}


def test_who_looks_at_a_span_finds_one_of_the_sdk_s() -> None:
    spans = _light(_provider()[0])
    span = _started(spans, PARENTS["sampled"])
    assert isinstance(span, Span)
    assert span.is_recording()
    assert (span.name, dict(span.attributes), span.parent) == ("tools/call add", TOLD, PARENTS["sampled"])
    assert (span.kind, span.start_time, span.end_time) == (SpanKind.SERVER, 1_000, None)
    assert span.context is span.get_span_context()
    assert not hasattr(span, "nothing_of_the_kind")


def test_a_span_that_was_changed_ends_as_the_sdk_s_own_does() -> None:
    spans = _light(_provider()[0])
    span = _started(spans)
    span.set_attribute("theirs", 1)
    assert not spans.end(span, TOLD, False, 2_000)
    assert span.is_recording()


def test_who_looks_at_a_span_that_has_ended_finds_it_ended() -> None:
    provider, exporter = _provider()
    spans = _light(provider)
    span = _started(spans)
    assert spans.end(span, {**TOLD, "found": 1}, True, 2_000)
    span.set_attribute("too late", 1)
    assert not span.is_recording()
    assert dict(span.attributes) == {**TOLD, "found": 1}
    assert (span.end_time, span.status.status_code) == (2_000, StatusCode.ERROR)
    assert len(exporter.get_finished_spans()) == 1


def test_threads_that_look_at_once_change_one_span() -> None:
    spans = _light(_provider()[0])
    with ThreadPoolExecutor(8) as pool:
        for _ in range(50):
            span = _started(spans)
            list(pool.map(lambda number, span=span: span.set_attribute(f"of.{number}", number), range(8)))
            assert dict(span.attributes) == {**TOLD, **{f"of.{number}": number for number in range(8)}}


@pytest.mark.parametrize(
    "limits", [SpanLimits(max_span_attributes=5), SpanLimits(max_attribute_length=4)], ids=["few", "short"]
)
def test_limits_that_a_span_meets_are_left_to_the_sdk(limits: SpanLimits) -> None:
    provider, _ = _provider(span_limits=limits)
    assert LightSpans.of(provider, provider.get_tracer("t")) is None


def test_a_provider_or_tracer_of_another_kind_is_left_alone() -> None:
    class Other(TracerProvider):
        pass

    provider, _ = _provider()
    assert LightSpans.of(Other(shutdown_on_exit=False), provider.get_tracer("t")) is None
    assert LightSpans.of(provider, trace.NoOpTracer()) is None


@pytest.mark.parametrize("gone", ["_span_limits", "_instrumentation_scope", "span_processor", "sampler"])
def test_an_sdk_that_is_built_otherwise_makes_its_own_spans(gone: str) -> None:
    provider, _ = _provider()
    tracer = provider.get_tracer("t")
    delattr(tracer, gone)
    assert LightSpans.of(provider, tracer) is None


def test_a_processor_that_looks_at_what_starts_is_found_also_when_it_comes_later() -> None:
    provider, _ = _provider()
    readers = StartReaders(provider, provider.get_tracer("t"))
    assert not readers
    assert not readers
    provider.add_span_processor(Looking())
    assert readers


@pytest.mark.parametrize(
    "sampler",
    [Asking(), ParentBased(Asking()), ParentBased(ALWAYS_ON, local_parent_sampled=Asking())],
    ids=["itself", "at the root", "below a sampled parent"],
)
def test_a_sampler_that_asks_for_attributes_is_found(sampler: Sampler) -> None:
    provider, _ = _provider(sampler=sampler)
    assert StartReaders(provider, provider.get_tracer("t"))


def test_where_processors_cannot_be_found_somebody_may_look() -> None:
    provider, _ = _provider()
    assert StartReaders(object(), provider.get_tracer("t"))
    assert StartReaders(provider, object())


async def _call(monkeypatch: pytest.MonkeyPatch, provider: TracerProvider, calls: int = 1) -> type[object]:
    """Calls `add`, and tells of what kind the span was that it saw."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    shop, seen = new_shop(), []

    @shop.tool()
    async def look() -> str:
        seen.append(type(trace.get_current_span()))
        return "seen"

    async with Client(shop) as client:
        for _ in range(calls):
            await client.call_tool("look", {})
            await client.call_tool("add", {"a": 1, "b": 2})
    return seen[-1]


@pytest.mark.anyio
async def test_with_processors_of_the_sdk_s_spans_are_light(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert await _call(monkeypatch, _provider()[0]) is LightSpan


@pytest.mark.anyio
async def test_a_processor_sees_the_known_attributes_at_the_start(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looking = Looking()
    assert await _call(monkeypatch, _provider(looking)[0]) is not LightSpan
    assert TOLD in looking.seen


@pytest.mark.anyio
async def test_a_sampler_that_reads_attributes_gets_them_and_is_obeyed(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider, exporter = _provider(sampler=Asking())
    await _call(monkeypatch, provider)
    assert "tools/call add" not in {span.name for span in exporter.get_finished_spans()}
    assert [call["tool"] for call in calls_of(lake)] == ["look", "add"]


@pytest.mark.anyio
@pytest.mark.parametrize("whole", [False, True], ids=["light", "whole"])
async def test_what_a_tool_adds_to_the_span_is_exported_with_what_we_found(
    lake: Path, monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    provider, exporter = _provider(*([Looking()] if whole else []))
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", provider)
    shop = new_shop()

    @shop.tool()
    async def tell() -> str:
        span = trace.get_current_span()
        if span.is_recording():
            span.set_attribute("order.id", 7)
            span.add_event("told")
        return "told"

    async with Client(shop) as client:
        await client.call_tool("tell", {})
    (span,) = [span for span in exporter.get_finished_spans() if span.name == "tools/call tell"]
    (row,) = calls_of(lake)
    assert span.attributes["order.id"] == 7
    assert [event.name for event in span.events] == ["told"]
    assert span.attributes[semconv.OUTCOME] == row["outcome"]
    assert span.end_time == row["start_unix_nano"] + row["duration_ns"]
