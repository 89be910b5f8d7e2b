"""Lists the segments that wait for the committer and decides when one is due. Cheap: imports neither DuckDB nor
deltalake.

The wrapper asks it at its end and when it rolls a segment. It never waits for a lock.
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
LONG_PAUSE_S = 60.0  # after one that failed or had nothing to do


class Store(NamedTuple):
    """A folder of the lake in which writers leave segments, and how their names end."""

    folder: str
    suffix: str

    def path(self, lake: Path, segment: Segment) -> Path:
        return lake / self.folder / f"{segment.writer}.{segment.seq}{self.suffix}"


SPOOL = Store(SPOOL_FOLDER, SUFFIX)
"""Rows, as the fronts write them; readers read them too."""

WAL = Store("wal", ".otlp")
"""Requests, as the collector acknowledged them; read by the committer alone."""


REDACTED = "-redact"
"""How a writer of the log is called whose requests are to be committed without content, whoever commits them."""


EXPANDING = "-expands"
"""How a writer of the log is called whose requests take many times their size when they are stored. Such a writer is
committed in turns with the others, which then wait for one batch of it and not for its whole backlog."""


def is_redacted(segment: Segment) -> bool:
    return segment.writer.endswith(REDACTED)


def is_expanding(segment: Segment) -> bool:
    return EXPANDING in segment.writer


@dataclass(frozen=True, slots=True)
class Found:
    """A segment of a store. `followed` is true where its writer has opened a later one: it grows no more."""

    segment: Segment
    path: Path
    size_bytes: int
    followed: bool


def segments(lake: Path, store: Store = SPOOL) -> list[Found]:
    """The segments of a store, by writer and place."""
    listed: list[tuple[Segment, Path, int]] = []
    try:
        with os.scandir(lake / store.folder) as entries:
            for entry in entries:
                segment = parse_name(entry.name, store.suffix)
                if segment is None:
                    continue
                try:
                    if entry.is_file(follow_symlinks=False):  # a link, a FIFO or a device is none of ours
                        listed.append((segment, Path(entry.path), entry.stat(follow_symlinks=False).st_size))
                except FileNotFoundError:
                    continue  # taken away by a committer
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
    """Segments that exist and were not listed.

    A listing is no moment: of two files that are made while it runs it may show the later one alone. A committer
    that took the later one would say that its writer is in the table up to there, and the earlier one was lost.
    A writer makes its segments in order, so each one before a listed one was there by now, or is in the table.
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
    """Removes drafts of segments, whose writers were killed before they had their names. A committer does it.

    A writer that lives has locked its draft at once, hence the minute.
    """
    try:
        with os.scandir(lake / SPOOL.folder) as entries:
            for entry in entries:
                if entry.name.startswith(".") and parse_name(entry.name[1:]) and entry.is_file(follow_symlinks=False):
                    age_s = time.time() - entry.stat(follow_symlinks=False).st_mtime
                    if abs(age_s) > safefile.DRAFT_S and unlocked(Path(entry.path)):
                        os.unlink(entry.path)
    except OSError:
        pass  # what is left costs nothing but its place


def sealed(found: Found) -> bool:
    """True where nobody writes to the segment any more: a later one exists, or its owner is gone."""
    return found.followed or unlocked(found.path)


def unlocked(path: Path) -> bool:
    """True where no process holds the segment's lock, which its writer holds as long as it lives."""
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
    """True where enough sealed segments wait that moving them to Parquet pays. Never raises."""
    try:
        found = segments(lake)
    except LakeError:
        return False
    # The sizes decide most of the time, before any lock is looked at.
    if sum(f.size_bytes for f in found) <= WORTH_BYTES and len(found) <= WORTH_SEGMENTS:
        return False
    waiting = [f for f in found if sealed(f)]
    return sum(f.size_bytes for f in waiting) > WORTH_BYTES or len(waiting) > WORTH_SEGMENTS


class Turn:
    """The right to be the only background committer of a lake. Held as the lock of a file; that file's time and
    content say until when the next one has to wait, so that a wrapper needs one look to see that none is due."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def rest(self, pause_s: float = PAUSE_S) -> None:
        """Keeps the next background committer from being started for so long. Call it while working, too: a wrapper
        that ends then does not even list the spool. Raises OSError."""
        os.pwrite(self._descriptor, b"%06.1f\n" % pause_s, 0)
        now_ns = time.time_ns()
        os.utime(self._descriptor, ns=(now_ns, now_ns))

    def resting(self) -> bool:
        """Whether the last pause is not over yet. A clock that steps by more than the pause ends it."""
        try:
            pause_s = min(float(os.pread(self._descriptor, 16, 0) or b"0"), LONG_PAUSE_S)
        except ValueError:
            pause_s = PAUSE_S  # damaged
        return abs(time.time() - os.fstat(self._descriptor).st_mtime) < pause_s


@contextmanager
def turn(lake: Path) -> Iterator[Turn | None]:
    """The turn of the background committer; None while another process has it. Raises OSError."""
    with _opened(lake, os.O_RDWR | os.O_CREAT) as descriptor:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield None
        else:
            yield Turn(descriptor)


def committer_due(lake: Path) -> bool:
    """True if the caller is to start a background committer: enough waits, none runs, and the last one's pause is
    over. Then the next pause has begun, so that of several callers one is answered True. Never raises."""
    try:
        try:
            with _opened(lake, os.O_RDONLY) as descriptor:
                if Turn(descriptor).resting():
                    return False
        except FileNotFoundError:
            pass  # the lake's first one
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
