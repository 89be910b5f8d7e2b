"""Moves bytes between two file descriptors as they are, and shows a copy to the tap. Never alters a byte."""

from __future__ import annotations

import os
import select
import time
from collections.abc import Callable

CHUNK_BYTES = 1 << 16  # a pipe's capacity on Linux


def read_chunk(fd: int) -> bytes:
    """The next bytes; b"" at the end, and where the other side is gone. Blocks, also on a non-blocking pipe."""
    while True:
        try:
            return os.read(fd, CHUNK_BYTES)
        except BlockingIOError:  # some clients hand over a non-blocking pipe
            _wait(fd, select.POLLIN)
        except OSError:
            return b""


def write_whole(fd: int, data: bytes) -> bool:
    """Writes all of it. False where the other side is gone."""
    try:
        written = os.write(fd, data)
        if written == len(data):
            return True
    except BlockingIOError:
        written = 0
    except OSError:
        return False
    rest = memoryview(data)[written:]
    while rest:
        try:
            rest = rest[os.write(fd, rest) :]
        except BlockingIOError:
            _wait(fd, select.POLLOUT)
        except OSError:
            return False
    return True


def close(fd: int) -> None:
    """Lets go of a pipe. The numbers of stdin and stdout stay taken: else the next file that is opened gets one,
    and whatever prints writes into it."""
    try:
        if fd > 2:
            os.close(fd)
            return
        null = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
        os.dup2(null, fd, inheritable=False)
        os.close(null)
    except OSError:
        pass


def upstream(source: int, sink: int, noted: Callable[[bytes], None], catch_up: Callable[[], None]) -> bool:
    """Client to server. A chunk is noted, passed on, and parsed only then: the server works meanwhile.

    True where the client came to its end, False where the server reads no more."""
    while chunk := read_chunk(source):
        noted(chunk)
        if not write_whole(sink, chunk):
            return False
        catch_up()
    return True


def rewritten(
    source: int, sink: int, rewrite: Callable[[bytes], bytes], rest: Callable[[], bytes], catch_up: Callable[[], None]
) -> bool:
    """As `upstream`, where frames are rewritten: `rewrite` may hold half a frame back until `rest`."""
    while chunk := read_chunk(source):
        passed = rewrite(chunk)
        if passed and not write_whole(sink, passed):
            return False
        catch_up()
    write_whole(sink, rest())
    return True


def unseen(chunk: bytes) -> None:
    """Shows a chunk to nobody."""


class Downstream:
    """Server to client. A chunk is recorded first: a finished call is on disk before the client knows of it."""

    def __init__(self, source: int, sink: int, seen: Callable[[bytes], None]) -> None:
        self._source = source
        self._sink = sink
        self._seen = seen
        self._listening_since: float | None = time.monotonic()

    def run(self) -> None:
        while chunk := read_chunk(self._source):
            self._listening_since = None
            self._seen(chunk)
            if not write_whole(self._sink, chunk):
                break
            self._listening_since = time.monotonic()
        close(self._source)
        close(self._sink)

    def silent_s(self) -> float:
        """How long nothing has come from the server. 0 while a client that reads slowly is written to."""
        since = self._listening_since
        return 0.0 if since is None else time.monotonic() - since


def _wait(fd: int, event: int) -> None:
    poll = select.poll()
    poll.register(fd, event)
    poll.poll()
