"""What a commit takes, what it leaves behind, and that it may be repeated or interrupted anywhere."""

from __future__ import annotations

import json
import os
import resource
import shutil
import stat
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mcpobs.errors import LakeError
from mcpobs.keys import open_folder
from mcpobs.lake import delta, hot, maintain, sealed, snapshot, totals, writer
from mcpobs.lake.backlog import WORTH_SEGMENTS, worth_committing
from mcpobs.lake.engine import connect
from mcpobs.lake.inspection import inspect
from mcpobs.lake.lock import exclusive
from mcpobs.lake.snapshot import Snapshot
from mcpobs.lake.vacuum import vacuum
from mcpobs.segment import Segment, seal
from tests.lake.rows import DAY, NOON, new_spool, numbers, parquet_files, row, segments, spooled


def state_of(lake: Path) -> Snapshot:
    with connect() as connection:
        return snapshot.load(lake / "spans", lambda: connection)


@pytest.fixture
def checkpoints(monkeypatch: pytest.MonkeyPatch) -> int:
    """How many commits lie between checkpoints of a table that is made now."""
    monkeypatch.setattr(delta, "PROPERTIES", delta.PROPERTIES | {"delta.checkpointInterval": "3"})
    return 3


@pytest.fixture
def no_grace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "UNLINK_GRACE_S", 0.0)


def test_a_commit_takes_sealed_segments_and_leaves_open_ones(tmp_path: Path) -> None:
    spool = new_spool(tmp_path, segment_bytes=1500)
    for number in range(1, 8):
        assert spool.write(row(number))
    live = segments(tmp_path)[-1]
    done = writer.commit(tmp_path)
    assert (done.segments, done.busy) == (len(segments(tmp_path)) - 1, False)
    assert 0 < done.rows < 7
    assert numbers(tmp_path) == [1, 2, 3, 4, 5, 6, 7]
    assert spool.write(row(8))
    spool.close()
    writer.commit(tmp_path)
    assert numbers(tmp_path) == [1, 2, 3, 4, 5, 6, 7, 8]
    assert live in segments(tmp_path)  # until its grace is over


def test_one_file_a_day_is_written_sorted_by_session_and_place(tmp_path: Path) -> None:
    rows = [
        row(n, session_id=f"s{n % 3}", session_start_unix_nano=NOON + (n % 2) * DAY, start_unix_nano=NOON - n)
        for n in range(20)
    ]
    spooled(tmp_path, rows)
    assert writer.commit(tmp_path).files == 2
    for path in parquet_files(tmp_path):
        with connect() as connection:
            columns = "session_id, start_unix_nano, sequence"
            found = connection.execute(
                f"select {columns} from read_parquet('{path}', file_row_number = true)"
            ).fetchall()
        assert found == sorted(found)
        assert len(found) == 10


def test_segments_are_unlinked_a_grace_after_their_commit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    spooled(tmp_path, [row(1)])
    assert writer.commit(tmp_path).unlinked == 0
    assert writer.commit(tmp_path).unlinked == 0
    assert len(segments(tmp_path)) == 1
    monkeypatch.setattr(sealed, "UNLINK_GRACE_S", 0.0)
    assert writer.commit(tmp_path).unlinked == 1
    assert segments(tmp_path) == []
    assert numbers(tmp_path) == [1]


def test_a_segment_that_comes_back_from_the_dead_is_not_read_or_committed_again(tmp_path: Path, no_grace: None) -> None:
    spooled(tmp_path, [row(1)])
    (segment,) = segments(tmp_path)
    content = segment.read_bytes()
    writer.commit(tmp_path)
    segment.write_bytes(content)  # as if the committer had died before it unlinked
    assert numbers(tmp_path) == [1]
    done = writer.commit(tmp_path)
    assert (done.rows, done.segments, done.unlinked) == (0, 0, 1)
    assert numbers(tmp_path) == [1]


