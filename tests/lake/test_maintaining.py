"""Compaction and retention: what they change, and what no reader may notice."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from mcpobs.errors import LakeError
from mcpobs.lake import joining, maintain, merge, snapshot, writer
from mcpobs.lake.engine import connect
from mcpobs.lake.inspection import inspect
from mcpobs.lake.reader import open_reading
from mcpobs.semconv import LOSS_SPAN, LOST_OPERATIONS
from tests.lake.rows import DAY, NOON, new_spool, numbers, parquet_files, row, segments, spooled


def active(lake: Path) -> list[Path]:
    with connect() as connection:
        return sorted(lake / "spans" / name for name in snapshot.load(lake / "spans", lambda: connection).files)


def sessions_of(path: Path) -> list[tuple[str, int]]:
    with connect() as connection:
        return connection.execute(f"select session_id, sequence from read_parquet('{path}')").fetchall()


@pytest.mark.parametrize("seed", [1, 2, 3])
@pytest.mark.parametrize("rows_a_file", [10**6, 25])
def test_sessions_split_over_commits_lie_in_one_file_in_order_after_a_compaction(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seed: int, rows_a_file: int
) -> None:
    monkeypatch.setattr(merge, "ROWS_A_FILE", rows_a_file)
    rng = random.Random(seed)
    rows = [
        row(n, session_id=f"s{n % 7}" if n % 7 else None, session_start_unix_nano=NOON + (n % 2) * DAY, sequence=n)
        for n in range(120)
    ]
    rng.shuffle(rows)
    for part in range(4):
        spooled(tmp_path, rows[part::4], segment_bytes=5000)
        writer.commit(tmp_path)
    with open_reading(tmp_path) as reading:
        before = reading.connection.execute("select * from spans order by span_id").fetchall()
    for _ in range(2):  # the second time there is nothing left to do
        maintain.compact(tmp_path)
        with open_reading(tmp_path) as reading:
            assert reading.connection.execute("select * from spans order by span_id").fetchall() == before
        seen: set[tuple[str, str]] = set()
        for path in active(tmp_path):
            found = sessions_of(path)
            assert found == sorted(found, key=lambda each: (each[0] is None, each))
            its = {(path.parent.name, session) for session, _ in found}
            assert not its & seen
            seen |= its
    again = maintain.compact(tmp_path)
    assert (again.merged_files, again.written_files) == (0, 0)


def test_a_compaction_merges_later_calls_into_the_file_of_their_session_and_leaves_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(merge, "ROWS_A_FILE", 5)
    spooled(tmp_path, [row(n, session_id=f"s{n // 5}") for n in range(20)])
    writer.commit(tmp_path)
    spooled(tmp_path, [row(30, session_id="s9"), row(31, session_id="s8")])
    maintain.compact(tmp_path)
    first = active(tmp_path)
    assert len(first) == 5
    spooled(tmp_path, [row(40, session_id="s2")])
    assert maintain.compact(tmp_path).merged_files == 2
    assert len(set(first) & set(active(tmp_path))) == 4
    assert numbers(tmp_path) == [*range(20), 30, 31, 40]


def test_replaced_files_stay_for_a_reader_in_progress_and_go_later(tmp_path: Path) -> None:
    for number in (1, 2):
        spooled(tmp_path, [row(number)])
        writer.commit(tmp_path)
    with open_reading(tmp_path) as reading:
        done = maintain.compact(tmp_path)
        assert (done.vacuumed.files, done.vacuumed.waiting_files) == (0, 2)
        assert reading.connection.execute("select count(*) from spans").fetchall() == [(2,)]
    assert len(parquet_files(tmp_path)) == 3
    assert maintain.compact(tmp_path, grace_s=0.0).vacuumed.files == 2
    assert parquet_files(tmp_path) == active(tmp_path)
    assert numbers(tmp_path) == [1, 2]


def test_a_commit_merges_the_files_of_a_day_that_has_many(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(joining, "MANY_FILES", 3)
    for number in range(6):
        spooled(tmp_path, [row(number)])
        writer.commit(tmp_path)
    assert len(active(tmp_path)) <= 3
    assert numbers(tmp_path) == list(range(6))


def test_a_session_of_forty_days_loses_its_old_calls_and_keeps_its_new_ones(tmp_path: Path) -> None:
    start = NOON - 40 * DAY
    spooled(tmp_path, [row(n, start_unix_nano=start + n * DAY, session_start_unix_nano=start) for n in range(41)])
    writer.commit(tmp_path)
    cutoff = NOON - 30 * DAY
    foretold = maintain.prune(tmp_path, cutoff, dry_run=True)
    assert numbers(tmp_path) == list(range(41))
    done = maintain.prune(tmp_path, cutoff)
    assert (done.rows, foretold.rows) == (10, 10)
    assert (done.dropped_files, done.rewritten_files) == (foretold.dropped_files, foretold.rewritten_files) == (0, 1)
    assert numbers(tmp_path) == list(range(10, 41))


def test_pruning_drops_old_operations_wherever_they_are_and_deletes_them_from_disk(tmp_path: Path) -> None:
    for day in range(3):
        at = NOON + day * DAY
        spooled(tmp_path, [row(day * 10 + n, start_unix_nano=at + n, session_start_unix_nano=at) for n in range(4)])
        writer.commit(tmp_path)
    spooled(tmp_path, [row(90, start_unix_nano=NOON), row(91, start_unix_nano=NOON + 5 * DAY)])
    done = maintain.prune(tmp_path, NOON + DAY + 2, grace_s=0.0)
    assert done.rows == 4 + 2 + 1
    assert numbers(tmp_path) == [12, 13, 20, 21, 22, 23, 91]
    assert parquet_files(tmp_path) == active(tmp_path)
    assert not (tmp_path / "spans" / "date=2026-09-21").exists() or active(tmp_path)
    again = maintain.prune(tmp_path, NOON + DAY + 2)
    assert (again.rows, again.dropped_files, again.rewritten_files) == (0, 0, 0)


def test_the_boundary_of_pruning_is_kept(tmp_path: Path) -> None:
    spooled(tmp_path, [row(n, start_unix_nano=NOON + n) for n in range(5)])
    maintain.prune(tmp_path, NOON + 2)
    assert numbers(tmp_path) == [2, 3, 4]


def test_old_operations_in_an_open_segment_are_reported_and_stay(tmp_path: Path) -> None:
    spool = new_spool(tmp_path)
    assert spool.write(row(1))
    done = maintain.prune(tmp_path, NOON + DAY)
    assert (done.rows, done.left_rows) == (0, 1)
    spool.close()
    assert maintain.prune(tmp_path, NOON + DAY).rows == 1
    assert numbers(tmp_path) == []


def test_an_inspection_counts_rows_segments_and_files(tmp_path: Path) -> None:
    lost = row(9, name=LOSS_SPAN, outcome=None, attributes=f'{{"{LOST_OPERATIONS}":7}}', session_id="two")
    spooled(tmp_path, [row(1), row(2), row(2), lost])
    with segments(tmp_path)[0].open("ab") as file:
        file.write(b"torn")
    writer.commit(tmp_path)
    spooled(tmp_path, [row(3)])
    spool = new_spool(tmp_path)
    assert spool.write(row(4))
    found = inspect(tmp_path)
    assert (found.rows, found.sessions, found.lost_operations) == (5, 2, 7)
    assert (found.live_segments, found.sealed_segments, found.committed_segments) == (1, 1, 1)
    assert (found.damaged_lines, found.duplicates, found.damaged_files) == (1, 1, [])
    assert (found.files, found.partitions, found.file_rows, found.replaced_files) == (1, 1, 3, 0)
    assert found.bytes_a_span == found.file_bytes / 3
    assert (found.first_unix_nano, found.last_unix_nano) == (NOON + 1_000_000, NOON + 9_000_000)
    assert found.disk_bytes >= found.file_bytes + found.spool_bytes
    assert found.lake_id


def test_without_a_lake_there_is_nothing_to_keep(tmp_path: Path) -> None:
    for act in (maintain.compact, inspect, lambda lake: maintain.prune(lake, 0), writer.commit):
        with pytest.raises(LakeError, match="no lake"):
            act(tmp_path)
    assert list(tmp_path.iterdir()) == []
