"""What the collector's log becomes: each span once, with the same values by the straight way and by the long one."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Iterator
from itertools import combinations
from pathlib import Path

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from mcpobs.keys import open_folder
from mcpobs.lake import cold, snapshot, wal, writer
from mcpobs.lake.backlog import WAL, segments
from mcpobs.lake.engine import quoted
from mcpobs.lake.place import table_of
from mcpobs.lake.reader import open_reading
from mcpobs.lake.received import Receiving, keep
from mcpobs.lake.schema import PARTITION, TYPES
from mcpobs.lake.wal import Wal
from mcpobs.lake.writer import Commit
from tests.lake.rows import DAY, NOON, row, spooled
from tests.sending import logged, request


@pytest.fixture
def lake(tmp_path: Path) -> Path:
    open_folder(tmp_path)
    return tmp_path


@pytest.fixture
def kept(lake: Path) -> Iterator[Receiving]:
    receiving = keep(lake)
    yield receiving
    receiving.connection.close()


def _commit(lake: Path, *bodies: bytes, kept: Receiving | None = None, received_unix_nano: int | None = None) -> Commit:
    logged(lake, *bodies, received_unix_nano=received_unix_nano)
    return writer.commit(lake, kept=kept)


def _ids(lake: Path) -> Counter[str]:
    with open_reading(lake) as reading:
        return Counter(row[0] for row in reading.connection.execute("select span_id from spans").fetchall())


SCOPES = ("mcpobs", "fastmcp", "mcp-python-sdk", "app")


def _spans_of(scopes: Collection[str], start: int = NOON, kinds: Collection[int] = (0, 1, 2, 3)) -> bytes:
    """Spans of distinct scopes, in each kind, with and without an error."""
    request = ExportTraceServiceRequest()
    group = request.resource_spans.add()
    group.resource.attributes.add(key="service.name").value.string_value = "files"
    number = 0
    for scope in scopes:
        spans = group.scope_spans.add()
        spans.scope.name = scope
        for kind in kinds:
            for error in ("", "tool_error", "-32602", "ValidationError"):
                number += 1
                span = spans.spans.add(trace_id=os.urandom(16), span_id=os.urandom(8), kind=kind)
                span.name = "MCP send tools/call search"
                span.start_time_unix_nano, span.end_time_unix_nano = start + number, start + 3 * number
                said = {"mcp.method.name": "tools/call", "mcp.resource.uri": f"file:///{number}", "error.type": error}
                for key, value in said.items():
                    if value:
                        span.attributes.add(key=key).value.string_value = value
    return request.SerializeToString()


def test_each_commit_on_a_kept_connection_takes_its_own_spans(lake: Path, kept: Receiving) -> None:
    sent: set[str] = set()
    for spans in (1, 40, 3000, 2):
        body, ids = request(spans)
        sent |= ids
        done = _commit(lake, body, kept=kept)
        assert (done.rows, done.segments, done.duplicates, done.files) == (spans, 1, 0, 1)
        assert _ids(lake) == Counter(sent)
    assert segments(lake, WAL) == []
    assert list((lake / ".work").iterdir()) == []


def test_the_logs_statistics_of_a_file_match_its_content(lake: Path, kept: Receiving) -> None:
    _commit(lake, request(7, NOON)[0], request(5, NOON + 1000)[0], kept=kept, received_unix_nano=NOON)
    table = table_of(lake)
    (file,) = snapshot.load(table, lambda: kept.connection).files.values()
    found = kept.connection.execute(
        "select count(*), min(start_unix_nano), max(start_unix_nano), sum(duration_ns) "
        f"from read_parquet({quoted(table / file.path)})"
    ).fetchall()
    assert found == [(12, NOON, NOON + 1004, 12_000)]
    assert (file.rows, file.first_unix_nano, file.last_unix_nano) == (12, NOON, NOON + 1004)
    assert file.reporters == ((None, None, None),)
    assert (file.date, file.size_bytes) == ("2026-09-21", (table / file.path).stat().st_size)


def test_both_ways_make_the_same_rows_of_any_mixture_of_dialects(lake: Path, kept: Receiving) -> None:
    (lake / ".work").mkdir()
    (lake / "wal").mkdir()
    table = table_of(lake)
    stored = {name: type_ for name, type_ in TYPES.items() if name != PARTITION}
    ordered = f"select {', '.join(stored)} from ({{}}) order by trace_id"
    mixtures = [scopes for size in (1, 2, 3, 4) for scopes in combinations(SCOPES, size)]
    for scopes in [*mixtures, mixtures[0]]:  # more than it keeps statements for
        for kinds in ((2,), (0, 1, 2, 3)):  # each of one dialect, and among spans of none
            log = Wal(lake)
            log.append([_spans_of(scopes, kinds=kinds)])
            log.close()
            (segment,) = [found.path for found in segments(lake, WAL)]
            kept.take(wal.read(segment).bodies, segment.stat().st_mtime_ns)
            segment.unlink()
            written = kept.write(table, [])
            assert written is not None
            loaded, files = written
            assert kept.tabulate("long_way") == loaded
            rows = kept.connection.execute(
                ordered.format(cold.relation(kept.connection, table, files, stored))
            ).fetchall()
            assert len(rows) == loaded.rows == 4 * len(scopes) * len(kinds)
            assert rows == kept.connection.execute(ordered.format("select * from long_way")).fetchall()


def test_a_span_that_comes_twice_in_a_batch_is_stored_once(lake: Path, kept: Receiving) -> None:
    (once, ids), (twice, others) = request(), request()
    done = _commit(lake, once, twice, twice, kept=kept)
    assert (done.rows, done.duplicates) == (80, 40)
    assert _ids(lake) == Counter(ids | others)


@pytest.mark.parametrize("same_process", [True, False])
def test_a_span_that_comes_again_later_is_stored_once(lake: Path, kept: Receiving, same_process: bool) -> None:
    (old, ids), (new, others) = request(), request()
    _commit(lake, old, kept=kept)
    done = _commit(lake, new, old, kept=kept if same_process else None)
    assert (done.rows, done.duplicates) == (40, 40)
    assert _ids(lake) == Counter(ids | others)


def test_spans_of_several_days_go_to_a_file_each(lake: Path, kept: Receiving) -> None:
    done = _commit(lake, request(10, NOON)[0], request(20, NOON + DAY)[0], kept=kept, received_unix_nano=NOON + DAY)
    assert (done.rows, done.files) == (30, 2)
    found = snapshot.load(table_of(lake), lambda: kept.connection).files.values()
    assert sorted((file.date, file.rows) for file in found) == [("2026-09-21", 10), ("2026-09-22", 20)]


def test_the_same_connection_goes_on_after_tables_were_made_on_it(lake: Path, kept: Receiving) -> None:
    (first, ids), (second, others) = request(), request()
    _commit(lake, first, first, kept=kept)  # the long way makes a table
    spooled(lake, [row(1)])
    done = _commit(lake, second, kept=kept)  # and so does a segment of the spool
    assert done.rows == 41
    assert _ids(lake) - Counter([row(1)["span_id"]]) == Counter(ids | others)


def test_a_damaged_file_of_the_table_keeps_no_new_span_out(lake: Path, kept: Receiving) -> None:
    (first, _), (second, ids) = request(40, NOON), request(40, NOON)
    _commit(lake, first, kept=kept, received_unix_nano=NOON)
    (file,) = table_of(lake).glob("*/*.parquet")
    content = bytearray(file.read_bytes())
    content[4 : len(content) // 2] = bytes(len(content) // 2 - 4)
    file.write_bytes(content)
    assert _commit(lake, second, kept=kept, received_unix_nano=NOON).rows == 40
    newer = [path for path in table_of(lake).glob("*/*.parquet") if path != file]
    found = kept.connection.execute(f"select span_id from read_parquet({quoted(newer[0])})").fetchall()
    assert {span for (span,) in found} == ids


def test_a_damaged_request_costs_itself_and_is_counted(lake: Path, kept: Receiving) -> None:
    (lost, _), (good, ids) = request(), request()
    log = Wal(lake)
    log.append([lost, good])
    log.close()
    (segment,) = [found.path for found in segments(lake, WAL)]
    content = bytearray(segment.read_bytes())
    content[20] ^= 1
    segment.write_bytes(content)
    done = writer.commit(lake, kept=kept)
    assert (done.rows, done.damaged_lines) == (40, 1)
    assert _ids(lake) == Counter(ids)


def test_a_segment_of_damaged_requests_alone_is_done_with(lake: Path, kept: Receiving) -> None:
    log = Wal(lake)
    log.append([request()[0]])
    log.close()
    (segment,) = [found.path for found in segments(lake, WAL)]
    content = bytearray(segment.read_bytes())
    content[30] ^= 255
    segment.write_bytes(content)
    done = writer.commit(lake, kept=kept)
    assert (done.rows, done.files, done.damaged_lines, done.segments) == (0, 0, 1, 1)
    assert segments(lake, WAL) == []
