"""Moves bytes between two file descriptors as they are, and shows a copy to the tap. Never alters a byte."""

from __future__ import annotations

import os
import select
from typing import Callable

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
    try:
        os.close(fd)
    except OSError:
        pass


def upstream(source: int, sink: int, noted: Callable[[bytes], None], catch_up: Callable[[], None]) -> None:
    """Client to server. A chunk is noted, passed on, and parsed only then: the server works meanwhile."""
    while chunk := read_chunk(source):
        noted(chunk)
        if not write_whole(sink, chunk):
            break
        catch_up()
    catch_up()
    close(sink)
    close(source)  # where the server does not read any more, the client must see a broken pipe as well


def rewritten(
    source: int, sink: int, rewrite: Callable[[bytes], bytes], rest: Callable[[], bytes], catch_up: Callable[[], None]
) -> None:
    """Client to server where frames are rewritten: `rewrite` may hold half a frame back until `rest`."""
    open_ = True
    while open_ and (chunk := read_chunk(source)):
        passed = rewrite(chunk)
        open_ = not passed or write_whole(sink, passed)
        catch_up()
    if open_:
        write_whole(sink, rest())
    catch_up()
    close(sink)
    close(source)


def unseen(chunk: bytes) -> None:
    """Shows a chunk to nobody."""


def downstream(source: int, sink: int, seen: Callable[[bytes], None]) -> None:
    """Server to client. A chunk is recorded first: a finished call is on disk before the client knows of it."""
    while chunk := read_chunk(source):
        seen(chunk)
        if not write_whole(sink, chunk):
            break
    close(source)
    close(sink)


def _wait(fd: int, event: int) -> None:
    poll = select.poll()
    poll.register(fd, event)
    poll.poll()