def test_only_one_commits_and_the_other_does_not_wait(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    with exclusive(tmp_path, wait=False) as held:
        assert held
        assert writer.commit(tmp_path).busy
    assert writer.commit(tmp_path).rows == 1


def test_what_a_killed_committer_left_is_no_part_of_the_lake_and_is_cleaned_up(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    writer.commit(tmp_path)
    (path,) = parquet_files(tmp_path)
    orphan = path.with_name("part-0-orphan.parquet")
    shutil.copy(path, orphan)
    draft = path.with_name(".part-0-draft.parquet.draft")
    draft.write_bytes(b"half")
    work = tmp_path / ".work" / "lines.jsonl"
    work.write_bytes(b"left")
    assert numbers(tmp_path) == [1]
    old = time.time() - 3600
    os.utime(orphan, (old, old))
    spooled(tmp_path, [row(2)])
    writer.commit(tmp_path)
    assert not orphan.exists()
    assert not work.exists()
    assert draft.exists()  # younger than the grace
    os.utime(draft, (old, old))
    vacuum(tmp_path / "spans", state_of(tmp_path))
    assert not draft.exists()
    assert numbers(tmp_path) == [1, 2]


def test_everything_in_a_lake_is_its_owners_alone(tmp_path: Path, checkpoints: int) -> None:
    lake = tmp_path / "lake"
    before = os.umask(0o000)
    try:
        for number in range(checkpoints + 1):
            spooled(lake, [row(number)])
            writer.commit(lake)
        maintain.compact(lake)
        assert os.umask(0o000) == 0o000
    finally:
        os.umask(before)
    assert any(path.name.endswith(".checkpoint.parquet") for path in lake.rglob("*"))
    for path in [lake, *lake.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_writers_transaction_expires_only_when_its_segments_are_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, checkpoints: int
) -> None:
    """A commit a day. deltalake reads the true clock, so the days lie in the past."""
    now, days = time.time_ns(), 14
    stubborn: list[Path] = []
    unlink = Path.unlink

    def cannot_unlink(path: Path, missing_ok: bool = False) -> None:
        if path in stubborn:
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", cannot_unlink)
    writers = []
    for number in range(1, days + 1):
        monkeypatch.setattr(delta.time, "time_ns", lambda ago=days - number: now - ago * DAY)
        spooled(tmp_path, [row(number)])
        writers.append(segments(tmp_path)[-1].name.split(".")[0])
        if number == 2:
            stubborn.append(segments(tmp_path)[-1])
        writer.commit(tmp_path)
    known = state_of(tmp_path).transactions
    assert writers[0] not in known
    assert writers[1] in known  # its segment could not be unlinked in all that time
    assert writers[-1] in known
    assert stubborn[0].exists()
    assert numbers(tmp_path) == list(range(1, days + 1))
    stubborn.clear()
    assert writer.commit(tmp_path).duplicates == 0


def test_totals_of_damage_and_repetition_survive_checkpoints(tmp_path: Path, checkpoints: int) -> None:
    open_folder(tmp_path)
    spooled(tmp_path, [row(0), row(0)])
    (segment,) = segments(tmp_path)
    with segment.open("ab") as file:
        file.write(b"torn")
    writer.commit(tmp_path)
    for number in range(1, 2 * checkpoints + 2):
        spooled(tmp_path, [row(number)])
        writer.commit(tmp_path)
    found = inspect(tmp_path)
    assert (found.damaged_lines, found.duplicates) == (1, 1)
    assert state_of(tmp_path).transactions[totals.DAMAGED_LINES].updated_ms == 0  # no time: it does not expire


def test_columns_of_this_version_are_added_to_a_table_of_an_older_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = {name: type_ for name, type_ in delta.DELTA_TYPES.items() if name not in ("events", "links")}
    with monkeypatch.context() as past:
        past.setattr(delta, "delta_schema", lambda columns=older: real_schema(columns))
        past.setattr(delta, "DELTA_TYPES", older)
        spooled(tmp_path, [row(1)])
        writer.commit(tmp_path)
    assert set(state_of(tmp_path).columns) == set(older)
    spooled(tmp_path, [row(2, events="[]")])
    writer.commit(tmp_path)
    assert set(state_of(tmp_path).columns) == set(delta.DELTA_TYPES)
    assert numbers(tmp_path) == [1, 2]


real_schema = delta.delta_schema


def test_a_backlog_is_worth_a_commit_when_enough_of_it_is_sealed(tmp_path: Path) -> None:
    open_folder(tmp_path)
    assert not worth_committing(tmp_path)
    assert not worth_committing(tmp_path / "none")
    spool = new_spool(tmp_path)
    assert spool.write(row(1, attributes="x" * (5 << 20)))
    assert not worth_committing(tmp_path)  # large, and being written
    spool.close()
    assert worth_committing(tmp_path)


def test_many_small_segments_are_worth_a_commit(tmp_path: Path) -> None:
    for number in range(WORTH_SEGMENTS):
        spooled(tmp_path, [row(number)])
    assert not worth_committing(tmp_path)
    spooled(tmp_path, [row(WORTH_SEGMENTS)])
    assert worth_committing(tmp_path)


def test_many_small_segments_are_moved_and_read_in_little_memory(tmp_path: Path) -> None:
    # DuckDB keeps something for each file that it reads: 6,000 small ones took 17 s and more than 1 GiB
    count = 400
    open_folder(tmp_path)
    for number in range(count):
        line = seal(json.dumps(row(number)).encode())
        (tmp_path / "spool" / Segment(f"0123456789abcd-{number:08x}", 1).name).write_bytes(line)
    with connect(memory_bytes=100 << 20) as connection:
        contents = [hot.read(path, growing=False) for path in segments(tmp_path)]
        assert hot.load(connection, "loaded", contents, tmp_path / "copy").rows == count
    assert numbers(tmp_path) == list(range(count))
    assert writer.commit(tmp_path).rows == count
    assert numbers(tmp_path) == list(range(count))


def test_asking_for_the_backlog_loads_neither_duckdb_nor_deltalake() -> None:
    code = (
        "import sys; from mcpobs.lake.backlog import worth_committing; from pathlib import Path;"
        "worth_committing(Path('/none')); print([m for m in sys.modules if 'duckdb' in m or 'deltalake' in m])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_reading_loads_the_light_module_of_duckdb_and_no_deltalake(tmp_path: Path) -> None:
    spooled(tmp_path, [row(number) for number in range(3)])
    writer.commit(tmp_path)
    code = (
        "import sys; from mcpobs.lake.reader import open_reading; from pathlib import Path;"
        "r = open_reading(Path(sys.argv[1])); r.connection.execute('select * from spans').fetchall(); r.close();"
        "print(sorted(m for m in sys.modules if m in ('duckdb', 'deltalake', 'pyarrow', 'polars')))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_a_commit_in_the_background_says_nothing_and_cleans_the_spool(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    command = [sys.executable, "-m", "mcpobs.lake.commit", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")
    assert segments(tmp_path) == []
    assert numbers(tmp_path) == [1]
    done = subprocess.run([*command[:-1], str(tmp_path / "none")], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (3, b"", b"")


@pytest.fixture
def full_disk() -> Iterator[None]:
    """No file may grow beyond some size: writes fail as they do on a full disk, with EFBIG for ENOSPC."""
    import signal

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    signal.signal(signal.SIGXFSZ, handler)


def many_rows() -> list[dict[str, object]]:
    return [row(number, args_digest=os.urandom(16).hex(), result_digest=os.urandom(16).hex()) for number in range(2000)]


def test_a_commit_on_a_full_disk_is_an_error_and_loses_nothing(tmp_path: Path, request: pytest.FixtureRequest) -> None:
    spooled(tmp_path, many_rows())
    spooled(tmp_path, [row(5000)])
    request.getfixturevalue("full_disk")
    for _ in range(2):
        with pytest.raises(LakeError) as caught:
            writer.commit(tmp_path)
        assert caught.value.hint
    assert parquet_files(tmp_path) == []
    resource.setrlimit(resource.RLIMIT_FSIZE, resource.getrlimit(resource.RLIMIT_FSIZE)[1:] * 2)  # space again
    assert numbers(tmp_path) == [*range(2000), 5000]
    assert writer.commit(tmp_path).rows == 2001
    assert numbers(tmp_path) == [*range(2000), 5000]


@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("mount"), reason="needs root, to mount a small file system")
def test_a_lake_on_a_file_system_that_is_full_is_readable_and_commits_when_there_is_space(tmp_path: Path) -> None:
    lake = tmp_path / "small"
    lake.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=3m", "tmpfs", str(lake)], check=False)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        from mcpobs.telemetry.spool import Spool

        open_folder(lake)
        losses: list[int] = []
        spool = Spool(lake, lambda count, _: losses.append(count) or row(10**6 + count))
        written = []
        number = 0
        while len(losses) == 0 and number < 50_000:
            number += 1
            if spool.write(row(number, result_digest=os.urandom(16).hex())):
                written.append(number)
            elif number - written[-1] > 50:
                break
        spool.close()
        assert numbers(lake) == written
        with pytest.raises(LakeError, match="cannot"):
            writer.commit(lake)
        assert numbers(lake) == written
        subprocess.run(["mount", "-o", "remount,size=30m", str(lake)], check=True)
        assert writer.commit(lake).rows == len(written)
        assert numbers(lake) == written
    finally:
        subprocess.run(["umount", str(lake)], check=True)


def read_only(lake: Path) -> None:
    """Takes the right to write away; root keeps it, so there a folder is put under a file's name."""
    if os.geteuid() != 0:
        lake.chmod(0o500)
    else:
        (lake / "commit.lock").unlink(missing_ok=True)
        (lake / "commit.lock").mkdir()


def test_a_lake_that_cannot_be_written_can_be_read(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    spooled(lake, [row(1, attributes="x" * (17 << 20))], segment_bytes=64 << 20)
    read_only(lake)
    try:
        with pytest.raises(LakeError, match="cannot write to the lake") as caught:
            writer.commit(lake)
        assert "permissions" in (caught.value.hint or "")
        assert writer.commit_if_large(lake) is None
        assert numbers(lake) == [1]
    finally:
        lake.chmod(0o700)


def test_a_large_spool_is_committed_before_a_report_and_a_small_one_is_not(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    assert writer.commit_if_large(tmp_path) is None
    spooled(tmp_path, [row(2, attributes="x" * (17 << 20))], segment_bytes=64 << 20)
    done = writer.commit_if_large(tmp_path)
    assert done is not None
    assert done.rows == 2


@pytest.mark.parametrize("damage", [b"", b"{", b"\x00\xff", b'{"add":{"size":1}}', b'{"add":[]}', b"[]"])
def test_a_damaged_commit_of_the_log_is_an_error_with_a_hint_for_reader_and_committer(
    tmp_path: Path, damage: bytes
) -> None:
    spooled(tmp_path, [row(1)])
    writer.commit(tmp_path)
    spooled(tmp_path, [row(2)])
    (tmp_path / "spans" / "_delta_log" / f"{1:020d}.json").write_bytes(damage)
    for act in (numbers, writer.commit, maintain.compact, inspect):
        with pytest.raises(LakeError) as caught:
            act(tmp_path)
        assert caught.value.hint
    assert len(parquet_files(tmp_path)) == 1  # nothing was taken for an orphan


def test_a_damaged_checkpoint_is_read_around_as_long_as_the_commits_are_there(tmp_path: Path, checkpoints: int) -> None:
    for number in range(checkpoints + 2):
        spooled(tmp_path, [row(number)])
        writer.commit(tmp_path)
    checkpoints_made = list((tmp_path / "spans" / "_delta_log").glob("*.checkpoint.parquet"))
    assert checkpoints_made
    for checkpoint in checkpoints_made:
        checkpoint.write_bytes(b"")
    assert numbers(tmp_path) == list(range(checkpoints + 2))


def test_a_table_with_features_that_we_do_not_know_is_refused(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    writer.commit(tmp_path)
    action = {"protocol": {"minReaderVersion": 3, "minWriterVersion": 7, "readerFeatures": ["deletionVectors"]}}
    (tmp_path / "spans" / "_delta_log" / f"{2:020d}.json").write_text(json.dumps(action))
    with pytest.raises(LakeError, match="reader version 3"):
        numbers(tmp_path)
