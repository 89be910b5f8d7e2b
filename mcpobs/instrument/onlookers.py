"""Whether anybody looks at a span's attributes when it starts: a sampler, a processor.

Where nobody can, they need not pass through the SDK's own cleaning, which takes 8 µs for two of them. What is not known
by its very class is taken for one that looks.
"""

from __future__ import annotations

from typing import Any

_SDK = "opentelemetry.sdk.trace"
_BLIND_SAMPLERS = frozenset(
    {
        "StaticSampler",
        "TraceIdRatioBased",
        "ParentBased",
        "ParentBasedTraceIdRatio",
        "_AlwaysOff",
        "_AlwaysOn",
        "_ParentBasedAlwaysOff",
        "_ParentBasedAlwaysOn",
    }
)
_BLIND_PROCESSORS = frozenset({"BatchSpanProcessor", "SimpleSpanProcessor"})


class Onlookers:
    """Of one tracer of a TracerProvider."""

    def __init__(self, provider: Any, tracer: Any) -> None:
        self._blind_sampler = _is_blind_sampler(getattr(tracer, "sampler", None))
        self._chain = getattr(provider, "_active_span_processor", None)
        self._blind: object = None  # the processors that were found to be blind

    def __bool__(self) -> bool:
        if not self._blind_sampler:
            return True
        processors = getattr(self._chain, "_span_processors", None)  # a new tuple when one is added
        if processors is self._blind and processors is not None:
            return False
        if isinstance(processors, tuple) and all(map(_is_blind_processor, processors)):
            self._blind = processors
            return False
        return True


def _is_blind_processor(processor: object) -> bool:
    cls = type(processor)
    return cls.__qualname__ in _BLIND_PROCESSORS and cls.__module__ == f"{_SDK}.export"


def _is_blind_sampler(sampler: object) -> bool:
    """Also those that it asks in its turn."""
    cls = type(sampler)
    if cls.__qualname__ not in _BLIND_SAMPLERS or cls.__module__ != f"{_SDK}.sampling":
        return False
    asked = [one for one in vars(sampler).values() if hasattr(one, "should_sample")]
    return all(map(_is_blind_sampler, asked))
