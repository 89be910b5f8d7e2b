"""The OpenTelemetry that the observed process has set up, if it has: its spans are made by its own TracerProvider.

Imports nothing of opentelemetry: what the process has not loaded it does not use.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import orjson

from mcpobs import __version__, semconv
from mcpobs.protocol.operation import Operation, TraceContext
from mcpobs.row import Row, Shared

_API = "opentelemetry.trace"
_MOST_SHARED = 256
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
        self._tracer: Any = None
        self._contexts: Any = None  # opentelemetry.context
        self._server_kind: Any = None
        self._propagate: Any = None  # opentelemetry.propagate
        self._propagator: object = None
        self._fields: frozenset[str] = frozenset()
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
        around = trace.get_current_span(here).get_span_context()
        above = here if meta is None or self._carries_nothing(meta) else _extracted(meta, here)
        parent = around if above is here else trace.get_current_span(above).get_span_context()
        linked = around.is_valid and parent.span_id != around.span_id
        target = operation.target
        span = self._tracer.start_span(
            f"{operation.method} {target}" if target else operation.method,
            context=above,
            kind=self._server_kind,
            attributes=_telling(operation),  # at the start: a sampler may ask for them
            links=(trace.Link(around),) if linked else None,
            start_time=operation.start.unix_nano,
        )
        own = span.get_span_context()
        token = contexts.attach(trace.set_span_in_context(span, above))
        return Opened(
            span,
            token,
            _plain(own) if own.is_valid and own.span_id != parent.span_id else None,
            _plain(parent) if parent.is_valid else None,
            _plain(around) if linked else None,
        )

    def close(self, opened: Opened, operation: Operation, shared: Shared, own: Row, session_id: str | None) -> None:
        """Ends a span with what was recorded of its operation."""
        span = opened.span
        if span is None:
            return
        if span.is_recording():
            _set(span, self._attributes(shared, own, session_id))
            if operation.error_type is not None:
                from opentelemetry.trace.status import Status, StatusCode

                span.set_status(Status(StatusCode.ERROR))  # without a description: that is content
        span.end(operation.start.unix_nano + operation.duration_ns)

    def leave(self, opened: Opened) -> None:
        """What was current before is current again."""
        from opentelemetry import context as contexts

        contexts.detach(opened.token)

    def _find_provider(self, trace: Any) -> None:
        self._provider = provider = provider_of(trace)
        if provider is not None:
            from opentelemetry import context, propagate

            self._tracer = provider.get_tracer(semconv.SCOPE_NAME, __version__)
            self._contexts, self._propagate, self._server_kind = context, propagate, trace.SpanKind.SERVER

    def _carries_nothing(self, meta: Mapping[str, object]) -> bool:
        """Whether `_meta` has no field that the process's propagators read: nearly always, and then 8 µs are saved."""
        propagator = self._propagate.get_global_textmap()
        if propagator is not self._propagator:
            self._propagator, self._fields = propagator, frozenset(propagator.fields)
        return self._fields.isdisjoint(meta)

    def _carry(self, meta: Mapping[str, object]) -> Opened:
        """Without a provider the caller's context is handed on all the same, for the requests of the tool's own."""
        from opentelemetry import context as contexts

        return Opened(None, contexts.attach(_extracted(meta, contexts.get_current())))

    def _attributes(self, shared: Shared, own: Row, session_id: str | None) -> dict[str, Any]:
        known = self._shared.get(id(shared))
        if known is None or known[0] is not shared:
            if len(self._shared) >= _MOST_SHARED:
                self._shared.clear()
            known = self._shared[id(shared)] = (shared, _by_attribute(shared.columns))
        found = {**known[1], **_by_attribute(own)}
        if session_id is not None:
            found[semconv.MCP_SESSION_ID] = session_id
        return found


def _set(span: Any, found: dict[str, Any]) -> None:
    """As `span.set_attributes`, which cleans every value by itself: 30 of them take 40 µs, and a native span 70 in all.
    Ours are texts, integers and booleans already. An SDK that is built otherwise, or has a limit which they meet, does
    it itself."""
    kept = getattr(span, "_attributes", None)
    inside, lock = getattr(kept, "_dict", None), getattr(kept, "_lock", None)
    room = getattr(kept, "maxlen", 0)
    if (
        not isinstance(inside, dict)
        or lock is None
        or getattr(kept, "max_value_len", 0) is not None
        or (room is not None and len(inside) + len(found) > room)
    ):
        span.set_attributes(found)
        return
    with lock:
        inside.update(found)


def provider_of(trace: ModuleType | None) -> Any:
    """The provider that the process has set up; None where it has none. Registers none."""
    if trace is None or not hasattr(trace, "get_tracer_provider"):
        return None
    provider = trace.get_tracer_provider()
    return None if isinstance(provider, (trace.ProxyTracerProvider, trace.NoOpTracerProvider)) else provider


def has_provider() -> bool:
    return provider_of(sys.modules.get(_API)) is not None


def _extracted(meta: Mapping[str, object], here: Any) -> Any:
    """The context that `_meta` carries, by the process's own propagators, over the present one."""
    carried = {name: value for name, value in meta.items() if isinstance(value, str) and "/" not in name}
    if not carried:
        return here
    from opentelemetry import propagate

    return propagate.extract(carried, context=here)


def _plain(context: Any) -> TraceContext:
    return TraceContext(f"{context.trace_id:032x}", f"{context.span_id:016x}", int(context.trace_flags))


def _telling(operation: Operation) -> dict[str, str]:
    told = {semconv.METHOD: operation.method}
    if operation.tool is not None:
        told[semconv.TOOL] = operation.tool
    elif operation.prompt is not None:
        told[semconv.PROMPT] = operation.prompt
    return told


def _by_attribute(columns: Row) -> dict[str, Any]:
    found: dict[str, Any] = {
        _ATTRIBUTE_OF[column]: value for column, value in columns.items() if column in _ATTRIBUTE_OF
    }
    rest = columns.get("attributes")
    if isinstance(rest, str):
        found.update(orjson.loads(rest))
    return found
