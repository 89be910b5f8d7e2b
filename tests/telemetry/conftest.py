"""Receivers and exporters that end with the test."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest

from mcpobs.telemetry.export import Exporter, exporter_from_environment

from .receiver import Receiver, receiving


@pytest.fixture(params=["http/protobuf", "grpc"])
def receiver(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """A receiver of either protocol, to which the environment points."""
    with receiving(request.param) as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.endpoint)
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", request.param)
        yield found


@pytest.fixture
def http_receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with receiving("http/protobuf") as found:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", found.endpoint)
        yield found


@pytest.fixture
def said() -> list[str]:
    """What the exporter had to say."""
    return []


@pytest.fixture
def open_exporter(said: list[str]) -> Iterator[Callable[[], Exporter]]:
    """Opens an exporter as the environment says at that moment."""
    opened: list[Exporter] = []

    def open_() -> Exporter:
        exporter = exporter_from_environment(
            os.environ, service_name="files", instance_id="instance", warn=said.append, say=said.append
        )
        assert exporter is not None
        opened.append(exporter)
        return exporter

    yield open_
    for exporter in opened:
        exporter.close(0)
