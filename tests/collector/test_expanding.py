"""Expanding requests at the collector: a log and a backlog of their own, and an end in bounded time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from mcpobs import keys
from mcpobs.collector import committer as committer_module
from mcpobs.collector import service
from mcpobs.collector.intake import RefusedError
from mcpobs.collector.service import open_intake
from mcpobs.lake import writer
from mcpobs.lake.backlog import WAL, is_expanding, segments
from mcpobs.lake.lock import exclusive
from mcpobs.lake.otlp.columns import MAX_EXPANDED_BYTES
from mcpobs.lake.otlp.decode import expanded
from mcpobs.lake.reader import open_reading
from mcpobs.lake.wal import read
from tests import sending
from tests.lake.test_expanding import request


def _spans(lake: Path) -> int:
    with open_reading(lake) as reading:
        return int(reading.connection.execute("select count(*) from spans").fetchall()[0][0])


def test_while_nothing_is_committed_expanding_requests_are_refused_first_and_the_end_comes_soon(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process holds the lake's lock, and after the end of the collector a command commits what is left."""
    keys.open_folder(tmp_path)
    monkeypatch.setattr(service, "MAX_EXPANDED_BACKLOG_BYTES", 1 << 30)
    large = request(1, resource_bytes=30_000, spans=700)
    usual, _ = sending.request(40)
    taken = 0

    async def run() -> None:
        nonlocal taken
        async with open_intake(tmp_path) as intake:
            refused: RefusedError | None = None
            while refused is None:
                try:
                    await intake.take("traces", "protobuf", large)
                    taken += 1
                except RefusedError as error:
                    refused = error
            assert "repeated resources" in refused.message
            assert refused.retry_after_s
            assert (await intake.take("traces", "protobuf", usual)).rejected == 0
            assert intake.counters()["lake.backlog_expanded_bytes"] == taken * expanded(large)

    with exclusive(tmp_path, wait=False) as held:
        assert held
        asyncio.run(asyncio.wait_for(run(), 2 * committer_module.END_S + 30))
    assert taken == 1 + ((1 << 30) - service.ROOM_SHARE * expanded(large)) // expanded(large)
    for found in segments(tmp_path, WAL):
        bodies = read(found.path).bodies
        assert sum(map(expanded, bodies)) <= MAX_EXPANDED_BYTES
        assert is_expanding(found.segment) == (bodies[0] == large)
    assert _spans(tmp_path) == 0
    assert writer.commit(tmp_path).rows == 740
    assert _spans(tmp_path) == 740
