"""The senders and the Collector, for the tests of this folder."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.interop.conftest import CACHE_VARIABLE
from tests.interop.otelcol.collector import otelcol as otelcol
from tests.interop.otlp.packages import Senders, install


@pytest.fixture(scope="session")
def senders(request: pytest.FixtureRequest, worker_id: str) -> Senders:
    """Installed in MCPOBS_INTEROP_CACHE, else in pytest's cache. With xdist each worker has its own."""
    chosen = os.environ.get(CACHE_VARIABLE)
    cache = Path(chosen) if chosen else Path(request.config.cache.mkdir("interop"))
    return install(cache if worker_id == "master" else cache / worker_id)
