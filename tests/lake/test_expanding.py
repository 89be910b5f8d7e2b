"""Requests that take many times their size when they are stored: bounded commits, in turns with the others."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.keys import open_folder
from mcpobs.lake import maintain, merge, received, sealed, storing, writer
from mcpobs.lake.backlog import WAL, is_expanding, is_redacted, segments
from mcpobs.lake.otlp.decode import check
from mcpobs.lake.reader import open_reading
from mcpobs.lake.wal import Wal
from mcpobs.lake.writer import Commit
from tests.lake.rows import DAY, NOON

SPANS = 200
RESOURCE_BYTES = 2_000
MANY = 8


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A lake of which a commit takes what two or three requests repeat."""
    open_folder(tmp_path)
    monkeypatch.setattr(received, "MAX_EXPANDED_BYTES", 1_000_000)
    return tmp_path


def request(number: int, resource_bytes: int = RESOURCE_BYTES, days: int = 40, spans: int = SPANS) -> bytes:
    """Spans whose sessions began on so many days; their names say which request they are of."""
    made = ExportTraceServiceRequest()
    group = made.resource_spans.add()
    group.resource.attributes.add(key="r").value.string_value = str(number) * resource_bytes
    scope = group.scope_spans.add()
    scope.scope.name = "mcpobs"
    for n in range(spans):
        span = scope.spans.add(trace_id=(number + 1).to_bytes(16, "big"), span_id=(n + 1).to_bytes(8, "big"), kind=2)
        span.name, span.start_time_unix_nano, span.end_time_unix_nano = f"r{number}", NOON - n, NOON
        span.attributes.add(key="mcpobs.session.start_unix_nano").value.int_value = NOON - n % days * DAY
    return made.SerializeToString()


def put(lake: Path, *requests: bytes, expands: bool = False, a_segment: int = 1) -> None:
    log = Wal(lake, expands=expands)
    for at in range(0, len(requests), a_segment):
        log.append(requests[at : at + a_segment])
        log.roll()
    log.close()


def commits(lake: Path) -> list[int]:
    """How many files each Delta commit that added spans added."""
    found = []
    for path in sorted((lake / "spans" / "_delta_log").glob("*.json")):
        actions = [json.loads(line) for line in path.read_text().splitlines()]
        added = [one["add"] for one in actions if "add" in one and one["add"]["dataChange"]]
        found += [len(added)] if added else []
    return found


def names(lake: Path) -> Counter[str]:
    with open_reading(lake) as reading:
        return Counter(dict(reading.connection.execute("select name, count(*) from spans group by 1").fetchall()))


@pytest.mark.parametrize(
    ("days", "resource_bytes", "a_segment"),
    [(40, RESOURCE_BYTES, 1), (40, RESOURCE_BYTES, MANY), (40, 10, MANY), (5, 10, 1)],
)
def test_a_commit_makes_few_files_whatever_it_commits(
    lake: Path, monkeypatch: pytest.MonkeyPatch, days: int, resource_bytes: int, a_segment: int
) -> None:
    """A segment of MANY requests is one of an older version, or of small requests."""
    monkeypatch.setattr(received, "MAX_EXPANDED_BYTES", SPANS * resource_bytes * 5 // 2)
    bodies = [request(number, resource_bytes, days) for number in range(MANY)]
    put(lake, *bodies, a_segment=a_segment)
    done = writer.commit(lake, busy=True)
    assert (done.rows, done.duplicates, done.failures) == (MANY * SPANS, 0, 0)
    found = commits(lake)
    assert max(found) <= storing.MOST_PARTITIONS
    assert len(found) == 1 if a_segment == MANY else len(found) >= 3
    assert names(lake) == {f"r{number}": SPANS for number in range(MANY)}
    put(lake, *bodies, a_segment=a_segment)
    assert writer.commit(lake).duplicates == MANY * SPANS
    assert names(lake) == {f"r{number}": SPANS for number in range(MANY)}


def test_a_segment_that_repeats_much_waits_for_no_other_and_keeps_none_waiting(lake: Path) -> None:
    put(lake, *map(request, range(12)), expands=True)
    put(lake, *(request(number, 1) for number in range(100, 103)))
    steps: list[Commit] = []
    done = writer.commit(lake, step=steps.append)
    assert done.rows == 15 * SPANS
    usual, *expanding = [b.rows - a.rows for a, b in zip([Commit(), *steps], steps, strict=False)]
    assert usual == 3 * SPANS
    assert max(expanding) <= 3 * SPANS
    assert segments(lake, WAL) == []


def test_expanding_and_other_segments_take_turns(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sealed.BATCH_BYTES, WAL, 1)  # a segment a batch
    put(lake, *map(request, range(4)), expands=True)
    put(lake, *(request(number, 1) for number in range(100, 104)))
    seen: list[tuple[int, int]] = []

    def note(done: Commit) -> None:
        found = names(lake)
        seen.append((sum(found[f"r{n}"] > 0 for n in range(4)), sum(found[f"r{n}"] > 0 for n in range(100, 104))))

    writer.commit(lake, step=note)
    assert seen == [(0, 1), (1, 1), (1, 2), (2, 2), (2, 3), (3, 3), (3, 4), (4, 4)]
    assert names(lake) == {f"r{number}": SPANS for number in (*range(4), *range(100, 104))}


def test_a_commit_that_is_stopped_leaves_the_rest_in_the_log(lake: Path) -> None:
    put(lake, *map(request, range(10)), expands=True)
    steps: list[Commit] = []
    done = writer.commit(lake, step=steps.append, stop=lambda: len(steps) == 2)
    assert 0 < done.rows < 10 * SPANS
    assert names(lake).total() == done.rows
    assert writer.commit(lake).rows == 10 * SPANS - done.rows
    assert names(lake) == {f"r{number}": SPANS for number in range(10)}


@pytest.mark.parametrize("redact", [False, True])
def test_a_log_says_by_its_name_what_it_holds(tmp_path: Path, redact: bool) -> None:
    open_folder(tmp_path)
    for expands in (False, True):
        log = Wal(tmp_path, redact=redact, expands=expands)
        log.append([b""])
        log.close()
    found = [found.segment for found in segments(tmp_path, WAL)]
    assert sorted((is_redacted(segment), is_expanding(segment)) for segment in found) == [
        (redact, False),
        (redact, True),
    ]


def test_what_a_request_repeats_is_counted_when_it_is_checked() -> None:
    body = request(1)
    assert check(body).expanded == SPANS * (
        len("mcpobs") + len(json.dumps({"r": "1" * RESOURCE_BYTES}).replace(" ", ""))
    )


def test_compaction_writes_rows_of_much_text_as_they_are(lake: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(merge, "MOST_SORTED_BYTES", 100_000)
    put(lake, *(request(number, spans=1_100) for number in range(3)), expands=True)
    writer.commit(lake)
    with open_reading(lake) as reading:
        before = reading.connection.execute("select * from spans order by trace_id, span_id").fetchall()
    maintain.compact(lake)
    with open_reading(lake) as reading:
        assert reading.connection.execute("select * from spans order by trace_id, span_id").fetchall() == before
    assert len(list((lake / "spans").glob("date=*/whole-*"))) >= 1
