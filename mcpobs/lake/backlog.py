"""Lists the segments that wait for the committer and decides when one is due. Cheap: imports neither DuckDB nor
deltalake.

The wrapper calls it at exit and when it rolls a segment. It never waits for a lock.
"""

from __future__ import annotations

import fcntl
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from mcpobs import safefile
from mcpobs.errors import LakeError
from mcpobs.segment import SPOOL_FOLDER, SUFFIX, Segment, parse_name

WORTH_BYTES = 4 << 20
WORTH_SEGMENTS = 64
TURN_FILE = "background.lock"
PAUSE_S = 5.0  # between two background committers; starting one takes 0.5 s of a processor
LONG_PAUSE_S = 60.0  # after a committer that failed or had nothing to do


class Store(NamedTuple):
    """A folder of the lake in which writers leave segments, and the suffix of their names."""

    folder: str
    suffix: str

    def path(self, lake: Path, segment: Segment) -> Path:
        return lake / self.folder / f"{segment.writer}.{segment.seq}{self.suffix}"


SPOOL = Store(SPOOL_FOLDER, SUFFIX)
"""Rows, written by the fronts; the committer and readers read them."""

WAL = Store("wal", ".otlp")
"""Requests that the collector acknowledged; only the committer reads them."""


REDACTED = "-redact"
"""Prefix of a log writer's name if its requests must be committed without content, by any process."""


SCRUBBED = "-scrub"
"""Prefix of the name of a log segment whose texts every process must scrub when it commits them."""


EXPANDING = "-expands"
"""Prefix of a log writer's name if its requests grow to many times their size when stored. Commits alternate between
such writers and the others, so the others wait for one batch, not for the whole backlog."""


def is_redacted(segment: Segment) -> bool:
    return segment.writer.endswith(REDACTED)


def is_scrubbed(segment: Segment) -> bool:
    return segment.writer.endswith(SCRUBBED)


def is_expanding(segment: Segment) -> bool:
    return EXPANDING in segment.writer


@dataclass(frozen=True, slots=True)
class Found:
    """A segment of a store. `followed`: its writer has opened a later segment, so this one no longer grows."""

    segment: Segment
    path: Path
    size_bytes: int
    followed: bool


def segments(lake: Path, store: Store = SPOOL) -> list[Found]:
    """Returns the segments of a store, by writer and sequence number."""
    listed: list[tuple[Segment, Path, int]] = []
    try:
        with os.scandir(lake / store.folder) as entries:
            for entry in entries:
                segment = parse_name(entry.name, store.suffix)
                if segment is None:
                    continue
                try:
                    if entry.is_file(follow_symlinks=False):  # a link, a FIFO or a device is not a segment
                        listed.append((segment, Path(entry.path), entry.stat(follow_symlinks=False).st_size))
                except FileNotFoundError:
                    continue  # a committer unlinked it
    except (FileNotFoundError, NotADirectoryError):
        return []
    except OSError as error:
        raise LakeError(
            f"cannot read {lake / store.folder}: {error.strerror}", "check the permissions of the lake's folders"
        ) from None
    listed += _missed(lake, store, {segment for segment, _, _ in listed})
    listed.sort()
    newest: dict[str, int] = {segment.writer: segment.seq for segment, _, _ in listed}
    return [Found(segment, path, size, segment.seq < newest[segment.writer]) for segment, path, size in listed]


def _missed(lake: Path, store: Store, listed: set[Segment]) -> Iterator[tuple[Segment, Path, int]]:
    """Yields segments that exist but were not listed.

    A listing is not atomic: of two files that are created while it runs, it may show only the later one. A committer
    that took the later one would record that its writer is in the table up to there, and the earlier one would be lost.
    A writer creates its segments in order, so each segment before a listed one exists by now or is in the table.
    """
    newest: dict[str, int] = {}
    oldest: dict[str, int] = {}
    for writer, seq in listed:
        newest[writer] = max(seq, newest.get(writer, seq))
        oldest[writer] = min(seq, oldest.get(writer, seq))
    for writer, last in newest.items():
        for seq in range(last - 1, 0, -1):
            segment = Segment(writer, seq)
            if segment in listed:
                continue
            path = store.path(lake, segment)
            try:
                status = path.lstat()
                if not stat.S_ISREG(status.st_mode):
                    raise FileNotFoundError(path)
                size = status.st_size
            except OSError:
                if seq < oldest[writer]:
                    break  # in the table and unlinked, and so are those before it
                continue
            yield segment, path, size


