"""Moves bytes between the client and the server as they are, and shows a copy to the tap. Never alters a byte.

One thread serves both directions: two threads hand the interpreter's lock over twice a call, which costs more than
the parsing.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable
from typing import Protocol

CHUNK_BYTES = 1 << 16  # a pipe's capacity on Linux


def close(fd: int) -> None:
    """Closes an end of a pipe. The numbers of stdin and stdout stay taken: otherwise the next file that is opened gets
    one, and whatever prints writes into it."""
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


def for_ever() -> float | None:
    """Waits for either side without a limit."""
    return None


class Sink:
    """The end of a direction that is written to. What it does not take yet is kept in `pending`."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.pending: bytes | memoryview = b""
        self.gone = False
        self._room = select.poll()
        self._room.register(fd, select.POLLOUT)

    def write(self, data: bytes | memoryview) -> None:
        """Writes as much as there is room for, and keeps the rest. Only for a sink without `pending`; `flush` goes on.

        A descriptor that we share must not be made non-blocking, and a write to a blocking one returns only when all
        is written. So a write has at most what poll(2) promises room for."""
        try:
            while data and self._room.poll(0):
                if len(data) <= select.PIPE_BUF:
                    written = os.write(self.fd, data)
                else:
                    data = memoryview(data)
                    written = os.write(self.fd, data[: select.PIPE_BUF])
                data = data[written:]
        except BlockingIOError:  # the room went to another writer
            pass
        except OSError:
            self.gone, data = True, b""
        self.pending = data

    @property
    def has_reader(self) -> bool:
        """Whether the other end of the pipe is open somewhere. For any thread."""
        ends = select.poll()
        ends.register(self.fd, 0)
        return not ends.poll(0)

    def flush(self) -> None:
        self.write(self.pending)


class Pipe:
    """One direction. A chunk from `source` goes through `show`, which gives what is to be written to `sink`; then
    `after` is called. `rest` gives what is left to write at the end of `source`.

    Nothing is read before the sink has taken what was read last: a slow reader slows its writer down, as a pipe between
    the two would. Both ends are closed when either is gone.
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
        self.at_end = False  # the source has come to its end; stays False if the sink was gone before
        self.ended = threading.Event()
        self._sink = Sink(sink)
        self._show = show
        self._after = after
        self._rest = rest
        self._listening_since: float | None = time.monotonic()

    @property
    def waits_for(self) -> tuple[int, int]:
        """The file descriptor and the event that the pipe goes on with."""
        return (self._sink.fd, select.POLLOUT) if self._sink.pending else (self.source, select.POLLIN)

    @property
    def has_reader(self) -> bool:
        """Whether some process still reads what the pipe writes: a server that went on in the background."""
        return not self.ended.is_set() and not self.at_end and self._sink.has_reader

    def silent_s(self) -> float:
        """How long nothing has come from the source. 0 while a sink that reads slowly is written to."""
        since = self._listening_since
        return 0.0 if since is None else time.monotonic() - since

    def go_on(self) -> bool:
        """Takes the step that `waits_for` is ready for. True if it now waits for something else."""
        if self._sink.pending:
            return self._write(self._sink.pending)
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
        sink = self._sink
        waited = bool(sink.pending)
        sink.write(data)
        if sink.gone:
            self._end()
            return True
        if sink.pending:
            return not waited
        if self.at_end:
            self._end()
            return True
        self._listening_since = time.monotonic()
        return waited

    def _end(self) -> None:
        close(self.source)
        close(self._sink.fd)
        self.ended.set()


class Direction(Protocol):
    """What the front asks of either direction of a relay."""

    at_end: bool
    """The source has come to its end."""
    ended: threading.Event
    """Nothing is left to write, or nobody to write to."""

    @property
    def has_reader(self) -> bool:
        """Whether some process still reads what is passed on."""

    def silent_s(self) -> float:
        """How long nothing has come from the source."""


class Relay:
    """Both directions of one wrapped server, whose bytes pass as they are. `wait_ms` is that of `run`."""

    def __init__(self, up: Pipe, down: Pipe, wait_ms: Callable[[], float | None] = for_ever) -> None:
        self.up = up
        self.down = down
        self._wait_ms = wait_ms

    def run(self) -> None:
        run(self.up, self.down, wait_ms=self._wait_ms)


def run(*pipes: Pipe, wait_ms: Callable[[], float | None] = for_ever) -> None:
    """Serves the pipes until all have ended. Blocks. Calls `wait_ms` before it waits for either side, and waits no
    longer than that says."""
    poll = select.poll()
    by_fd: dict[int, Pipe] = {}

    def watch(pipe: Pipe) -> None:
        fd, event = pipe.waits_for
        by_fd[fd] = pipe
        poll.register(fd, event)

    for pipe in pipes:
        watch(pipe)
    while by_fd:
        for fd, _ in poll.poll(wait_ms()):  # also if an end is gone: the read or the write says so
            pipe = by_fd[fd]
            if pipe.go_on():
                del by_fd[fd]
                poll.unregister(fd)
                if not pipe.ended.is_set():
                    watch(pipe)
