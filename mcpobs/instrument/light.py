"""A span of the OpenTelemetry SDK that becomes a complete one only if somebody reads or changes it.

Usually only its ids are read, and at its end the processors get the recorded attributes. The SDK's own span takes 25 µs
more, for locks, bounded lists and attributes that are cleaned one by one. Whoever reads or changes such a span gets a
complete one of the SDK's own class. Imports the SDK: only for processes that use it.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from opentelemetry.context import Context
from opentelemetry.sdk.trace import ReadableSpan, Span, Tracer, TracerProvider
from opentelemetry.sdk.trace.sampling import ALWAYS_OFF, ALWAYS_ON, ParentBased
from opentelemetry.trace import NonRecordingSpan, SpanContext, SpanKind, TraceFlags, set_span_in_context
from opentelemetry.trace.status import Status, StatusCode

from mcpobs.semconv import NAMES

MAX_ATTRIBUTES = sum(name.attribute is not None for name in NAMES)  # more than any span of ours has
_UNSET, _ERROR = Status(StatusCode.UNSET), Status(StatusCode.ERROR)  # without a description: that is content
_new = object.__new__
_RANDOM = getattr(TraceFlags, "RANDOM_TRACE_ID", 0)
_FLAGS = [TraceFlags(TraceFlags.DEFAULT), TraceFlags(TraceFlags.SAMPLED)]
_RANDOM_FLAGS = [TraceFlags(flags | _RANDOM) for flags in _FLAGS]


Unmade = tuple[Any, str, SpanContext | None, dict[str, str], int]
"""What a span becomes whole from: its tracer, name, parent, first attributes and start."""


class Decision(NamedTuple):
    """A sampler's."""

    sampled: bool
    recorded: bool


class LightSpan(Span):
    """A span that has its ids, and everything else as soon as any of it is read."""

    _context: SpanContext
    unmade: Unmade
    whole = False
    ended: ReadableSpan | None = None

    def __getattr__(self, name: str) -> Any:
        inside = vars(self)
        if not self.whole and "unmade" in inside:
            for member, value in _whole(self._context, self.unmade, self.ended).items():
                inside.setdefault(member, value)  # of two threads that look at once, the first one's
            self.whole = True
        if name not in inside:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")
        return inside[name]


class LightSpans:
    """Starts and ends the spans of one tracer, for samplers and processors that read none at its start."""

    kind = LightSpan

    def __init__(self, provider: TracerProvider, tracer: Tracer) -> None:
        self._tracer = tracer
        self._sampler = tracer.sampler
        self._ids = tracer.id_generator
        self._chain = tracer.span_processor
        self._is_enabled = getattr(tracer, "_is_enabled", None)
        is_random = getattr(self._ids, "is_trace_id_random", None)
        self._is_random = 0 if is_random is None else int(is_random())
        self._keeps = 0 if is_random is None else _RANDOM  # flag of a parent that its children have too
        self._settled = _settled(self._sampler)

    @classmethod
    def of(cls, provider: object, tracer: object) -> LightSpans | None:
        """None for an SDK with unknown internals, or with limits or metrics that this does not serve."""
        if type(provider) is not TracerProvider or type(tracer) is not Tracer:
            return None
        try:
            limits: Any = tracer._span_limits
            most = limits.max_span_attributes
            if limits.max_span_attribute_length is not None or (most is not None and most < MAX_ATTRIBUTES):
                return None
            if type(getattr(tracer, "_tracer_metrics", None)).__name__ not in ("NoneType", "NoOpTracerMetrics"):
                return None
            _try(tracer)
            return cls(provider, tracer)
        except (AttributeError, TypeError):
            return None

    def start(
        self, name: str, context: Context, parent: SpanContext | None, first: dict[str, str], start_ns: int
    ) -> LightSpan | NonRecordingSpan | None:
        """Starts a server span; None if the tracer is switched off."""
        if self._is_enabled is not None and not self._is_enabled():
            return None
        ids = self._ids
        state: Any = None
        if parent is None:
            trace_id, random, place = ids.generate_trace_id(), self._is_random, 0
        else:
            flags = parent.trace_flags
            trace_id, random, state = parent.trace_id, flags & self._keeps, parent.trace_state
            place = (1 if parent.is_remote else 3) + (flags & TraceFlags.SAMPLED)
        if self._settled is not None:
            decision = self._settled[place]
        else:
            result = self._sampler.should_sample(context, trace_id, name, SpanKind.SERVER, first, ())
            decision, state = _decision(result), result.trace_state
        own = SpanContext(
            trace_id, ids.generate_span_id(), False, (_RANDOM_FLAGS if random else _FLAGS)[decision.sampled], state
        )
        if not decision.recorded:
            return NonRecordingSpan(own)
        span = _new(LightSpan)  # 3 µs less than by the SDK's own way, which only sees to it that nobody makes a Span
        span._context = own
        span.unmade = (self._tracer, name, parent, first, start_ns)
        return span

    def end(self, span: LightSpan, attributes: dict[str, Any], failed: bool, end_ns: int) -> bool:
        """Hands the recorded attributes to the processors. False if the span is complete by now, and not ended."""
        if span.whole:
            return False
        tracer, name, parent, _, start_ns = span.unmade
        span.ended = ended = ReadableSpan(
            name,
            span._context,
            parent,
            tracer.resource,
            attributes,
            (),
            (),
            SpanKind.SERVER,
            tracer.instrumentation_info,
            _ERROR if failed else _UNSET,
            start_ns,
            end_ns,
            tracer._instrumentation_scope,
        )
        self._chain.on_end(ended)
        return True


