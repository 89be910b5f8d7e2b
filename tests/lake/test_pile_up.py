"""Many short wrappers: who starts a committer, what a commit writes, and when segments go. Any order of wrapper ends,
commits, kills and steps of the clock keeps every row exactly once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from mcpobs.gate import recorder
from mcpobs.keys import open_folder
from mcpobs.lake import backlog, joining, sealed, snapshot, writer
from mcpobs.lake.backlog import LONG_PAUSE_S, PAUSE_S, WORTH_SEGMENTS, committer_due, turn
from mcpobs.lake.engine import connect
from mcpobs.lake.place import table_of
from mcpobs.lake.sealed import UNLINK_GRACE_S
from tests.lake.rows import new_spool, numbers, parquet_files, row, segments, spooled


def transactions(lake: Path) -> list[dict[str, int]]:
    """What each commit of the Delta log says of writers: up to which segment they are in the table."""
    found = []
    for path in sorted((lake / "spans" / "_delta_log").glob("*.json")):
        actions = [json.loads(line)["txn"] for line in path.read_text().splitlines() if line.startswith('{"txn"')]
        named = {action["appId"]: action["version"] for action in actions}
        assert len(named) == len(actions)
        found.append(named)
    return found


def pile_up(lake: Path, first: int, count: int) -> None:
    for number in range(first, first + count):
        spooled(lake, [row(number)])


@contextmanager
def set_clock(change_s: float) -> Iterator[None]:
    """What Python reads as the time is off by so much; deltalake and the file system keep the true one."""
    true_ns, true_s = time.time_ns, time.time
    time.time_ns = lambda: true_ns() + int(change_s * 1e9)
    time.time = lambda: true_s() + change_s
    try:
        yield
    finally:
        time.time_ns, time.time = true_ns, true_s


# -- who starts a committer -------------------------------------------------------------------------------


def test_of_many_wrappers_that_end_together_one_starts_a_committer(tmp_path: Path) -> None:
    pile_up(tmp_path, 0, WORTH_SEGMENTS + 1)
    code = (
        "import sys; from pathlib import Path; from mcpobs.lake.backlog import committer_due;"
        "print(committer_due(Path(sys.argv[1])))"
    )
    asked = [
        subprocess.Popen([sys.executable, "-c", code, str(tmp_path)], stdout=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert sorted(process.communicate()[0].strip() for process in asked) == ["False"] * 3 + ["True"]


def test_none_is_due_while_one_runs_nor_in_its_pause(tmp_path: Path) -> None:
    pile_up(tmp_path, 0, WORTH_SEGMENTS + 1)
    with turn(tmp_path) as mine:
        assert mine is not None
        with turn(tmp_path) as other:
            assert other is None
        assert not committer_due(tmp_path)
        mine.rest()
    assert not committer_due(tmp_path)
    with set_clock(PAUSE_S + 1):
        assert committer_due(tmp_path)
        assert not committer_due(tmp_path)


def test_a_clock_that_was_set_back_keeps_no_committer_out(tmp_path: Path) -> None:
    pile_up(tmp_path, 0, WORTH_SEGMENTS + 1)
    assert committer_due(tmp_path)
    with set_clock(-3600):
        assert committer_due(tmp_path)


@pytest.mark.parametrize("content", [b"", b"\x00\xff", b"1e99", b"inf", b"nan", b"-5"])
def test_a_damaged_turn_keeps_no_committer_out_for_longer_than_the_longest_pause(
    tmp_path: Path, content: bytes
) -> None:
    pile_up(tmp_path, 0, WORTH_SEGMENTS + 1)
    (tmp_path / backlog.TURN_FILE).write_bytes(content)
    with set_clock(LONG_PAUSE_S + 1):
        assert committer_due(tmp_path)


def test_a_turn_that_is_no_file_of_ours_starts_nothing_and_is_left_alone(tmp_path: Path) -> None:
    pile_up(tmp_path, 0, WORTH_SEGMENTS + 1)
    aim = tmp_path / "aim"
    (tmp_path / backlog.TURN_FILE).symlink_to(aim)
    assert not committer_due(tmp_path)
    assert not aim.exists()


def test_the_committer_ends_at_once_when_another_has_the_turn(tmp_path: Path) -> None:
    spooled(tmp_path, [row(1)])
    with turn(tmp_path):
        done = subprocess.run([sys.executable, "-m", "mcpobs.lake.commit", str(tmp_path)], check=False)
    assert done.returncode == 0
    assert parquet_files(tmp_path) == []


def test_the_committer_takes_what_piles_up_while_it_waits_and_then_ends(tmp_path: Path) -> None:
    pile_up(tmp_path, 0, WORTH_SEGMENTS + 1)
    started = recorder._commit_in_background(tmp_path, os.environ)
    assert started is not None
    count = WORTH_SEGMENTS + 1
    while parquet_files(tmp_path) == []:
        assert started.poll() is None
        time.sleep(0.05)  # nothing tells of a commit of another process
    pile_up(tmp_path, count, WORTH_SEGMENTS + 1)  # within its grace
    assert recorder._commit_in_background(tmp_path, os.environ) is None
    assert started.wait(timeout=60) == 0
    assert segments(tmp_path) == []
    assert numbers(tmp_path) == list(range(2 * count))
    assert max(map(len, transactions(tmp_path))) == count


# -- what a commit writes ---------------------------------------------------------------------------------


def test_commits_stay_of_constant_size_while_segments_wait_for_their_grace(tmp_path: Path) -> None:
    for turn_ in range(6):
        pile_up(tmp_path, turn_ * 10, 10)
        writer.commit(tmp_path)
    assert [len(names) for names in transactions(tmp_path) if names] == [10] * 6
    with set_clock(UNLINK_GRACE_S + 1):
        assert writer.commit(tmp_path).unlinked == 60


def test_a_commit_takes_a_bounded_number_of_segments(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sealed, "BATCH_SEGMENTS", 7)
    pile_up(tmp_path, 0, 20)
    assert writer.commit(tmp_path).segments == 20
    assert [len(names) for names in transactions(tmp_path) if names] == [7, 7, 6]
    assert numbers(tmp_path) == list(range(20))


def test_a_backlog_of_many_batches_is_reported_batch_by_batch_and_piles_up_no_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sender that never pauses keeps one commit going for as long as it sends."""
    monkeypatch.setattr(sealed, "BATCH_SEGMENTS", 1)
    monkeypatch.setattr(joining, "MANY_FILES", 4)
    monkeypatch.setattr(joining, "TOO_MANY_FILES", 4)
    pile_up(tmp_path, 0, 24)
    steps: list[tuple[int, int]] = []

    def step(done: writer.Commit) -> None:
        state = snapshot.load(table_of(tmp_path), connect)
        steps.append((done.rows, len(state.files)))

    writer.commit(tmp_path, busy=True, step=step)

    assert [rows for rows, _ in steps] == list(range(1, 25))
    assert max(files for _, files in steps) < 12
    assert numbers(tmp_path) == list(range(24))


