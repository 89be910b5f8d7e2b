"""The committing process: woken, restarted, and not waited for when it cannot work."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from mcpobs import keys
from mcpobs.collector import child as module
from mcpobs.collector.committer import Committer
from mcpobs.collector.service import open_intake
from mcpobs.lake.reader import open_reading
from tests.sending import request


def test_accepted_spans_are_in_the_table_when_the_intake_has_ended(tmp_path: Path) -> None:
    body, ids = request()

    async def run() -> None:
        async with open_intake(tmp_path / "lake") as intake:
            await asyncio.gather(*(intake.take("traces", "protobuf", body) for _ in range(3)))
            await intake.take("metrics", "protobuf", b"")

    asyncio.run(run())
    with open_reading(tmp_path / "lake") as reading:
        found = [row[0] for row in reading.connection.execute("select span_id from spans").fetchall()]
    assert sorted(found) == sorted(ids)
    assert list((tmp_path / "lake" / "wal").iterdir()) == []


def test_one_that_was_killed_is_started_again_and_says_so_until_it_works(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keys.open_folder(tmp_path)
    monkeypatch.setattr(module, "RESTART_S", 0.01)

    async def run() -> None:
        committer = Committer(tmp_path)
        await committer.start()
        assert committer._process is not None
        first = committer._process.pid
        os.kill(first, signal.SIGKILL)
        while committer.restarts == 0 or committer._process is None or committer._process.pid == first:
            await asyncio.sleep(0.01)
        while committer.error is not None:  # its first commit, of nothing, works
            await asyncio.sleep(0.01)
        await committer.close()
        assert committer.restarts == 1

    asyncio.run(asyncio.wait_for(run(), 60))


def test_one_that_cannot_start_does_not_hold_up_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.executable", "/bin/false")
    monkeypatch.setattr(module, "RESTART_S", 0.01)

    async def run() -> None:
        committer = Committer(tmp_path)
        await committer.start()
        while committer.restarts < 2:
            await asyncio.sleep(0.01)
        assert committer.error == "the committing process ended with 1"
        await committer.close()

    asyncio.run(asyncio.wait_for(run(), 60))


def test_a_failed_commit_is_reported(tmp_path: Path) -> None:
    keys.open_folder(tmp_path)
    (tmp_path / "spans").write_text("no folder")

    async def run() -> None:
        async with open_intake(tmp_path) as intake:
            body, _ = request()
            await intake.take("traces", "protobuf", body)
            while intake.trouble is None:
                await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(run(), 60))
    assert len(list((tmp_path / "wal").iterdir())) == 1  # for a commit that works