def remove_drafts(lake: Path) -> None:
    """Removes drafts of segments whose writers were killed before the rename. Only a committer calls it.

    A live writer locks its draft at once, so a draft that is a minute old and unlocked is abandoned.
    """
    try:
        with os.scandir(lake / SPOOL.folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and parse_name(entry.name[1:]) and entry.is_file(follow_symlinks=False):
                    age_s = time.time() - entry.stat(follow_symlinks=False).st_mtime
                    if abs(age_s) > safefile.DRAFT_S and unlocked(Path(entry.path)):
                        os.unlink(entry.path)
    except OSError:
        pass  # a draft that stays only takes disk space


def sealed(found: Found) -> bool:
    """Returns True if no process writes to the segment any more: a later segment exists, or its owner has ended."""
    return found.followed or unlocked(found.path)


def unlocked(path: Path) -> bool:
    """Returns True if no process holds the segment's lock, which its writer holds until it ends."""
    try:
        descriptor = safefile.open_own(path, os.O_RDONLY)
    except OSError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except OSError:
        return False
    finally:
        os.close(descriptor)
    return True


def worth_committing(lake: Path) -> bool:
    """Returns True if enough sealed segments wait to make a commit worthwhile. Never raises."""
    try:
        found = segments(lake)
    except LakeError:
        return False
    # The sizes usually decide, without a look at any lock.
    if sum(f.size_bytes for f in found) <= WORTH_BYTES and len(found) <= WORTH_SEGMENTS:
        return False
    waiting = [f for f in found if sealed(f)]
    return sum(f.size_bytes for f in waiting) > WORTH_BYTES or len(waiting) > WORTH_SEGMENTS


class Turn:
    """The right to be the only background committer of a lake, held as the lock of a file. The file's time and content
    record until when the next committer waits, so a wrapper needs one look to see that no committer is due."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def rest(self, pause_s: float = PAUSE_S) -> None:
        """Delays the start of the next background committer by `pause_s`. Call it while working, too: a wrapper that
        ends during that time does not even list the spool. Raises OSError."""
        os.pwrite(self._descriptor, b"%06.1f\n" % pause_s, 0)
        now_ns = time.time_ns()
        os.utime(self._descriptor, ns=(now_ns, now_ns))

    def resting(self) -> bool:
        """Returns whether the last pause still lasts. A clock step larger than the pause ends it."""
        try:
            pause_s = min(float(os.pread(self._descriptor, 16, 0) or b"0"), LONG_PAUSE_S)
        except ValueError:
            pause_s = PAUSE_S  # damaged
        return abs(time.time() - os.fstat(self._descriptor).st_mtime) < pause_s


@contextmanager
def turn(lake: Path) -> Iterator[Turn | None]:
    """Yields the turn of the background committer, or None while another process has it. Raises OSError."""
    with _opened(lake, os.O_RDWR | os.O_CREAT) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield Turn(descriptor)


def committer_due(lake: Path) -> bool:
    """Returns True if the caller should start a background committer: enough segments wait, none runs, and the last
    committer's pause is over. Starts the next pause, so only one of several callers gets True. Never raises."""
    try:
        try:
            with _opened(lake, os.O_RDONLY) as descriptor:
                if Turn(descriptor).resting():
                    return False
        except FileNotFoundError:
            pass  # the lake's first commit
        if not worth_committing(lake):
            return False
        with turn(lake) as mine:
            if mine is None or mine.resting():
                return False
            mine.rest()
            return True
    except OSError:
        return False


@contextmanager
def _opened(lake: Path, flags: int) -> Iterator[int]:
    descriptor = safefile.open_own(lake / TURN_FILE, flags)
    try:
        yield descriptor
    finally:
        os.close(descriptor)