def test_a_writer_that_rolls_faster_than_the_grace_loses_its_segments_all_the_same(tmp_path: Path) -> None:
    """A busy collector commits every two seconds."""
    spool = new_spool(tmp_path, segment_bytes=1)
    most = 0
    for second in range(0, 40, 2):
        with set_clock(second):
            assert spool.write(row(second))
            writer.commit(tmp_path, busy=True)
        most = max(most, len(segments(tmp_path)))
    spool.close()
    assert most <= 2 * UNLINK_GRACE_S
    assert numbers(tmp_path) == list(range(0, 40, 2))


def test_a_segment_of_the_future_is_unlinked_a_grace_after_the_clock_was_set_back(tmp_path: Path) -> None:
    with set_clock(3600):
        spooled(tmp_path, [row(1)])
        writer.commit(tmp_path)
    assert writer.commit(tmp_path).unlinked == 0
    with set_clock(UNLINK_GRACE_S - 1):
        assert writer.commit(tmp_path).unlinked == 0
    with set_clock(UNLINK_GRACE_S + 1):
        assert writer.commit(tmp_path).unlinked == 1
    assert len([names for names in transactions(tmp_path) if names]) == 2  # written anew once


def test_a_transaction_whose_segment_stays_is_written_anew_before_it_expires(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spooled(tmp_path, [row(1)])
    (segment,) = segments(tmp_path)
    writer_name = segment.name.split(".")[0]
    unlink = Path.unlink

    def cannot_unlink(path: Path, missing_ok: bool = False) -> None:
        if path == segment:
            raise PermissionError(1, "Operation not permitted", str(path))
        unlink(path, missing_ok)

    monkeypatch.setattr(Path, "unlink", cannot_unlink)  # what an immutable file does, which takes root to make
    for hours in range(0, 60, 6):
        with set_clock(hours * 3600):
            assert writer.commit(tmp_path).duplicates == 0  # nothing else to commit: it is written anew all the same
    named = [writer_name in names for names in transactions(tmp_path)]
    assert named.count(True) == 1 + 3  # at 18, 36 and 54 hours
    assert numbers(tmp_path) == [1]


# -- any order --------------------------------------------------------------------------------------------


class Killed(BaseException):
    """The process ends here."""


class Kill:
    """Ends what runs at its n-th change of the file system. An audit hook stays for ever, hence the switch."""

    left = 0

    def __call__(self, event: str, arguments: tuple[object, ...]) -> None:
        if Kill.left and event in ("os.rename", "os.remove", "os.mkdir", "os.utime", "os.link"):
            Kill.left -= 1
            if not Kill.left:
                raise Killed


sys.addaudithook(Kill())


class PilingUp(RuleBasedStateMachine):
    """The model: rows that were written; for each segment in the table the time since then, real time included. It is
    counted from before the commit, so it is never too short."""

    @initialize()
    def begin(self) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.lake = Path(self.folder.name) / "lake"
        self.clock_s = 0.0  # deltalake reads the true clock: for it all of this is young, and no transaction expires
        self._true = time.time_ns, time.time
        self.rows: list[int] = []
        self.in_table: dict[str, float] = {}  # name of a segment to the seconds that have passed since
        self.known = 0
        self.counted_s = time.monotonic()  # up to when real time is counted
        open_folder(self.lake)
        self._set()
        self.long = new_spool(self.lake, segment_bytes=1)

    def _set(self) -> None:
        true_ns, true_s = self._true
        offset = self.clock_s
        time.time_ns = lambda: true_ns() + int(offset * 1e9)
        time.time = lambda: true_s() + offset

    @rule(count=st.integers(1, 5))
    def wrappers_end(self, count: int) -> None:
        for _ in range(count):
            self.rows.append(len(self.rows))
            spooled(self.lake, [row(self.rows[-1])])

    @rule()
    def a_long_wrapper_rolls(self) -> None:
        self.rows.append(len(self.rows))
        assert self.long.write(row(self.rows[-1]))

    @rule(seconds=st.one_of(st.floats(0.1, 8), st.sampled_from([3600.0, 20 * 3600.0, 25 * 3600.0])))
    def time_passes(self, seconds: float) -> None:
        self.clock_s += seconds
        self._set()
        self.in_table = {name: passed + seconds for name, passed in self.in_table.items()}

    @rule(seconds=st.sampled_from([1.0, 10.0, 3600.0]))
    def the_clock_is_set_back(self, seconds: float) -> None:
        self.clock_s -= seconds
        self._set()

    @rule(busy=st.booleans())
    def commit(self, busy: bool) -> None:
        self._act(lambda: writer.commit(self.lake, busy=busy))

    @rule()
    def unlink(self) -> None:
        self._act(lambda: writer.unlink_covered(self.lake))

    @precondition(lambda self: self.rows)
    @rule(at=st.integers(1, 12), busy=st.booleans())
    def a_commit_is_killed(self, at: int, busy: bool) -> None:
        Kill.left = at
        try:
            self._act(lambda: writer.commit(self.lake, busy=busy))
        except Killed:
            pass
        finally:
            Kill.left = 0
        self._look(set())

    def _act(self, act: object) -> None:
        assert callable(act)
        self._count_real_time()
        there = {path.name for path in segments(self.lake)}
        left_before = {name.split(".")[0] for name in self.in_table}
        act()
        self._look(left_before, there)

    def _count_real_time(self) -> float:
        now_s = time.monotonic()
        seconds, self.counted_s = now_s - self.counted_s, now_s
        self.in_table = {name: passed + seconds for name, passed in self.in_table.items()}
        return seconds

    def _look(self, left_before: set[str], there: set[str] | None = None) -> None:
        """What the commits since the last look wrote, and which segments are gone."""
        since_act_s = self._count_real_time()
        logged = transactions(self.lake)
        for path in segments(self.lake):
            if path.name not in self.in_table and self._covered(path.name, logged):
                self.in_table[path.name] = since_act_s
        now = {path.name for path in segments(self.lake)}
        for name in [name for name in self.in_table if name not in now]:
            assert self.in_table.pop(name) >= UNLINK_GRACE_S, name
        if there is not None:
            assert all(self._covered(name, logged) for name in there - now)
            sealed = {name.split(".")[0] for name in there}
            for named in logged[self.known :]:
                assert {writer for writer in named if ":" not in writer} <= sealed | left_before
        self.known = len(logged)

    @staticmethod
    def _covered(name: str, logged: list[dict[str, int]]) -> bool:
        writer, seq, _ = name.split(".")
        return any(named.get(writer, 0) >= int(seq) for named in logged)

    @invariant()
    def every_row_is_there_once(self) -> None:
        if hasattr(self, "lake") and self.rows:
            assert numbers(self.lake) == self.rows

    def teardown(self) -> None:
        if not hasattr(self, "lake"):
            return
        try:
            self.long.close()
            for _ in range(2):  # covered, or renewed; then unlinked
                self._act(lambda: writer.commit(self.lake))
                self.time_passes(UNLINK_GRACE_S + 1)
            self._act(lambda: writer.commit(self.lake))
            assert segments(self.lake) == []
            self.every_row_is_there_once()
        finally:
            time.time_ns, time.time = self._true
            self.folder.cleanup()


TestPilingUp = PilingUp.TestCase
TestPilingUp.settings = settings(
    max_examples=6, stateful_step_count=15, deadline=None, suppress_health_check=list(HealthCheck)
)
