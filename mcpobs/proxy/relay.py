"""Moves bytes between the client and the server as they are, and shows a copy to the tap. Never alters a byte.

One thread serves both directions: with a thread for each, the interpreter's lock is handed over twice a call, and
that costs more than the parsing.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable

CHUNK_BYTES = 1 << 16  # a pipe's capacity on Linux


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


def unseen(chunk: bytes) -> bytes:
    """Shows a chunk to nobody."""
    return chunk


def nothing() -> None:
    pass


def no_rest() -> bytes:
    return b""


class Way:
    """One direction. A chunk from `source` goes through `show`, which gives what is to be written to `sink`; then
    `after` is called. `rest` gives what is left to write at the end of `source`.

    What the sink does not take yet is kept, and nothing is read before it is gone: a slow reader slows its writer
    down, as a pipe between the two would. Both ends are let go of when either is gone.
    """

    def __init__(
        self,
        source: int,
        sink: int,
        show: Callable[[bytes], bytes] = unseen,
        after: Callable[[], None] = nothing,
        rest: Callable[[], bytes] = no_rest,
    ) -> None:
        self.source = source
        self.sink = sink
        self.at_end = False  # the source has come to its end; stays False where the sink was gone before
        self.ended = threading.Event()
        self._show = show
        self._after = after
        self._rest = rest
        self._pending: bytes | memoryview = b""
        self._room = select.poll()
        self._room.register(sink, select.POLLOUT)
        self._listening_since: float | None = time.monotonic()

    @property
    def waits_for(self) -> tuple[int, int]:
        """The file descriptor and the event that the way goes on with."""
        return (self.sink, select.POLLOUT) if self._pending else (self.source, select.POLLIN)

    def silent_s(self) -> float:
        """How long nothing has come from the source. 0 while a sink that reads slowly is written to."""
        since = self._listening_since
        return 0.0 if since is None else time.monotonic() - since

    def go_on(self) -> bool:
        """Takes the step that `waits_for` is ready for. True where it now waits for something else."""
        if self._pending:
            return self._write(self._pending)
        try:
            chunk = os.read(self.source, CHUNK_BYTES)
        except BlockingIOError:  # some clients hand over a non-blocking pipe
            return False
        except OSError:
            chunk = b""
        self._listening_since = None
        if not chunk:
            self.at_end = True
            self._write(self._rest())
            return True
        changed = self._write(self._show(chunk))
        self._after()
        return changed

    def _write(self, data: bytes | memoryview) -> bool:
        """A descriptor that we share must not be made non-blocking, and a write to a blocking one returns only when
        all is written. So a write has at most what poll(2) promises room for."""
        waited = bool(self._pending)
        try:
            while data and self._room.poll(0):
                if len(data) <= select.PIPE_BUF:
                    written = os.write(self.sink, data)
                else:
                    data = memoryview(data)
                    written = os.write(self.sink, data[: select.PIPE_BUF])
                data = data[written:]
        except BlockingIOError:  # the room went to another writer
            pass
        except OSError:
            self._end()
            return True
        self._pending = data
        if data:
            return not waited
        if self.at_end:
            self._end()
            return True
        self._listening_since = time.monotonic()
        return waited

    def _end(self) -> None:
        self._pending = b""
        close(self.source)
        close(self.sink)
        self.ended.set()


def run(*ways: Way) -> None:
    """Serves the ways until all have ended. Blocks."""
    poll = select.poll()
    by_fd: dict[int, Way] = {}

    def watch(way: Way) -> None:
        fd, event = way.waits_for
        by_fd[fd] = way
        poll.register(fd, event)

    for way in ways:
        watch(way)
    while by_fd:
        for fd, _ in poll.poll():  # also where an end is gone: the read or the write will tell
            way = by_fd[fd]
            if way.go_on():
                del by_fd[fd]
                poll.unregister(fd)
                if not way.ended.is_set():
                    watch(way)
