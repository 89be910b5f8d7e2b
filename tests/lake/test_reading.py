"""What a reading sees: spool and Parquet as one, each span once, damage left out and counted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from mcpobs.errors import LakeError
from mcpobs.keys import open_folder
from mcpobs.lake import backlog, maintain, snapshot, writer
from mcpobs.lake.engine import connect
from mcpobs.lake.reader import open_reading
from mcpobs.segment import Segment, seal
from mcpobs.semconv import COLUMNS
from tests.lake.rows import DAY, NOON, new_spool, numbers, parquet_files, row, segments, spooled

WRITER = "0123456789abcd-00000001"


def segment_file(lake: Path, content: bytes, seq: int = 1, writer_: str = WRITER) -> Path:
    open_folder(lake)
    path = lake / "spool" / Segment(writer_, seq).name
    path.write_bytes(content)
    return path


def line(number: int, **changes: object) -> bytes:
    import orjson

    return seal(orjson.dumps(row(number, **changes)))


def test_the_table_has_the_declared_columns_in_their_order_before_and_after_a_commit(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    seen = []
    for _ in range(2):
        with open_reading(tmp_path) as reading:
            described = reading.connection.execute("describe spans").fetchall()
        seen.append([(name, type_) for name, type_, *_ in described])
        writer.commit(tmp_path)
    assert seen[0] == seen[1]
    assert [name for name, _ in seen[0]] == [name.column for name in COLUMNS]


def test_a_row_is_read_the_same_from_the_spool_and_from_parquet(tmp_path: Path) -> None:
    spooled(
        tmp_path, [row(1, tool="ünï\x00code", result_empty=True, trace_flags=1, sequence=None, status_code="-32601")]
    )
    with open_reading(tmp_path) as reading:
        hot = reading.connection.execute("select * from spans").fetchall()
    writer.commit(tmp_path)
    with open_reading(tmp_path) as reading:
        assert reading.files == parquet_files(tmp_path)
        assert reading.connection.execute("select * from spans").fetchall() == hot


def test_the_day_is_that_of_the_session_and_the_bucket_that_of_the_duration(tmp_path: Path) -> None:
    spooled(
        tmp_path,
        [
            row(1, start_unix_nano=NOON + DAY, session_start_unix_nano=NOON, duration_ns=1024),
            row(2, start_unix_nano=NOON + DAY, session_start_unix_nano=None, duration_ns=0),
            row(3, duration_ns=None),
        ],
    )
    for _ in range(2):
        with open_reading(tmp_path) as reading:
            found = reading.connection.execute("select date, duration_bucket from spans order by span_id").fetchall()
        first, second = "2026-09-21", "2026-09-22"
        assert found == [(first, 320), (second, 0), (first, None)]
        writer.commit(tmp_path)


def test_a_live_segment_is_read_up_to_its_last_whole_line(tmp_path: Path) -> None:
    path = segment_file(tmp_path, line(1) + line(2) + line(3)[:40])
    with open_reading(tmp_path) as reading:
        assert reading.damaged_lines == 0
        assert (reading.hot_segments, reading.hot_bytes) == (1, path.stat().st_size)
    assert numbers(tmp_path) == [1, 2]


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00" * 300,
        b"\xff\xfe\x00garbage",
        b"{",
        b"[1,2]",
        b'{"span_id":"0000000000000009","trace_id":"9","start_unix_nano":9,"check":"00000000"}',
        b"\xef\xbb\xbf",
        b"\r",
        line(9)[:-30] + line(8)[:-1],
    ],
    ids=["nul", "bytes", "brace", "array", "wrong check", "bom", "cr", "torn line with another after it"],
)
@pytest.mark.parametrize("committed", [False, True])
def test_a_damaged_line_is_left_out_and_counted_and_the_lines_around_it_are_read(
    tmp_path: Path, garbage: bytes, committed: bool
) -> None:
    segment_file(tmp_path, garbage + b"\n" + line(1) + garbage + b"\n" + line(2))
    if committed:
        done = writer.commit(tmp_path)
        assert (done.rows, done.damaged_lines) == (2, 2)
    with open_reading(tmp_path) as reading:
        assert reading.damaged_lines == (0 if committed else 2)
    assert numbers(tmp_path) == [1, 2]


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ({"duration_ns": "abc"}, True),
        ({"duration_ns": 2**70}, True),
        ({"duration_ns": {"a": 1}}, True),
        ({"trace_flags": 70_000}, True),
        ({"result_empty": "perhaps"}, True),
        ({"a_column_of_tomorrow": 1}, True),
        ({"start_unix_nano": 1e300}, False),
        ({"span_id": None}, False),
        ({"trace_id": None}, False),
        ({"start_unix_nano": None}, False),
    ],
)
def test_a_whole_line_with_a_value_that_does_not_fit_never_takes_the_others_down(
    tmp_path: Path, content: dict[str, object], kept: bool
) -> None:
    import json

    odd = {key: value for key, value in (row(1) | content).items() if value is not None}
    segment_file(tmp_path, seal(json.dumps(odd).encode()) + line(2) + seal(b'{"a":"\\ud800"}') + seal(b'{"a":1}'))
    expected = [1, 2] if kept else [2]
    with open_reading(tmp_path) as reading:
        assert reading.damaged_lines == 4 - len(expected)
    assert numbers(tmp_path) == expected
    writer.commit(tmp_path)
    assert numbers(tmp_path) == expected


def test_a_line_longer_than_duckdbs_limit_of_an_object_is_read(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1, attributes="x" * (17 << 20)), row(2)], segment_bytes=64 << 20)
    with open_reading(tmp_path) as reading:
        assert reading.connection.execute("select max(length(attributes)) from spans").fetchall() == [(17 << 20,)]
    writer.commit(tmp_path)
    assert numbers(tmp_path) == [1, 2]


def test_a_span_that_was_delivered_again_is_one_row_wherever_its_deliveries_are(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1), row(1), row(2)])
    assert numbers(tmp_path) == [1, 2]
    assert writer.commit(tmp_path).duplicates == 1
    spooled(tmp_path, [row(2), row(3), row(2, session_start_unix_nano=NOON - DAY)])
    assert numbers(tmp_path) == [1, 2, 3]
    assert writer.commit(tmp_path).duplicates == 2
    assert numbers(tmp_path) == [1, 2, 3]
    maintain.compact(tmp_path)
    assert numbers(tmp_path) == [1, 2, 3]


def test_of_a_finished_and_an_unfinished_delivery_the_finished_one_is_read(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1, outcome="unfinished", duration_ns=9_000_000), row(1, outcome="ok"), row(1, outcome=None)])
    with open_reading(tmp_path) as reading:
        assert reading.connection.execute("select outcome from spans").fetchall() in ([("ok",)], [(None,)])
    writer.commit(tmp_path)
    with open_reading(tmp_path) as reading:
        assert reading.connection.execute("select outcome from spans").fetchall() in ([("ok",)], [(None,)])


def test_ids_of_two_traces_may_share_a_span_id(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1), row(1, trace_id="f" * 32)])
    assert numbers(tmp_path) == [1, 1]
    writer.commit(tmp_path)
    spooled(tmp_path, [row(1, trace_id="e" * 32)])
    assert numbers(tmp_path) == [1, 1, 1]


def test_a_window_has_its_start_and_not_its_end_and_leaves_whole_files_out(tmp_path: Path) -> None:
    for number in (1, 2, 3, 4):
        spooled(tmp_path, [row(number, start_unix_nano=NOON + number * DAY)])
        writer.commit(tmp_path)
    spooled(tmp_path, [row(5, start_unix_nano=NOON + 3 * DAY, service_name="git")])
    window = {"since_unix_nano": NOON + 2 * DAY, "until_unix_nano": NOON + 4 * DAY}
    assert numbers(tmp_path, **window) == [2, 3, 5]
    assert numbers(tmp_path, service="git") == [5]
    with open_reading(tmp_path, **window) as reading:
        assert len(reading.files) == 2


def test_files_of_an_older_and_of_a_newer_mcpobs_are_read_together(tmp_path: Path) -> None:
    for number in (1, 2, 3):
        spooled(tmp_path, [row(number)])
        writer.commit(tmp_path)
    older, newer, _ = parquet_files(tmp_path)
    with connect() as connection:
        for path, columns in ((older, "* exclude (tool, events)"), (newer, "*, 'later' as a_column_of_tomorrow")):
            copy = tmp_path / "copy.parquet"
            connection.execute(
                f"copy (select {columns} from read_parquet('{path}', hive_partitioning=false)) to '{copy}'"
            )
            replaced(tmp_path, path, copy)
    with open_reading(tmp_path) as reading:
        found = reading.connection.execute("select span_id, tool, date from spans order by 1").fetchall()
        assert [name for name, *_ in reading.connection.execute("describe spans").fetchall()] == [
            name.column for name in COLUMNS
        ]
    assert [tool for _, tool, _ in found] == [None, "search", "search"]
    assert {date for *_, date in found} == {"2026-09-21"}
    maintain.compact(tmp_path)
    assert numbers(tmp_path) == [1, 2, 3]
    (merged,) = active(tmp_path)
    with connect() as connection:
        kept = connection.execute(f"select a_column_of_tomorrow from '{merged}' order by span_id").fetchall()
    assert kept == [(None,), ("later",), (None,)]


def active(lake: Path) -> list[Path]:
    with connect() as connection:
        return sorted(lake / "spans" / name for name in snapshot.load(lake / "spans", lambda: connection).files)


def replaced(lake: Path, path: Path, copy: Path) -> None:
    """Puts other content under a committed file, as another version of mcpobs would have committed it."""
    from mcpobs.lake import delta
    from mcpobs.lake.snapshot import DataFile

    with connect() as connection:
        state = snapshot.load(lake / "spans", lambda: connection)
        old = state.files[str(path.relative_to(lake / "spans"))]
        other = path.with_name(path.name[: -len("00000000.parquet")] + "00000000.parquet")  # the end names the columns
        copy.rename(other)
        new = DataFile(
            str(other.relative_to(lake / "spans")),
            other.stat().st_size,
            old.date,
            old.rows,
            old.first_unix_nano,
            old.last_unix_nano,
        )
        delta.append(lake / "spans", state, adds=[new], removes=[old])


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-50])


def overwritten(path: Path) -> None:
    path.write_bytes(os.urandom(path.stat().st_size))


def with_a_broken_footer(path: Path) -> None:
    content = bytearray(path.read_bytes())
    begin = len(content) - 8 - int.from_bytes(content[-8:-4], "little")
    content[begin : begin + 292] = b"\xff" * 292  # random bytes in the text at its end would be read as text
    path.write_bytes(content)


@pytest.mark.parametrize("damage", [truncated, overwritten, with_a_broken_footer, Path.unlink])
@pytest.mark.parametrize("which", [0, 1])
def test_a_damaged_parquet_file_is_left_out_and_named(tmp_path: Path, damage: object, which: int) -> None:
    for number in (1, 2):
        spooled(tmp_path, [row(number)])
        writer.commit(tmp_path)
    path = parquet_files(tmp_path)[which]
    assert callable(damage)
    damage(path)
    spooled(tmp_path, [row(3)])
    for _ in range(2):
        with open_reading(tmp_path) as reading:
            reading.exclude_damaged()
            assert [damaged for damaged, _ in reading.damaged_files] == [path]
            assert path not in reading.files
            assert reading.connection.execute("select count(*) from spans").fetchall() == [(2,)]
        writer.commit(tmp_path)  # goes on beside the damaged file
    assert [bad for bad, _ in maintain.compact(tmp_path).damaged_files] == [path]
    with open_reading(tmp_path) as reading:
        reading.exclude_damaged()
        assert reading.connection.execute("select count(*) from spans").fetchall() == [(2,)]


def test_damage_inside_a_file_is_found_when_a_query_has_failed_on_it(tmp_path: Path) -> None:
    for number in (1, 2):
        spooled(tmp_path, [row(number * 1000 + n, args_digest=os.urandom(16).hex()) for n in range(500)])
        writer.commit(tmp_path)
    path = parquet_files(tmp_path)[0]
    content = bytearray(path.read_bytes())
    content[100 : len(content) // 2] = os.urandom(len(content) // 2 - 100)
    path.write_bytes(content)
    with open_reading(tmp_path) as reading:
        assert reading.exclude_damaged()
        assert [damaged for damaged, _ in reading.damaged_files] == [path]
        assert reading.connection.execute("select count(args_digest) from spans").fetchall() == [(500,)]


def test_a_lake_without_anything_recorded_is_an_empty_table(tmp_path: Path) -> None:
    open_folder(tmp_path)
    assert numbers(tmp_path) == []
    assert writer.commit(tmp_path).rows == 0


def test_a_folder_without_a_lake_is_an_error_with_a_hint(tmp_path: Path) -> None:
    for lake in (tmp_path, tmp_path / "none"):
        with pytest.raises(LakeError, match="no lake at") as caught:
            open_reading(lake)
        assert "mcpobs instrument" in (caught.value.hint or "")


def test_a_damaged_identity_is_an_error_with_a_hint(tmp_path: Path) -> None:
    open_folder(tmp_path)
    (tmp_path / "lake.json").write_bytes(b'\xff{"id"')
    with pytest.raises(LakeError) as caught:
        open_reading(tmp_path)
    assert caught.value.hint


@pytest.mark.parametrize("name", ["it's", "a*b", "[x]", "q?", 'quo"te', "sp ace", "50%", "ü", "{a,b}"])
def test_a_lake_may_lie_in_a_folder_of_any_name(tmp_path: Path, name: str) -> None:
    lake = tmp_path / name
    spooled(lake, [row(1)])
    writer.commit(lake)
    spooled(lake, [row(1), row(2)])
    assert numbers(lake) == [1, 2]
    writer.commit(lake)
    maintain.compact(lake)
    maintain.prune(lake, NOON + 2_000_000)
    assert numbers(lake) == [2]


def test_a_folder_name_that_deltalake_misreads_is_an_error_and_stays_readable(tmp_path: Path) -> None:
    lake = tmp_path / "per%20cent"
    spooled(lake, [row(1)])
    with pytest.raises(LakeError, match="percent escape"):
        writer.commit(lake)
    assert numbers(lake) == [1]


def test_reading_changes_nothing_in_the_lake_and_leaves_nothing_in_the_temporary_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lake, temporary, elsewhere = tmp_path / "lake", tmp_path / "tmp", tmp_path / "cwd"
    temporary.mkdir()
    elsewhere.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    monkeypatch.chdir(elsewhere)
    spooled(lake, [row(1)])
    writer.commit(lake)
    spool = new_spool(lake)
    spool.write(row(2))
    before = {path: path.stat().st_mtime_ns for path in lake.rglob("*")}
    assert numbers(lake) == [1, 2]
    assert {path: path.stat().st_mtime_ns for path in lake.rglob("*")} == before
    assert [*temporary.iterdir(), *elsewhere.iterdir()] == []


def test_a_listing_that_misses_a_segment_between_two_others_is_completed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # readdir may show a file that was made later and not one that was made earlier
    for seq in (1, 2, 3):
        segment_file(tmp_path, line(seq), seq)
    scandir = os.scandir

    class Hiding:
        def __init__(self, path: Path) -> None:
            self.entries = [entry for entry in scandir(path) if not entry.name.endswith((".1.jsonl", ".2.jsonl"))]

        def __enter__(self) -> list[os.DirEntry[str]]:
            return self.entries

        def __exit__(self, *_: object) -> None: ...

    monkeypatch.setattr(os, "scandir", Hiding)
    assert [found.segment.seq for found in backlog.segments(tmp_path)] == [1, 2, 3]
    assert writer.commit(tmp_path).rows == 3


def test_segments_that_are_in_the_table_are_not_read_again(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    writer.commit(tmp_path)
    assert len(segments(tmp_path)) == 1  # kept for readers that listed it
    with open_reading(tmp_path) as reading:
        assert (reading.hot_segments, reading.hot_bytes) == (0, 0)
    assert numbers(tmp_path) == [1]
