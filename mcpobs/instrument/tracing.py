"""The OpenTelemetry that the observed process has set up, if it has: its spans are made by its own TracerProvider.

Imports nothing of opentelemetry: what the process has not loaded it does not use.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import orjson

from mcpobs import __version__, semconv
from mcpobs.gate.row import Row, Shared
from mcpobs.instrument.carried import Carried, extracted
from mcpobs.instrument.onlookers import Onlookers
from mcpobs.protocol.operation import Operation, TraceContext

if TYPE_CHECKING:
    from mcpobs.instrument.light import LightSpans

_API = "opentelemetry.trace"
_MOST_SHARED = 256
_MOST_NAMES = 1_024  # of spans; the caller chooses the names of tools
_ATTRIBUTE_OF: dict[str, str] = {
    column: attribute for attribute, column in semconv.COLUMN_OF.items() if attribute != semconv.SERVICE_NAME
}


class Opened:
    """A span under way, current in this context until it is closed."""

    __slots__ = ("context", "link", "parent", "span", "token")

    def __init__(
        self,
        span: Any,
        token: Any,
        context: TraceContext | None = None,
        parent: TraceContext | None = None,
        link: TraceContext | None = None,
    ) -> None:
        self.span = span
        self.token = token
        self.context = context  # the span's own ids; None where it has none of its own
        self.parent = parent
        self.link = link  # the span around it, where that is not the parent


class Tracing:
    """Opens and closes the server's spans."""

    def __init__(self) -> None:
        self._provider: object = None
        self._start_span: Callable[..., Any]
        self._onlookers: Onlookers
        self._with_span: Callable[[Any, Any], Any]
        self._light: LightSpans | None = None
        self._contexts: Any = None  # opentelemetry.context
        self._server_kind: Any = None
        self._carried: Carried
        self._names: dict[tuple[str, str | None], tuple[str, dict[str, str]]] = {}
        self._shared: dict[int, tuple[Shared, dict[str, Any]]] = {}

    def open(self, operation: Operation, meta: Mapping[str, object] | None) -> Opened | None:
        """A span for an operation, as a child of what `_meta` names, else of the span around it. None where the
        process has set up no provider."""
        trace: Any = sys.modules.get(_API)
        if trace is None:
            return None
        if self._provider is None or trace.get_tracer_provider() is not self._provider:
            self._find_provider(trace)
        if self._provider is None:
            return self._carry(meta) if meta is not None and "traceparent" in meta else None
        contexts = self._contexts
        here = contexts.get_current()
        around = _span_in(trace, here)
        above, parent, told = here, around, None
        if meta is not None and not self._carried.is_nothing(meta):
            caller = self._carried.caller(meta, operation.parent)
            if caller is not None:
                above, parent, told = self._with_span(here, trace.NonRecordingSpan(caller)), caller, operation.parent
            else:
                above = self._carried.over(here, meta)
                parent = _span_in(trace, above)
        linked = around is not None and (parent is None or parent.span_id != around.span_id)
        name, telling = self._name(operation)
        start_ns = operation.start.unix_nano
        span = None
        if self._light is not None and not linked and not self._onlookers:
            span = self._light.start(name, above, parent, telling, start_ns)
        if span is None:
            span = self._start_span(
                name,
                context=above,
                kind=self._server_kind,
                attributes=telling,  # at the start: a sampler may ask for them
                links=(trace.Link(around),) if linked else None,
                start_time=start_ns,
            )
        own = span.get_span_context()
        return Opened(
            span,
            contexts.attach(self._with_span(above, span)),
            _plain(own) if own.is_valid and (parent is None or own.span_id != parent.span_id) else None,
            told if told is not None or parent is None else _plain(parent),
            _plain(around) if linked else None,
        )

    def close(self, opened: Opened, operation: Operation, shared: Shared, own: Row, session_id: str | None) -> None:
        """Ends a span with what was recorded of its operation."""
        span = opened.span
        if span is None:
            return
        end_ns = operation.start.unix_nano + operation.duration_ns
        failed = operation.error_type is not None
        light = self._light
        if (
            light is not None
            and type(span) is light.kind
            and light.end(span, self._attributes(shared, own, session_id), failed, end_ns)
        ):
            return
        if span.is_recording():
            _set(span, self._attributes(shared, own, session_id))
            if failed:
                from opentelemetry.trace.status import Status, StatusCode

                span.set_status(Status(StatusCode.ERROR))  # without a description: that is content
        span.end(end_ns)

    def leave(self, opened: Opened) -> None:
        """What was current before is current again."""
        if self._contexts is None:  # no provider, and the caller's context was handed on
            from opentelemetry import context

            self._contexts = context
        self._contexts.detach(opened.token)

    def _find_provider(self, trace: Any) -> None:
        self._provider = provider = provider_of(trace)
        if provider is not None:
            from opentelemetry import context, propagate

            tracer = provider.get_tracer(semconv.SCOPE_NAME, __version__)
            self._start_span, self._onlookers = tracer.start_span, Onlookers(provider, tracer)
            self._light = _light(provider, tracer)
            self._contexts, self._server_kind = context, trace.SpanKind.SERVER
            self._carried = Carried(trace, propagate)
            self._with_span = _placing(trace, context.Context)

    def _carry(self, meta: Mapping[str, object]) -> Opened:
        """Without a provider the caller's context is handed on all the same, for the requests of the tool's own."""
        from opentelemetry import context, propagate

        return Opened(None, context.attach(extracted(propagate, meta, context.get_current())))

    def _name(self, operation: Operation) -> tuple[str, dict[str, str]]:
        """A span's name, and what a sampler is told."""
        asked = (operation.method, operation.tool or operation.prompt)
        known = self._names.get(asked)
        if known is None:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            method, target = asked
            known = self._names[asked] = (f"{method} {target}" if target else method, _telling(operation))
        return known

    def _attributes(self, shared: Shared, own: Row, session_id: str | None) -> dict[str, Any]:
        known = self._shared.get(id(shared))
        if known is None or known[0] is not shared:
            if len(self._shared) >= _MOST_SHARED:
                self._shared.clear()
            known = self._shared[id(shared)] = (shared, _by_attribute(shared.columns, {}))
        found = _by_attribute(own, known[1].copy())
        if session_id is not None:
            found[semconv.MCP_SESSION_ID] = session_id
        return found


