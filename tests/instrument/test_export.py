"""OTLP from an observed process: by the user's provider where there is one, by our own exporter where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from mcp import Client
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

import mcpobs
from tests.instrument.recorded import calls_of
from tests.instrument.shop import new_shop
from tests.telemetry.receiver import Receiver, receiving


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving("http/protobuf") as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.endpoint)
        yield found


async def _call(lake: Path) -> None:
    mcpobs.instrument(lake=lake)
    try:
        async with Client(new_shop()) as client:
            await client.call_tool("add", {"a": 1, "b": 2})
    finally:
        mcpobs.uninstrument()


@pytest.mark.anyio
async def test_without_a_provider_rows_are_exported_with_the_ids_of_the_lake(receiver: Receiver, home: Path) -> None:
    await _call(home / "lake")
    (row,) = calls_of(home / "lake")
    (span,) = [span for span in receiver.spans() if span.name == "tools/call add"]
    assert (span.trace_id.hex(), span.span_id.hex()) == (row["trace_id"], row["span_id"])


@pytest.mark.anyio
async def test_with_a_provider_of_the_user_s_nothing_is_exported_twice(
    receiver: Receiver, exported: InMemorySpanExporter, home: Path
) -> None:
    await _call(home / "lake")
    assert "tools/call add" in [span.name for span in exported.get_finished_spans()]
    assert receiver.requests == []
    assert len(calls_of(home / "lake")) == 1
