"""Owns the collector's write-ahead log: OTLP requests as received, durable before they are acknowledged.

A segment is `<lake>/wal/<writer>.<seq>.otlp`. A record is the length and the CRC-32 of a body, 4 bytes each,
little-endian, and the body: an ExportTraceServiceRequest as protobuf. Its writer holds the file's lock.
"""

from __future__ import annotations

import fcntl
import mmap
import os
import time
from collections.abc import Sequence
from pathlib import Path
from struct import Struct
from typing import NamedTuple

from mcpobs import safefile
from mcpobs.lake.backlog import EXPANDING, REDACTED, SCRUBBED, WAL
from mcpobs.lake.delta import sync
from mcpobs.segment import Segment

try:
    from isal.isal_zlib import crc32  # 10 times as fast; part of the extra `collect`
except ImportError:
    from zlib import crc32

_HEAD = Struct("<II")


class Wal:
    """Appends to one segment after another. For one process, and one thread at a time.

    With `redact` any process commits the segments without content, with `scrub` without personal data and secrets:
    their names say so. `expands` is for requests that take many times their size when stored. Raises OSError if the
    folder or the first segment cannot be created.
    """

    def __init__(self, lake: Path, *, redact: bool = False, scrub: bool = False, expands: bool = False) -> None:
        folder = lake / WAL.folder
        safefile.make_own_folder(folder)
        sync(lake)
        self._lake = lake
        kind = (EXPANDING if expands else "") + (REDACTED if redact else SCRUBBED if scrub else "")
        writer = f"{time.time_ns() // 1000:014x}-{os.urandom(4).hex()}{kind}"
        self._segment = Segment(writer, 0)
        self._fd = -1
        self._bytes = 0
        self._open_next()

    @property
    def segment_name(self) -> str:
        """File name of the current or last segment."""
        return self._path.name

    @property
    def segment_bytes(self) -> int:
        """Size of the current segment."""
        return self._bytes

    def append(self, bodies: Sequence[bytes]) -> None:
        """Writes the bodies; they are durable when it returns. Raises OSError if that fails: then none of them is in
        the log, and the next call may try again."""
        if self._fd < 0:
            self._open_next()
        data = encoded(bodies)
        try:
            _write_whole(self._fd, data)
            os.fdatasync(self._fd) if hasattr(os, "fdatasync") else os.fsync(self._fd)
        except OSError:
            self._cut_back()
            raise
        self._bytes += len(data)

    def roll(self) -> None:
        """Ends the segment, so that the committer may take it. Raises OSError; `append` then opens the next one."""
        if self._bytes and self._fd >= 0:
            self._leave()
            self._open_next()

    def close(self) -> None:
        """Ends the last segment; an empty one is removed."""
        if self._fd >= 0:
            if not self._bytes:
                self._path.unlink(missing_ok=True)
            self._leave()

    @property
    def _path(self) -> Path:
        return WAL.path(self._lake, self._segment)

    def _open_next(self) -> None:
        segment = Segment(self._segment.writer, self._segment.seq + 1)
        path = WAL.path(self._lake, segment)
        fd = safefile.open_own(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            sync(path.parent)
        except OSError:
            os.close(fd)
            path.unlink(missing_ok=True)
            raise
        self._fd, self._segment, self._bytes = fd, segment, 0

    def _leave(self) -> None:
        fd, self._fd = self._fd, -1
        os.close(fd)

    def _cut_back(self) -> None:
        """Truncates the bytes that a failed append left. If that fails too, the segment ends here: the rest was not
        acknowledged, so it does not matter whether it is read."""
        try:
            os.ftruncate(self._fd, self._bytes)
            os.fsync(self._fd)
        except OSError:
            self._leave()


def encoded(bodies: Sequence[bytes | memoryview]) -> bytes:
    """Returns bodies as the records of a segment."""
    parts: list[bytes | memoryview] = []
    for body in bodies:
        parts += (_HEAD.pack(len(body), crc32(body)), body)
    return b"".join(parts)


class Bodies(NamedTuple):
    """The content of a segment: the bodies, which keep it mapped, and the number of damaged records."""

    bodies: list[memoryview]
    damaged: int


def read(path: Path) -> Bodies:
    """Returns the complete records of a segment. A torn last record was never acknowledged, so it is not damage.

    The bodies lie in the file's own pages: copies of 16 MiB, in memory that is new to the process, take 10 times as
    long. They are writable, as ctypes requires; a write would reach no other process.
    """
    with os.fdopen(safefile.open_own(path, os.O_RDONLY), "rb") as file:
        size = os.fstat(file.fileno()).st_size
        content = memoryview(mmap.mmap(file.fileno(), size, access=mmap.ACCESS_COPY) if size else b"")
    bodies = []
    at = damaged = 0
    while at + _HEAD.size <= size:
        length, check = _HEAD.unpack_from(content, at)
        at += _HEAD.size
        body = content[at : at + length]
        if len(body) < length:
            break
        if crc32(body) == check:
            bodies.append(body)
        else:
            damaged += 1
        at += length
    return Bodies(bodies, damaged)


def _write_whole(fd: int, data: bytes) -> None:
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(fd, rest) :]
