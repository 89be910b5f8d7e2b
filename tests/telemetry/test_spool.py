"""The spool keeps what it says it keeps: over full disks, rolls, forks and removed folders."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from mcpobs.segment import parse_name
from mcpobs.telemetry.spool import SEGMENT_BYTES, Spool
from tests.telemetry.faults import (
    file_size_limit,
    in_a_fork,
    kept,
    locked,
    loss,
    recorded_losses,
    result,
    row,
    scanned,
    segments,
    spool,
)


def test_a_row_is_in_the_file_when_write_returns(tmp_path: Path) -> None:
    writer = spool(tmp_path)
    for number in range(5):
        assert writer.write(row(number))
        assert kept(tmp_path) == [str(n) for n in range(number + 1)]


def test_a_segment_is_locked_until_the_spool_is_closed(tmp_path: Path) -> None:
    writer = spool(tmp_path)
    writer.write(row(1))
    (segment,) = segments(tmp_path)
    assert locked(segment)
    writer.close()
    assert not locked(segment)


def test_a_spool_that_wrote_nothing_leaves_nothing(tmp_path: Path) -> None:
    spool(tmp_path / "lake").close()
    assert not (tmp_path / "lake").exists()


def test_folders_and_segments_are_the_owners_alone(tmp_path: Path) -> None:
    writer = spool(tmp_path / "lake")
    writer.write(row(1))
    (segment,) = segments(tmp_path / "lake")
    modes = [oct(path.stat().st_mode & 0o777) for path in (tmp_path / "lake", segment.parent, segment)]
    assert modes == ["0o700", "0o700", "0o600"]


def test_a_full_segment_is_left_for_the_next_one(tmp_path: Path) -> None:
    rolled: list[int] = []
    writer = spool(tmp_path, segment_bytes=1000, rolled=lambda: rolled.append(1))
    for number in range(20):
        writer.write(row(number, 300))
    names = [parse_name(path.name) for path in segments(tmp_path)]
    assert len({name.writer for name in names if name}) == 1
    assert sorted(name.seq for name in names if name) == list(range(1, len(names) + 1))
    assert len(rolled) == len(names) - 1 > 3
    assert [locked(path) for path in segments(tmp_path)].count(True) == 1
    assert sorted(kept(tmp_path), key=int) == [str(n) for n in range(20)]


def test_rolling_leaks_no_file(tmp_path: Path) -> None:
    writer = spool(tmp_path, segment_bytes=1)
    writer.write(row(0))
    before = len(os.listdir("/dev/fd"))
    for number in range(100):
        writer.write(row(number))
    assert len(os.listdir("/dev/fd")) == before
    assert len(segments(tmp_path)) == 101
    assert SEGMENT_BYTES == 8 << 20


def test_a_row_that_is_larger_than_a_segment_is_written(tmp_path: Path) -> None:
    writer = spool(tmp_path, segment_bytes=100)
    assert all(writer.write(row(number, 5000)) for number in range(3))
    assert sorted(kept(tmp_path)) == ["0", "1", "2"]


def test_where_no_new_segment_can_be_made_the_old_one_grows_on(tmp_path: Path) -> None:
    writer = spool(tmp_path, segment_bytes=1000, retry_ns=0)
    writer.write(row(0, 900))
    (tmp_path / "spool").rename(tmp_path / "moved")  # the segment keeps its name, and its folder is not to be found
    (tmp_path / "spool").touch()
    assert all(writer.write(row(number, 900)) for number in range(1, 4))
    (tmp_path / "spool").unlink()
    (tmp_path / "moved").rename(tmp_path / "spool")
    assert writer.write(row(4, 900))
    assert kept(tmp_path) == ["0", "1", "2", "3", "4"]
    assert [path.name.rpartition(".jsonl")[0][-2:] for path in segments(tmp_path)] == [".1", ".2"]
    assert writer.lost_total == 0


@pytest.mark.parametrize("room", [0, 1, 50, 199])
def test_a_line_that_a_full_disk_cut_short_is_removed_and_counted_as_lost(room: int, tmp_path: Path) -> None:
    failures: list[OSError] = []
    writer = spool(tmp_path, failed=failures.append)
    assert writer.write(row("before"))
    (segment,) = segments(tmp_path)
    size = segment.stat().st_size
    with file_size_limit(size + room):
        assert not any(writer.write(row(n, 200)) for n in range(3))
        assert segment.stat().st_size == size
    assert writer.lost == 3
    assert writer.write(row("after"))
    assert (kept(tmp_path), recorded_losses(tmp_path), scanned(tmp_path).damaged) == (["before", "after"], 3, 0)
    assert (writer.lost, writer.lost_total, len(failures)) == (0, 3, 1)


def test_a_line_that_cannot_be_cut_off_damages_none_but_itself(tmp_path: Path) -> None:
    writer = spool(tmp_path)
    writer.write(row("before"))
    (segment,) = segments(tmp_path)
    if subprocess.run(["chattr", "+a", segment], stderr=subprocess.DEVNULL).returncode != 0:
        pytest.skip("only root can make a file that cannot be cut (chattr +a), on some file systems")
    try:
        with file_size_limit(segment.stat().st_size + 60):
            assert not writer.write(row("torn"))
            assert not writer.write(row("none"))
        assert writer.write(row("after"))
        assert writer.write(row("later"))
    finally:
        subprocess.run(["chattr", "-a", segment], check=True)
    assert (kept(tmp_path), scanned(tmp_path).damaged, recorded_losses(tmp_path)) == (
        ["before", "after", "later"],
        1,
        2,
    )


def test_a_row_that_fits_is_not_counted_as_lost_if_its_loss_count_does_not_fit(tmp_path: Path) -> None:
    writer = spool(tmp_path)
    writer.write(row("before"))
    (segment,) = segments(tmp_path)
    with file_size_limit(segment.stat().st_size + 150):
        assert not writer.write(row("long", 2000))
        assert writer.write(row("fits", 80))  # 141 bytes
    assert writer.lost == 1
    writer.close()
    assert (kept(tmp_path), recorded_losses(tmp_path)) == (["before", "fits"], 1)


def test_rows_lost_before_the_first_segment_are_recorded_at_the_end(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.touch()
    writer = spool(lake)
    assert not any(writer.write(row(n)) for n in range(4))
    lake.unlink()
    writer.close()
    assert (kept(lake), recorded_losses(lake)) == ([], 4)


def test_the_reason_of_a_loss_survives_the_pause_between_two_tries(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.touch()
    writer = spool(lake)
    assert not any(writer.write(row(n)) for n in range(4))
    assert writer.reason == "File exists"


def test_a_lake_that_cannot_be_written_for_long_costs_no_memory(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.touch()
    failures: list[OSError] = []
    writer = spool(lake, failed=failures.append)
    for number in range(1000):
        writer.write(row(number))
    frames, trace = 0, failures[0].__traceback__
    while trace is not None:
        frames, trace = frames + 1, trace.tb_next
    assert frames < 10
    assert len(failures) == 1


def test_a_row_that_is_no_json_is_counted_as_lost(tmp_path: Path) -> None:
    writer = spool(tmp_path)
    assert not writer.write({"name": "lone \ud800"})
    assert writer.write(row("after"))
    assert (kept(tmp_path), recorded_losses(tmp_path)) == (["after"], 1)


def test_a_segment_that_cannot_be_locked_leaves_no_draft(tmp_path: Path) -> None:
    """The draft cannot be renamed: there is a folder of the segment's name for every clock."""
    writer = spool(tmp_path, segment_bytes=1)
    writer.write(row(0))
    (first,) = segments(tmp_path)
    first.with_name(first.name.replace(".1.", ".2.")).mkdir()
    assert writer.write(row(1))
    assert [path.name for path in (tmp_path / "spool").iterdir() if path.name.startswith(".")] == []
    assert first.read_bytes().count(b"\n") == 2


