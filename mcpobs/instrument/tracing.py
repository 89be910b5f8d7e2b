"""Makes server spans by the TracerProvider that the observed process has set up, if it has one.

Never imports opentelemetry before the process has.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import TYPE_CHECKING, Any

import orjson

from mcpobs import __version__, semconv
from mcpobs.gate.row import Row, Shared
from mcpobs.instrument.propagation import MetaPropagation, extracted
from mcpobs.instrument.readers import StartReaders
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
        self.context = context  # the span's own ids; None if it has none of its own
        self.parent = parent
        self.link = link  # the current span, if that is not the parent


class Tracing:
    """Opens and closes the server's spans."""

    def __init__(self) -> None:
        self._provider: object = None
        self._start_span: Callable[..., Any]
        self._readers: StartReaders
        self._with_span: Callable[[Any, Any], Any]
        self._light: LightSpans | None = None
        self._contexts: Any = None  # opentelemetry.context
        self._server_kind: Any = None
        self._propagation: MetaPropagation
        self._names: dict[tuple[str, str | None], tuple[str, dict[str, str]]] = {}
        self._shared: dict[int, tuple[Shared, dict[str, Any]]] = {}

    def open(self, operation: Operation, meta: Mapping[str, object] | None) -> Opened | None:
        """Starts a span for an operation, as a child of the span that `_meta` names, else of the current one. None if
        the process has set up no provider."""
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
        above, parent, read = here, around, None
        if meta is not None and not self._propagation.ignores(meta):
            caller = self._propagation.parent_span(meta, operation.parent)
            if caller is not None:
                above, parent, read = self._with_span(here, trace.NonRecordingSpan(caller)), caller, operation.parent
            else:
                above = self._propagation.context(here, meta)
                parent = _span_in(trace, above)
        linked = around is not None and (parent is None or parent.span_id != around.span_id)
        name, first = self._name(operation)
        start_ns = operation.start.unix_nano
        span = None
        if self._light is not None and not linked and not self._readers:
            span = self._light.start(name, above, parent, first, start_ns)
        if span is None:
            span = self._start_span(
                name,
                context=above,
                kind=self._server_kind,
                attributes=first,  # at the start: a sampler may ask for them
                links=(trace.Link(around),) if linked else None,
                start_time=start_ns,
            )
        own = span.get_span_context()
        return Opened(
            span,
            contexts.attach(self._with_span(above, span)),
            _plain(own) if own.is_valid and (parent is None or own.span_id != parent.span_id) else None,
            read if read is not None or parent is None else _plain(parent),
            _plain(around) if linked else None,
        )

    def close(self, opened: Opened, operation: Operation, shared: Shared, own: Row, session_id: str | None) -> None:
        """Ends a span with the recorded columns of its operation as attributes."""
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
            span.set_attributes(self._attributes(shared, own, session_id))
            if failed:
                from opentelemetry.trace.status import Status, StatusCode

                span.set_status(Status(StatusCode.ERROR))  # without a description: that is content
        span.end(end_ns)

    def leave(self, opened: Opened) -> None:
        """Restores the context of before the span."""
        if self._contexts is None:  # no provider, and the caller's context was handed on
            from opentelemetry import context

            self._contexts = context
        self._contexts.detach(opened.token)

    def _find_provider(self, trace: Any) -> None:
        self._provider = provider = provider_of(trace)
        if provider is not None:
            from opentelemetry import context, propagate

            tracer = provider.get_tracer(semconv.SCOPE_NAME, __version__)
            self._start_span, self._readers = tracer.start_span, StartReaders(provider, tracer)
            self._light = _light(provider, tracer)
            self._contexts, self._server_kind = context, trace.SpanKind.SERVER
            self._propagation = MetaPropagation(trace, propagate)
            self._with_span = _placing(trace, context.Context)

    def _carry(self, meta: Mapping[str, object]) -> Opened:
        """Without a provider, hands the caller's context on to the requests that the tool itself makes."""
        from opentelemetry import context, propagate

        return Opened(None, context.attach(extracted(propagate, meta, context.get_current())))

    def _name(self, operation: Operation) -> tuple[str, dict[str, str]]:
        """A span's name, and the attributes that it starts with: a sampler may read them."""
        asked = (operation.method, operation.tool or operation.prompt)
        known = self._names.get(asked)
        if known is None:
            if len(self._names) >= _MOST_NAMES:
                self._names.clear()
            method, target = asked
            known = self._names[asked] = (f"{method} {target}" if target else method, _first_attributes(operation))
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


def _light(provider: object, tracer: object) -> LightSpans | None:
    """Spans that cost less, if the provider is the SDK's own."""
    if type(provider).__module__ != "opentelemetry.sdk.trace":
        return None
    from mcpobs.instrument.light import LightSpans

    return LightSpans.of(provider, tracer)


def provider_of(trace: ModuleType | None) -> Any:
    """The provider that the process has set up, if any. Registers none."""
    if trace is None or not hasattr(trace, "get_tracer_provider"):
        return None
    provider = trace.get_tracer_provider()
    return None if isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider)) else provider


def has_provider() -> bool:
    return provider_of(sys.modules.get(_API)) is not None


def _span_in(trace: Any, context: Any) -> Any:
    """The ids of a context's span, if it has one."""
    if not context:
        return None
    found = trace.get_current_span(context).get_span_context()
    return found if found.is_valid else None


def _placing(trace: Any, context: Callable[..., Any]) -> Callable[[Any, Any], Any]:
    """Puts a span into a context, as `set_span_in_context` does by three functions and two dicts."""
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


def _first_attributes(operation: Operation) -> dict[str, str]:
    found = {semconv.METHOD: operation.method}
    if operation.tool is not None:
        found[semconv.TOOL] = operation.tool
    elif operation.prompt is not None:
        found[semconv.PROMPT] = operation.prompt
    return found


def _by_attribute(columns: Row, found: dict[str, Any]) -> dict[str, Any]:
    """Adds the columns to the attributes, under their attributes' names."""
    names = _ATTRIBUTE_OF
    for column, value in columns.items():
        if column in names:
            found[names[column]] = value
    rest = columns.get("attributes")
    if isinstance(rest, str):
        found.update(orjson.loads(rest))
    return found
