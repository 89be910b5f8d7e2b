"""Owns the durable local sink: one append-only file per process, one write() per row. Never raises into the call path.

A written row immediately survives the death of the process (it is in the kernel's page cache); it is not synced to
disk, which would cost 4 ms a call, so a power failure can lose it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from threading import Lock

import orjson

from mcpobs import safefile
from mcpobs.segment import BARE, SPOOL_FOLDER, LinePrefix, Segment, seal

Row = Mapping[str, str | int | bool | None]
LossRow = Callable[[int, str], Row]

SEGMENT_BYTES = 8 << 20  # about 10,000 rows: a reader checks and loads that in about 50 ms
RETRY_NS = 1_000_000_000
LOOK_NS = 100_000_000  # between two checks that the segment still has a name: fstat costs as much as half a row


class Spool:
    """Writes rows to `<lake>/spool/<writer>.<seq>.jsonl` and holds that file's lock as long as it lives.

    `loss_row(count, reason)` makes the row that reports how many rows could not be written; it is written as soon as
    writing works again. `rolled` is called after a segment was closed for a new one, `failed` on the first failed
    write. Thread-safe. After a fork the child opens its own segment. If the lake is removed meanwhile, the spool
    creates it again.
    """

    def __init__(
        self,
        lake: Path,
        loss_row: LossRow,
        *,
        segment_bytes: int = SEGMENT_BYTES,
        retry_ns: int = RETRY_NS,
        rolled: Callable[[], None] | None = None,
        failed: Callable[[OSError], None] | None = None,
    ) -> None:
        self._lake = lake
        self._loss_row = loss_row
        self._segment_bytes = segment_bytes
        self._retry_ns = retry_ns
        self._rolled = rolled
        self._failed = failed
        self._lock = Lock()
        self._fd = -1
        self._size = 0
        self._segment = Segment("", 0)
        self._retry_at_ns = 0
        self._look_at_ns = 0
        self._torn = False
        self.lost = 0
        self.lost_total = 0
        self.reason = ""  # of the last loss
        self._errno: int | None = None
        os.register_at_fork(after_in_child=_Forked(self))

    def write(self, row: Row, prefix: LinePrefix = BARE) -> bool:
        """Appends a row; `prefix` holds the columns that it shares with other rows and does not have itself.

        Returns False if it could not be written: it is then counted in `lost`."""
        with self._lock:
            rolled = False
            try:
                line = seal(orjson.dumps(row), prefix)
                size = self._size + len(line)
                if self._fd < 0 or size > self._segment_bytes or time.monotonic_ns() >= self._look_at_ns:
                    rolled = self._ready(len(line))
                self._append(line)
            except (OSError, TypeError) as error:  # TypeError: a value that JSON cannot hold
                self._lose(error)
                return False
            if self.lost:
                self._write_loss()
        if rolled and self._rolled is not None:
            self._rolled()
        return True

    def close(self) -> None:
        """Releases the segment; from now on the committer may take it."""
        with self._lock:
            if self.lost:
                self._retry_at_ns = 0
                self._write_loss()
            self._leave()

    def _lose(self, error: OSError | TypeError) -> None:
        self.lost += 1
        self.lost_total += 1
        self._errno = error.errno if isinstance(error, OSError) else None
        self.reason = os.strerror(self._errno) if self._errno is not None else type(error).__name__
        if self.lost_total == 1 and self._failed is not None and isinstance(error, OSError):
            self._failed(error)

    def _ready(self, size: int) -> bool:
        """Ensures that a segment is open, has a name and has room; returns True if one was rolled."""
        now = time.monotonic_ns()
        if self._fd >= 0 and now >= self._look_at_ns:
            self._look_at_ns = now + LOOK_NS
            if os.fstat(self._fd).st_nlink == 0:
                self._leave()
                self._retry_at_ns = 0
        if self._fd >= 0:
            if self._size + size <= self._segment_bytes or self._size == 0 or now < self._retry_at_ns:
                return False
            self._retry_at_ns = now + self._retry_ns
            return self._roll()
        if now < self._retry_at_ns:
            raise OSError(self._errno, self.reason)
        self._retry_at_ns = now + self._retry_ns
        self._open_first()
        self._retry_at_ns = 0
        return False

    def _open_first(self) -> None:
        safefile.make_folder(self._lake)
        safefile.make_own_folder(self._lake / SPOOL_FOLDER)
        # Sorts by time; the random part distinguishes two processes of one microsecond.
        self._open(Segment(f"{time.time_ns() // 1000:014x}-{os.urandom(4).hex()}", 1))

    def _roll(self) -> bool:
        """Opens the next segment, then leaves this one. If that fails, this one keeps growing."""
        try:
            self._open(Segment(self._segment.writer, self._segment.seq + 1))
        except OSError:
            return False
        self._retry_at_ns = 0
        return True

    def _open(self, segment: Segment) -> None:
        """Opens a segment under its lock. It gets its name only after it is locked, because a committer takes any
        unlocked segment."""
        path = self._lake / SPOOL_FOLDER / segment.name
        draft = path.with_name(f".{segment.name}")
        fd = safefile.open_own(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(draft, path)
        except OSError:
            os.close(fd)
            draft.unlink(missing_ok=True)
            raise
        self._leave()
        self._fd, self._size, self._segment, self._torn = fd, 0, segment, False

    def _leave(self) -> None:
        fd, self._fd = self._fd, -1
        if fd >= 0:
            with suppress(OSError):  # a network file system may report only now that it is full
                os.close(fd)

    def _append(self, line: bytes) -> None:
        """Writes a whole line or raises. Truncates a partial line that a full disk left; if that fails too, the next
        line starts with a newline, so that only the torn line is damaged."""
        if self._torn:
            line = b"\n" + line
        written = os.write(self._fd, line)
        if written == len(line):
            self._size += written
            self._torn = False
            return
        try:
            os.ftruncate(self._fd, self._size)
        except OSError:
            self._size += written
            self._torn = True
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _write_loss(self) -> None:
        """Writes the number of missing rows. If that fails they stay counted for the next time."""
        try:
            line = seal(orjson.dumps(self._loss_row(self.lost, self.reason)))
            self._ready(len(line))
            self._append(line)
        except (OSError, TypeError):
            return
        self.lost = 0

    def _start_anew(self) -> None:
        """Resets the spool in a forked child: file and lock belong to the parent, which may have been writing in
        another thread."""
        self._lock = Lock()
        self._leave()
        self._retry_at_ns = 0
        self.lost = self.lost_total = 0


class _Forked:
    """Notifies a spool of a fork while the spool lives; a fork hook cannot be removed."""

    def __init__(self, spool: Spool) -> None:
        self._spool = weakref.ref(spool)

    def __call__(self) -> None:
        spool = self._spool()
        if spool is not None:
            spool._start_anew()
