"""An instrumented process, and the TracerProvider that its user may have set up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import mcpobs

_exporter = InMemorySpanExporter()
_provider = TracerProvider(shutdown_on_exit=False)
_provider.add_span_processor(SimpleSpanProcessor(_exporter))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def lake(home: Path) -> Iterator[Path]:
    """The lake of this process, which is instrumented."""
    folder = home / "lake"
    mcpobs.instrument(lake=folder, name="shop")
    yield folder
    mcpobs.uninstrument()


@pytest.fixture
def exported(monkeypatch: pytest.MonkeyPatch) -> InMemorySpanExporter:
    """The spans of the user's provider. One for all tests: the SDK's tracers keep the first that they find."""
    monkeypatch.setattr(trace, "_TRACER_PROVIDER", _provider)
    _exporter.clear()
    return _exporter
