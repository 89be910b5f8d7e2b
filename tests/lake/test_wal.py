"""The collector's log: what was acknowledged is read, whatever happened to the file behind it."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mcpobs.lake import backlog, wal
from mcpobs.lake.wal import Wal
from tests.telemetry.faults import file_size_limit, locked

BODIES = st.lists(st.binary(max_size=300), max_size=12)


def _written(lake: Path, *groups: list[bytes]) -> Path:
    log = Wal(lake)
    for group in groups:
        log.append(group)
    path = _segments(lake)[-1]
    log.close()
    return path


def _segments(lake: Path) -> list[Path]:
    return [found.path for found in backlog.segments(lake, backlog.WAL)]


@given(groups=st.lists(BODIES, min_size=1, max_size=4), cut=st.integers(min_value=0))
def test_a_torn_end_costs_what_was_never_acknowledged_and_nothing_else(
    groups: list[list[bytes]], cut: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    groups[0].append(b"one at least")
    path = _written(tmp_path_factory.mktemp("lake"), *groups)
    bodies = [body for group in groups for body in group]
    whole = path.read_bytes()
    assert wal.read(path) == (bodies, 0)
    end = cut % (len(whole) + 1)
    path.write_bytes(whole[:end])
    found = wal.read(path)
    assert found.damaged == 0
    assert found.bodies == bodies[: len(found.bodies)]
    kept = sum(8 + len(body) for body in found.bodies)
    assert kept <= end
    assert len(found.bodies) == len(bodies) or kept + 8 + len(bodies[len(found.bodies)]) > end


def test_a_damaged_record_costs_itself_and_is_counted(tmp_path: Path) -> None:
    path = _written(tmp_path, [b"a" * 50, b"b" * 50, b"c" * 50])
    content = bytearray(path.read_bytes())
    content[8 + 50 + 8 + 7] ^= 1
    path.write_bytes(content)
    assert wal.read(path) == ([b"a" * 50, b"c" * 50], 1)


def test_a_segment_is_its_writers_until_it_is_ended(tmp_path: Path) -> None:
    log = Wal(tmp_path)
    log.append([b"x"])
    first = _segments(tmp_path)[0]
    assert locked(first)
    log.roll()
    assert not locked(first)
    assert [found.segment.seq for found in backlog.segments(tmp_path, backlog.WAL)] == [1, 2]
    log.close()
    assert _segments(tmp_path) == [first]  # an empty one leaves nothing behind
    assert first.stat().st_mode & 0o077 == 0


def test_two_collectors_write_to_one_lake_without_meeting(tmp_path: Path) -> None:
    one, other = Wal(tmp_path), Wal(tmp_path)
    one.append([b"1"])
    other.append([b"2"])
    one.close()
    other.close()
    assert sorted(bytes(body) for path in _segments(tmp_path) for body in wal.read(path).bodies) == [b"1", b"2"]


def test_what_a_full_disk_refused_is_not_in_the_log_and_later_bodies_are(tmp_path: Path) -> None:
    log = Wal(tmp_path)
    log.append([b"before"])
    with file_size_limit(1000), pytest.raises(OSError):
        log.append([b"refused" * 1000])
    log.append([b"after"])
    log.close()
    assert [wal.read(path) for path in _segments(tmp_path)] == [([b"before", b"after"], 0)]


def test_a_log_whose_segment_is_full_goes_on_in_the_next(tmp_path: Path) -> None:
    log = Wal(tmp_path)
    for number in range(5):
        log.append([b"%d" % number])
        log.roll()
    log.close()
    assert [wal.read(path).bodies for path in _segments(tmp_path)] == [[b"%d" % n] for n in range(5)]


def test_an_empty_segment_and_one_that_is_shorter_than_a_head_hold_nothing(tmp_path: Path) -> None:
    for content in (b"", b"\0" * 7):
        path = tmp_path / "segment"
        path.write_bytes(content)
        assert wal.read(path) == ([], 0)


def test_what_was_read_stays_when_the_segment_is_gone(tmp_path: Path) -> None:
    path = _written(tmp_path, [b"a" * 5000, b"", b"b"])
    found = wal.read(path)
    path.unlink()
    assert [bytes(body) for body in found.bodies] == [b"a" * 5000, b"", b"b"]