def test_a_lake_that_was_removed_is_made_anew(tmp_path: Path) -> None:
    writer = spool(tmp_path / "lake")
    writer.write(row(0))
    shutil.rmtree(tmp_path / "lake")
    number = 0
    while not segments(tmp_path / "lake"):
        number += 1
        assert writer.write(row(number))
    assert kept(tmp_path / "lake") == [str(number)]
    assert locked(segments(tmp_path / "lake")[0])


def test_a_forked_child_writes_to_a_segment_of_its_own(tmp_path: Path) -> None:
    writer = spool(tmp_path)
    writer.write(row("before"))
    (parents,) = segments(tmp_path)

    def child() -> str:
        done = writer.write(row("child")) and writer.write(row("child again"))
        (own,) = set(segments(tmp_path)) - {parents}
        return f"{done} {locked(own)} {own.name}"

    done, own_locked, name = result(in_a_fork(child)).split()
    assert (done, own_locked) == ("True", "True")
    assert not locked(tmp_path / "spool" / name)
    assert locked(parents)
    writer.write(row("after"))
    assert parents.read_bytes().count(b"\n") == 2
    assert sorted(kept(tmp_path)) == ["after", "before", "child", "child again"]
    assert scanned(tmp_path).damaged == 0


def test_a_forked_child_does_not_hold_its_parents_segment(tmp_path: Path) -> None:
    writer = spool(tmp_path)
    writer.write(row("before"))
    (segment,) = segments(tmp_path)
    waiting, go = os.pipe()
    there, forked = os.pipe()
    child = in_a_fork(lambda: str(os.write(forked, b"!")) + os.read(waiting, 1).decode())
    os.read(there, 1)  # until then the child has not come to let go of it
    writer.close()
    let_go = not locked(segment)
    os.write(go, b"x")
    assert result(child) == "1x"
    assert let_go
    for fd in (waiting, go, there, forked):
        os.close(fd)