def _set(span: Any, found: dict[str, Any]) -> None:
    """As `span.set_attributes`, which cleans every value by itself: 30 of them take 40 µs, and a native span 70 in all.
    Ours are texts, integers and booleans already. An SDK that is built otherwise, or has a limit which they meet, does
    it itself."""
    try:
        kept = span._attributes
        inside, lock, room, longest = kept._dict, kept._lock, kept.maxlen, kept.max_value_len
    except AttributeError:
        inside = lock = room = longest = None
    if (
        lock is None
        or longest is not None
        or not isinstance(inside, dict)
        or (room is not None and len(inside) + len(found) > room)
    ):
        span.set_attributes(found)
        return
    with lock:
        inside.update(found)


def _light(provider: object, tracer: object) -> LightSpans | None:
    """Spans that cost less, where the provider is the SDK's own."""
    if type(provider).__module__ != "opentelemetry.sdk.trace":
        return None
    from mcpobs.instrument.light import LightSpans

    return LightSpans.of(provider, tracer)


def provider_of(trace: ModuleType | None) -> Any:
    """The provider that the process has set up; None where it has none. Registers none."""
    if trace is None or not hasattr(trace, "get_tracer_provider"):
        return None
    provider = trace.get_tracer_provider()
    return None if isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider)) else provider


def has_provider() -> bool:
    return provider_of(sys.modules.get(_API)) is not None


def _span_in(trace: Any, context: Any) -> Any:
    """The ids of a context's span; None where it has none."""
    if not context:
        return None
    found = trace.get_current_span(context).get_span_context()
    return found if found.is_valid else None


def _placing(trace: Any, context: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Puts a span into a context, as `set_span_in_context` with its arguments the other way round: that goes through
    three functions and two dicts."""
    places = list(trace.set_span_in_context(trace.INVALID_SPAN, context()).items())
    if len(places) != 1 or places[0][1] is not trace.INVALID_SPAN:  # an API that does more than that
        return lambda above, span: trace.set_span_in_context(span, above)
    ((place, _),) = places

    return lambda above, span: context({**above, place: span})


def _plain(context: Any) -> TraceContext:
    """The ids as hex digits; `to_bytes` takes a third of the time that a format takes."""
    return TraceContext(
        context.trace_id.to_bytes(16, "big").hex(), context.span_id.to_bytes(8, "big").hex(), int(context.trace_flags)
    )


def _telling(operation: Operation) -> dict[str, str]:
    told = {semconv.METHOD: operation.method}
    if operation.tool is not None:
        told[semconv.TOOL] = operation.tool
    elif operation.prompt is not None:
        told[semconv.PROMPT] = operation.prompt
    return told


def _by_attribute(columns: Row, found: dict[str, Any]) -> dict[str, Any]:
    """Adds the columns to what was found, under the names of their attributes."""
    names = _ATTRIBUTE_OF
    for column, value in columns.items():
        if column in names:
            found[names[column]] = value
    rest = columns.get("attributes")
    if isinstance(rest, str):
        found.update(orjson.loads(rest))
    return found
