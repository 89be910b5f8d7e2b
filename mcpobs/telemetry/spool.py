"""The durable local sink: one append-only file per process, one write() a row. Never raises into the call path.

A row that was written survives the death of the process at once (it is in the kernel's page cache); it is not
synced to the disk, which would cost 4 ms a call, so it can be lost with the power.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from pathlib import Path
from threading import Lock
from typing import Callable, Mapping

import orjson

from mcpobs.segment import SPOOL_FOLDER, Segment, seal

Row = Mapping[str, str | int | bool | None]

SEGMENT_BYTES = 8 << 20  # about 10,000 rows: a reader checks and loads that in some 50 ms
RETRY_NS = 1_000_000_000


class Spool:
    """Writes rows to `<lake>/spool/<writer>.<seq>.jsonl` and holds that file's lock as long as it lives.

    `loss_row(count, reason)` makes the row that tells a reader how many rows could not be written; it is
    written as soon as writing works again. `rolled` is called after a segment was closed for a new one, `failed`
    when writing begins to fail.
    Thread-safe. After a fork the child opens a segment of its own.
    """

    def __init__(
        self,
        lake: Path,
        loss_row: Callable[[int, str], Row],
        *,
        segment_bytes: int = SEGMENT_BYTES,
        rolled: Callable[[], None] | None = None,
        failed: Callable[[OSError], None] | None = None,
    ) -> None:
        self._folder = lake / SPOOL_FOLDER
        self._loss_row = loss_row
        self._segment_bytes = segment_bytes
        self._rolled = rolled
        self._failed = failed
        self._lock = Lock()
        self._fd = -1
        self._size = 0
        self._segment = Segment("", 0)
        self._pid = 0
        self._retry_at_ns = 0
        self._torn = False
        self.lost = 0
        self.lost_total = 0
        self.last_error: OSError | None = None

    def write(self, row: Row) -> bool:
        """Appends a row. False where it could not be written: it is then counted in `lost`."""
        line = seal(orjson.dumps({key: value for key, value in row.items() if value is not None}))
        with self._lock:
            rolled = False
            try:
                rolled = self._ready(len(line))
                self._append(line)
                if self.lost:
                    self._tell_loss()
            except OSError as error:
                self.lost += 1
                self.lost_total += 1
                self.last_error = error
                if self.lost == 1 and self._failed is not None:
                    self._failed(error)
                return False
        if rolled and self._rolled is not None:
            self._rolled()
        return True

    def close(self) -> None:
        """Releases the segment; the committer may take it from now on."""
        with self._lock:
            if self._fd >= 0 and self._pid == os.getpid():
                if self.lost:
                    try:
                        self._tell_loss()
                    except OSError as error:
                        self.last_error = error
                os.close(self._fd)
            self._fd = -1

    def _ready(self, size: int) -> bool:
        """Makes sure that a segment of this process is open and has room; True where one was rolled."""
        if self._fd >= 0 and self._pid == os.getpid():
            if self._size + size <= self._segment_bytes or self._size == 0:
                return False
            return self._roll()
        now = time.monotonic_ns()
        if self._fd < 0 and now < self._retry_at_ns:
            raise self.last_error or OSError("the spool cannot be opened")
        self._retry_at_ns = now + RETRY_NS
        self._open_first()
        return False

    def _open_first(self) -> None:
        pid = os.getpid()
        if self._fd >= 0:  # forked: the lock belongs to the parent, which still writes to this file
            os.close(self._fd)
            self._fd = -1
            self.lost = self.lost_total = 0
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Sorts by time; the random part keeps two processes of one nanosecond apart.
        writer = f"{time.time_ns() // 1000:014x}-{os.urandom(4).hex()}"
        self._open(Segment(writer, 1))
        self._pid = pid

    def _roll(self) -> bool:
        """Opens the next segment, then leaves this one. Where that fails this one simply grows on."""
        try:
            self._open(Segment(self._segment.writer, self._segment.seq + 1))
        except OSError as error:
            self.last_error = error
            return False
        return True

    def _open(self, segment: Segment) -> None:
        """Opens a segment under its lock. It gets its name only once it is locked, for a committer takes
        any segment that it finds unlocked."""
        draft = self._folder / f".{segment.name}"
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.rename(draft, self._folder / segment.name)
        except OSError:
            os.close(fd)
            raise
        old, self._fd, self._size, self._segment, self._torn = self._fd, fd, 0, segment, False
        if old >= 0:
            os.close(old)

    def _append(self, line: bytes) -> None:
        """Writes a whole line or raises. What a full disk left of a line is cut off again; where even that
        fails, the next line starts with a newline, so that the damage stays with the one that was torn."""
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

    def _tell_loss(self) -> None:
        count, reason = self.lost, type(self.last_error).__name__
        if self.last_error is not None and self.last_error.errno is not None:
            reason = os.strerror(self.last_error.errno)
        row = self._loss_row(count, reason)
        self._append(seal(orjson.dumps({key: value for key, value in row.items() if value is not None})))
        self.lost -= count