def _whole(context: SpanContext, unmade: Unmade, ended: ReadableSpan | None) -> dict[str, Any]:
    """The members of a complete span of the SDK."""
    tracer, name, parent, first, start_ns = unmade
    made: Any = _MadeSpan(
        name=name,
        context=context,
        parent=parent,
        sampler=tracer.sampler,
        resource=tracer.resource,
        attributes=first if ended is None else ended.attributes,
        kind=SpanKind.SERVER,
        span_processor=tracer.span_processor,
        instrumentation_info=tracer.instrumentation_info,
        limits=tracer._span_limits,
        instrumentation_scope=tracer._instrumentation_scope,
    )
    made.start(start_ns)
    if ended is not None:
        made._status, made._end_time = ended.status, ended.end_time
    whole: dict[str, Any] = vars(made)
    return whole


def _decision(result: Any) -> Decision:
    return Decision(result.decision.is_sampled(), result.decision.is_recording())


def _settled(sampler: Any) -> list[Decision] | None:
    """The decisions of a sampler for which only the parent counts: without one, below a remote one (not sampled,
    sampled), below a local one (the same). Asking it each time takes 4 µs. None for other samplers."""
    parts = [sampler]
    if type(sampler) is ParentBased:
        parts = [part for part in vars(sampler).values() if hasattr(part, "should_sample")]
    if not parts or any(part is not ALWAYS_ON and part is not ALWAYS_OFF for part in parts):
        return None
    above = [Context()]
    for remote in (True, False):
        for flags in _FLAGS:
            above.append(set_span_in_context(NonRecordingSpan(SpanContext(1, 1, remote, flags)), Context()))
    return [_decision(sampler.should_sample(context, 1, "")) for context in above]


class _MadeSpan(Span):
    """The SDK lets nobody but its tracers make a Span, yet anybody a subclass's."""


def _try(tracer: Any) -> None:
    """Raises if a span cannot be completed. Exports nothing, because the span does not end."""
    context = SpanContext(1, 1, False)
    tried = _new(LightSpan)
    tried._context, tried.unmade = context, (tracer, "", None, {"a": "b"}, 1)
    tried.set_attribute("c", "d")
    if not tried.is_recording() or dict(tried.attributes or {}) != {"a": "b", "c": "d"} or tried.context is not context:
        raise TypeError("a span of another kind")
