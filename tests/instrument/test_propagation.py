"""The caller's context, read as the process's own propagators read it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from opentelemetry import baggage, propagate, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.trace import NonRecordingSpan, SpanContext, TraceFlags, set_span_in_context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

from mcpobs.instrument.propagation import MetaPropagation
from mcpobs.protocol.trace import parse_traceparent

TRACE, SPAN = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HERE = set_span_in_context(NonRecordingSpan(SpanContext(1, 2, False, TraceFlags(1))), Context({"theirs": 1}))
META = [
    {"traceparent": f"00-{TRACE}-{SPAN}-01"},
    {"traceparent": f"00-{TRACE}-{SPAN}-00"},
    {"traceparent": f"00-{TRACE}-{SPAN}-ff"},
    {"traceparent": f"00-{TRACE}-{SPAN}-03", "example.org/more": {"a": 1}},
    {"traceparent": f"01-{TRACE}-{SPAN}-01-more"},
    {"traceparent": f" 00-{TRACE}-{SPAN}-01"},
    {"traceparent": f"00-{TRACE}-{SPAN}-01-more"},
    {"traceparent": f"ff-{TRACE}-{SPAN}-01"},
    {"traceparent": f"00-{'0' * 32}-{SPAN}-01"},
    {"traceparent": f"00-{TRACE}-{SPAN}-01", "tracestate": "a=1,b=2"},
    {"traceparent": f"00-{TRACE}-{SPAN}-01", "baggage": "tenant=blue"},
    {"baggage": "tenant=blue"},
    {"traceparent": 7},
    {"traceparent": ""},
]


class Their(TraceContextTextMapPropagator):
    """Puts more into the context than W3C's."""

    def extract(self, carrier: Any, *args: Any, **kwargs: Any) -> Context:
        found = super().extract(carrier, *args, **kwargs)
        return baggage.set_baggage("read by", "theirs", found) if carrier.get("traceparent") else found


@pytest.fixture(autouse=True)
def _restored() -> Iterator[None]:
    before = propagate.get_global_textmap()
    yield
    propagate.set_global_textmap(before)


def _found(propagation: MetaPropagation, meta: dict[str, Any]) -> Context:
    if propagation.ignores(meta):
        return HERE
    caller = propagation.parent_span(meta, parse_traceparent(meta.get("traceparent")))
    return propagation.context(HERE, meta) if caller is None else set_span_in_context(NonRecordingSpan(caller), HERE)


def _seen(context: Context) -> tuple[SpanContext, dict[str, object], object]:
    span = trace.get_current_span(context).get_span_context()
    return span, dict(baggage.get_all(context)), context.get("theirs")


@pytest.mark.parametrize("meta", META, ids=str)
@pytest.mark.parametrize(
    "propagator",
    [
        CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()]),
        TraceContextTextMapPropagator(),
        W3CBaggagePropagator(),
        CompositePropagator([Their(), W3CBaggagePropagator()]),
        Their(),
    ],
    ids=["standard", "trace context", "baggage", "theirs and baggage", "theirs"],
)
def test_the_propagators_read_the_context_that_is_sent(propagator: Any, meta: dict[str, Any]) -> None:
    propagate.set_global_textmap(propagator)
    propagation = MetaPropagation(trace, propagate)
    found = _found(propagation, meta)
    texts = {name: value for name, value in meta.items() if isinstance(value, str)}
    expected = propagator.extract(texts, context=HERE)
    assert _seen(found) == _seen(expected)
    assert _seen(found)[0].is_remote == _seen(expected)[0].is_remote


def test_a_propagator_that_is_set_later_is_asked() -> None:
    propagation = MetaPropagation(trace, propagate)
    assert not propagation.ignores({"traceparent": ""})
    propagate.set_global_textmap(W3CBaggagePropagator())
    assert propagation.ignores({"traceparent": ""})


def test_a_composite_that_is_built_otherwise_is_asked_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    class Composite(CompositePropagator):
        pass

    Composite.__module__, Composite.__qualname__ = CompositePropagator.__module__, CompositePropagator.__qualname__
    composite = Composite([Their()])
    composite.__dict__["_parts"] = composite.__dict__.pop("_propagators")
    composite.extract = Their().extract  # type: ignore[method-assign]
    monkeypatch.setattr(Composite, "fields", frozenset({"traceparent"}))
    propagate.set_global_textmap(composite)
    propagation = MetaPropagation(trace, propagate)
    meta = {"traceparent": f"00-{TRACE}-{SPAN}-01"}
    assert not propagation.ignores(meta)
    assert _seen(_found(propagation, meta))[1] == {"read by": "theirs"}