def test_a_forked_child_counts_only_its_own_losses(tmp_path: Path) -> None:
    lake = tmp_path / "lake"
    lake.touch()
    writer = spool(lake)
    writer.write(row("lost"))
    lake.unlink()
    assert result(in_a_fork(lambda: str(writer.write(row("child"))))) == "True"
    assert (kept(lake), recorded_losses(lake)) == (["child"], 0)
    writer.close()
    assert recorded_losses(lake) == 1


FORKS = 12


def test_a_fork_in_the_middle_of_another_threads_write_does_not_stop_the_child(tmp_path: Path) -> None:
    writer = spool(tmp_path, segment_bytes=5000)
    ended = threading.Event()
    numbers: list[int] = []

    def hammer() -> None:
        while not ended.is_set():
            writer.write(row(len(numbers)))
            numbers.append(len(numbers))

    def child() -> str:
        signal.alarm(20)
        return str(writer.write(row(f"child {os.getpid()}")))

    thread = threading.Thread(target=hammer)
    thread.start()
    try:
        assert [result(in_a_fork(child)) for _ in range(FORKS)] == ["True"] * FORKS
    finally:
        ended.set()
        thread.join()
    found = kept(tmp_path)
    assert len(found) == len(set(found)) == len(numbers) + FORKS
    assert scanned(tmp_path).damaged == 0


def test_threads_share_a_spool(tmp_path: Path) -> None:
    writer = spool(tmp_path, segment_bytes=4000)
    threads = [
        threading.Thread(target=lambda w=w: [writer.write(row(f"{w}-{n}")) for n in range(200)]) for w in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(kept(tmp_path)) == sorted(f"{w}-{n}" for w in range(4) for n in range(200))


def test_a_spool_that_is_dropped_is_not_kept_alive_by_its_hook(tmp_path: Path) -> None:
    import weakref

    known = weakref.ref(Spool(tmp_path, loss))
    assert known() is None
    assert result(in_a_fork(lambda: "fine")) == "fine"


@pytest.mark.skipif(sys.platform != "linux", reason="flock of a killed process is asked at once")
def test_a_killed_writer_leaves_its_segment_unlocked(tmp_path: Path) -> None:
    def child() -> str:
        spool(tmp_path).write(row(1))
        os.kill(os.getpid(), signal.SIGKILL)
        return ""

    pid, reader = in_a_fork(child)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    os.close(reader)
    (segment,) = segments(tmp_path)
    with segment.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    assert kept(tmp_path) == ["1"]
