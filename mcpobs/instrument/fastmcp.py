"""FastMCP's own spans of what is served: propagation only while ours is there; its other spans stay."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import wraps
from typing import TYPE_CHECKING, Any

from mcpobs.instrument.served import watched

if TYPE_CHECKING:
    from types import ModuleType

    from mcpobs.instrument.front import Front


def patch_telemetry(front: Front, module: ModuleType) -> None:
    """FastMCP 4 has a mode for it; FastMCP 3 gets a tracer that makes no server spans. FastMCP 2 makes none."""
    if not front.patches.replace(module, "telemetry_mode", _propagating):
        front.patches.replace(module, "get_tracer", _passing)


def _propagating(mode: Callable[[], str]) -> Callable[[], str]:
    @wraps(mode)
    def telemetry_mode() -> str:
        found = mode()
        return "propagation_only" if found == "native" and watched.get() else found

    return telemetry_mode


def _passing(get_tracer: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(get_tracer)
    def get(*args: Any, **kwargs: Any) -> Any:
        tracer = get_tracer(*args, **kwargs)
        return _ServerSpansPass(tracer) if watched.get() else tracer

    return get


class _ServerSpansPass:
    """A tracer that makes all spans but those of kind SERVER; those leave current what is."""

    def __init__(self, tracer: Any) -> None:
        self._tracer = tracer

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tracer, name)

    @contextmanager
    def start_as_current_span(self, name: str, *args: Any, **kwargs: Any) -> Iterator[Any]:
        from opentelemetry import trace

        if kwargs.get("kind") is trace.SpanKind.SERVER:
            yield trace.INVALID_SPAN
        else:
            with self._tracer.start_as_current_span(name, *args, **kwargs) as span:
                yield span
