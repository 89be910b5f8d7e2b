"""A call that is ended in the middle of its reading."""

from __future__ import annotations

from pathlib import Path
from threading import Event, Thread

import pytest

from mcpobs.errors import LakeError
from mcpobs.queries.plan import Plan
from mcpobs.queries.run import on_sound_files
from mcpobs.serve.running import Running, Stopped
from tests.serve.test_pool import FOREVER


def _stopped_when(begun: Event, running: Running, ended: Event) -> Thread:
    def stop() -> None:
        begun.wait()
        while not ended.is_set():
            running.stop("cancelled")
            ended.wait(0.0002)  # so often that it also hits the look for damage, which a failed query leads to

    thread = Thread(target=stop)
    thread.start()
    return thread


def test_a_reading_that_is_stopped_calls_no_file_damaged(lake: Path) -> None:
    running, begun, ended = Running(), Event(), Event()

    def work(plan: Plan) -> None:
        begun.set()
        plan.connection.execute(FOREVER)

    damaged = []

    def read() -> None:
        with running.reading(lake) as reading:
            assert reading.files
            try:
                on_sound_files(reading, work)
            finally:
                ended.set()
                damaged.extend(reading.damaged_files)

    thread = _stopped_when(begun, running, ended)
    with pytest.raises(Stopped):
        read()
    thread.join()
    assert (running.stopped, damaged) == ("cancelled", [])


def test_a_call_that_was_stopped_before_it_began_reads_nothing(tmp_path: Path) -> None:
    running = Running()
    running.stop("timeout")
    running.stop("cancelled")
    with pytest.raises(Stopped), running.reading(tmp_path / "none"):
        raise AssertionError
    assert running.stopped == "timeout"


def test_an_error_of_a_call_that_nobody_stopped_is_its_own(lake: Path, tmp_path: Path) -> None:
    with pytest.raises(LakeError), Running().reading(tmp_path / "none"):
        raise AssertionError
    with pytest.raises(ValueError, match="mine"), Running().reading(lake):
        raise ValueError("mine")
