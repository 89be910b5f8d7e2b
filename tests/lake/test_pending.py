"""A call has one row, whatever lines say of it: how it ended, else the longest that it is known to have waited."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import pytest

from mcpobs.keys import open_folder
from mcpobs.lake import maintain, writer
from mcpobs.lake.reader import open_reading
from mcpobs.queries import rollups
from tests.lake.rows import DAY, NOON, spooled
from tests.lake.test_identity import Span, request
from tests.queries.recorded import ask
from tests.seeds import seeds
from tests.sending import logged

SECOND = 10**9
OURS = {"scope_name": "mcpobs", "front": "proxy/stdio"}
Waited = tuple[bool, int]
"""Whether it is pending, and its duration in ns."""


def span(number: int) -> Span:
    return Span(trace=number, span=number, start=NOON + number)


def pending(number: int, waited_s: int) -> dict[str, Any]:
    row = span(number).row(outcome="unfinished", duration_ns=waited_s * SECOND, pending=True, tool="t", **OURS)
    return row | {"session_id": "one", "session_start_unix_nano": NOON}


def end(number: int, chance: random.Random) -> dict[str, Any]:
    """The end of a call; that of `initialize` may be placed in another session, so in another partition."""
    row = span(number).row(outcome="ok", duration_ns=1000, tool="t", **OURS)
    return row | {"session_id": "one", "session_start_unix_nano": NOON - DAY * chance.choice([0, 0, 1])}


def stored(lake: Path) -> dict[int, Waited]:
    """The calls of the lake. Each has to be there once, also for the reports."""
    with open_reading(lake) as reading:
        found = reading.connection.execute("select span_id, pending, duration_ns from spans order by 1").fetchall()
        calls = ask(reading, "extent")[0]["calls"]
    assert len({span_id for span_id, _, _ in found}) == len(found) == calls
    return {int(span_id, 16): (bool(is_pending), duration) for span_id, is_pending, duration in found}


def deliver(lake: Path, chance: random.Random, expected: dict[int, Waited]) -> None:
    """Writes some lines of some calls in one segment, or the end of one as an exporter sends it."""
    number = chance.randrange(1, 5)
    if chance.random() < 0.2:
        logged(lake, request([span(number)], scope="mcpobs", front="proxy/stdio"), received_unix_nano=NOON)
        writer.commit(lake, wait=True)  # a reader does not read the collector's log
        expected[number] = (False, 1000)
        return
    rows = []
    for _ in range(chance.randrange(1, 4)):
        number = chance.randrange(1, 5)
        known = expected.get(number, (True, 0))
        if chance.random() < 0.3:
            rows.append(end(number, chance))
            expected[number] = (False, 1000)
        else:
            waited_s = chance.choice([5, 10, 20])
            rows.append(pending(number, waited_s))
            if known[0]:
                expected[number] = (True, max(known[1], waited_s * SECOND))
    spooled(lake, rows)


@pytest.mark.parametrize("seed", seeds(1, 12))
def test_lines_of_a_call_are_one_row_whatever_their_order_and_wherever_they_lie(seed: int, tmp_path: Path) -> None:
    chance = random.Random(seed)
    open_folder(tmp_path)
    expected: dict[int, Waited] = {}
    for _ in range(6):
        deliver(tmp_path, chance, expected)
        assert stored(tmp_path) == expected
        match chance.randrange(3):
            case 0:
                writer.commit(tmp_path, wait=True)
            case 1:
                maintain.compact(tmp_path, roll_up=rollups.take)
        assert stored(tmp_path) == expected


def test_pending_lines_are_no_repeated_deliveries(tmp_path: Path) -> None:
    spooled(tmp_path, [pending(1, 5), pending(1, 10), end(1, random.Random(1))])
    assert (done := writer.commit(tmp_path)).rows == 1
    assert done.duplicates == 0
    spooled(tmp_path, [pending(1, 20), pending(2, 5)])
    done = writer.commit(tmp_path)
    assert (done.rows, done.duplicates) == (1, 1)
    spooled(tmp_path, [end(2, random.Random(1))])
    done = writer.commit(tmp_path)
    assert (done.rows, done.duplicates) == (1, 0)
