"""Whatever happens to the disk, in whatever order: each row that was kept is there once, each other one is counted."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from mcpobs.segment import parse_name
from mcpobs.telemetry.spool import Spool
from tests.telemetry.faults import (
    file_size_limit,
    in_a_fork,
    kept,
    locked,
    recorded_losses,
    result,
    row,
    scanned,
    segments,
    spool,
)


class FaultySpool(RuleBasedStateMachine):
    """A spool on a disk that fills up, is freed, loses its folder to a file, and in a process that forks."""

    def __init__(self) -> None:
        super().__init__()
        self.home = Path(tempfile.mkdtemp())
        self.lake = self.home / "lake"
        self.aside = self.home / "aside"
        self.writer = self._open()
        self.limit: int | None = None
        self.written: list[str] = []
        self.refused: list[str] = []
        self.unrecorded = 0  # losses of spools that were closed before writing worked again
        self.number = 0

    def _open(self) -> Spool:
        return spool(self.lake, segment_bytes=1500, retry_ns=0)

    def _write(self, size: int) -> bool:
        self.number += 1
        with file_size_limit(self.limit):
            done = self.writer.write(row(self.number, size))
        (self.written if done else self.refused).append(str(self.number))
        return done

    @rule(size=st.integers(0, 900))
    def write(self, size: int) -> None:
        if not self._write(size):
            assert self.limit is not None or self.aside.exists()

    @rule(limit=st.integers(0, 3000))
    def fill_up(self, limit: int) -> None:
        self.limit = limit

    @rule()
    def free(self) -> None:
        self.limit = None

    @precondition(lambda self: self.lake.is_dir() and not self.aside.exists())
    @rule()
    def lose_the_folder(self) -> None:
        self.lake.rename(self.aside)
        self.lake.touch()

    @precondition(lambda self: self.aside.exists())
    @rule()
    def find_the_folder(self) -> None:
        self.lake.unlink()
        self.aside.rename(self.lake)

    @rule(sizes=st.lists(st.integers(0, 900), max_size=4))
    def fork(self, sizes: list[int]) -> None:
        def child() -> str:
            self.written, self.refused = [], []
            for size in sizes:
                self._write(size)
            with file_size_limit(self.limit):
                self.writer.close()
            return json.dumps([self.written, self.refused, self.writer.lost])

        written, refused, unrecorded = json.loads(result(in_a_fork(child)))
        self.number += len(sizes)
        self.written += written
        self.refused += refused
        self.unrecorded += unrecorded

    @rule()
    def reopen(self) -> None:
        with file_size_limit(self.limit):
            self.writer.close()
        self.unrecorded += self.writer.lost
        self.writer = self._open()

    @invariant()
    def all_that_was_kept_is_there_once(self) -> None:
        folder = self.aside if self.aside.exists() else self.lake
        assert sorted(kept(folder), key=int) == sorted(self.written, key=int)
        assert scanned(folder).damaged == 0

    @invariant()
    def no_draft_is_left(self) -> None:
        folder = self.aside if self.aside.exists() else self.lake
        if folder.is_dir():
            assert all(parse_name(path.name) for path in (folder / "spool").iterdir())

    def teardown(self) -> None:
        if self.aside.exists():
            self.find_the_folder()
        self.limit = None
        assert self._write(10)
        self.all_that_was_kept_is_there_once()
        assert recorded_losses(self.lake) + self.unrecorded == len(self.refused)
        assert [locked(path) for path in segments(self.lake)].count(True) == 1
        self.writer.close()
        shutil.rmtree(self.home)


TestFaultySpool = FaultySpool.TestCase
TestFaultySpool.settings = settings(
    max_examples=20, stateful_step_count=25, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
