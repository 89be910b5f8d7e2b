"""A call that is never answered is known while it waits, and when the wrapper is killed."""

from __future__ import annotations

from pathlib import Path
from time import monotonic, sleep

import pytest

from mcpobs.lake.reader import open_reading
from tests.proxy.wrapped import Wrapped, call, rows
from tests.queries.recorded import ask

pytestmark = pytest.mark.slow  # the first line comes after five seconds


@pytest.mark.parametrize("judged", [None, "deny"])
def test_the_pending_line_of_a_killed_wrapper_stays_and_says_so(tmp_path: Path, judged: str | None) -> None:
    wrapped = Wrapped(tmp_path, judged=judged)
    assert wrapped.process.stdin is not None
    wrapped.process.stdin.write(call(1, "echo") + call(2, "never"))
    wrapped.process.stdin.flush()
    until = monotonic() + 30
    while not any(row.get("pending") for row in rows(tmp_path)) and monotonic() < until:
        sleep(0.2)
    wrapped.process.kill()
    wrapped.process.wait()
    with open_reading(tmp_path) as reading:
        assert [(row["tool"], row["pending"], row["calls"]) for row in ask(reading, "unanswered")] == [
            ("never", True, 1)
        ]
        assert ask(reading, "extent")[0]["calls"] == 2
