"""The relay of a stdio wrapper that enforces: frames wait for their decisions, and others go on meanwhile.

One thread serves both directions with `poll`, as `relay` does without a judge. A decision that comes from another
thread wakes it through a pipe of its own. Fails closed: if something of ours breaks, the frame does not pass.
"""

from __future__ import annotations

import os
import select
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

from mcpobs.gate.frames import FrameGate, Held, Outgoing
from mcpobs.gate.gate import Gate
from mcpobs.protocol import frames
from mcpobs.protocol.call import Call
from mcpobs.protocol.decode import MAX_BYTES
from mcpobs.protocol.lifecycle import now
from mcpobs.protocol.lines import MAX_FRAME_BYTES, Line, WholeLines
from mcpobs.protocol.operation import Sender, TraceContext
from mcpobs.proxy.relay import CHUNK_BYTES, Sink, close
from mcpobs.proxy.waits import Waits
from mcpobs.stderr import Faults

MAX_HELD_BYTES = 64 << 20
MAX_HELD = 4_096
MAX_INJECTED_BYTES = 1 << 20
"""How much may wait to be written or decided before nothing more is read from the side that caused it."""
INTERNAL_ERROR = -32603

Prepare = Callable[[bytes], tuple[TraceContext | None, Callable[[bytes], bytes]]]
"""Settles the span of a client's frame (`--propagate`), and puts it into what goes on."""


def _as_it_is(onward: bytes) -> bytes:
    return onward


def unchanged(frame: bytes) -> tuple[TraceContext | None, Callable[[bytes], bytes]]:
    return None, _as_it_is


class _Direction:
    """One direction: its source, its sink, and the frames between the two that wait for a decision."""

    def __init__(self, sender: Sender, source: int, sink: int, max_bytes: int) -> None:
        self.sender: Sender = sender
        self.source = source
        self.sink = Sink(sink)
        self.lines = WholeLines(max_bytes)
        self.held: list[tuple[Held, Line, Callable[[bytes], bytes]]] = []
        self.held_bytes = 0
        self.queue: list[bytes] = []  # to be written in one go
        self.injected_bytes = 0  # answers that wait in the sink, beside what the source sent
        self.at_end = False
        self.ended = threading.Event()
        self.listening_since: float | None = time.monotonic()

    @property
    def reads(self) -> bool:
        """Whether more may be read: not while its sink, or too many of its frames, wait."""
        full = self.held_bytes > MAX_HELD_BYTES or len(self.held) > MAX_HELD
        return not (self.at_end or full or self.sink.pending)

    @property
    def is_idle(self) -> bool:
        """Whether the pipe waits only for the next frame."""
        return not (self.held or self.sink.pending or self.at_end or self.sink.gone)

    @property
    def has_reader(self) -> bool:
        """Whether some process still reads what is passed on."""
        return not self.ended.is_set() and not self.at_end and self.sink.has_reader

    def silent_s(self) -> float:
        """How long nothing has come from the source. 0 while something waits to be decided or written."""
        since = self.listening_since
        return 0.0 if since is None or self.held or self.sink.pending else time.monotonic() - since

    def flush(self) -> None:
        """Writes what is queued and what waits, as far as there is room."""
        sink, queue = self.sink, self.queue
        if queue and not sink.gone:
            sink.write(b"".join((sink.pending, *queue)))
        queue.clear()
        if not sink.pending:
            self.injected_bytes = 0

    def finish(self) -> None:
        """Closes both ends once nothing is left to write, or the sink is gone."""
        over = self.sink.gone or (self.at_end and not self.held and not self.sink.pending)
        if over and not self.ended.is_set():
            self.held.clear()
            close(self.source)
            close(self.sink.fd)
            self.ended.set()


def _poll(wanted: list[tuple[int, int]]) -> select.poll:
    poll = select.poll()
    for fd, events in wanted:
        poll.register(fd, events)
    return poll


class FramedRelay:
    """Both directions of one wrapped server, with a judge between them."""

    def __init__(
        self,
        up: tuple[int, int],
        down: tuple[int, int],
        gate: Gate,
        frame_gate: FrameGate,
        faults: Faults,
        prepare: Prepare = unchanged,
    ) -> None:
        self.up = _Direction("client", *up, MAX_BYTES)
        self.down = _Direction("server", *down, MAX_FRAME_BYTES)
        self._both = (self.up, self.down), (self.down, self.up)
        self._gate = gate
        self._frames = frame_gate
        self._faults = faults
        self._prepare = prepare
        self._lock = threading.Lock()  # for `close`, which the main thread calls
        self._waits = Waits(frame_gate.conversation, gate, faults, self._lock)
        self._closed = False
        self._wake_read, self._wake_write = os.pipe()
        os.set_blocking(self._wake_read, False)
        os.set_blocking(self._wake_write, False)

    def run(self) -> None:
        """Serves both directions until they have ended. Blocks."""
        poll, polled = select.poll(), list[tuple[int, int]]()
        both_idle = False
        while not (self.up.ended.is_set() and self.down.ended.is_set()):
            were_idle, both_idle = both_idle, self.up.is_idle and self.down.is_idle
            if not (were_idle and both_idle):  # else it waits for the same as before
                wanted = self._wanted()
                if wanted != polled:
                    poll, polled = _poll(wanted), wanted
            ready = {fd for fd, _ in poll.poll(self._waits.ms())}
            if self._wake_read in ready:
                self._drain_wake()
            for direction, other in self._both:
                if not direction.ended.is_set():
                    self._serve(direction, other, ready)
            for direction in (self.up, self.down):
                if direction.queue or direction.sink.pending:
                    direction.flush()
                if direction.at_end or direction.sink.gone:
                    direction.finish()
            if self._frames.passed:
                self._catch_up()

    def _catch_up(self) -> None:
        try:
            with self._lock:
                self._frames.catch_up()
        except Exception as error:
            self._faults.report(error)

    def close(self, error_type: str, extra: Mapping[str, str | int], text: str | None = None) -> None:
        """Records what is still in flight as unfinished, for the reason that `text` says. Nothing passes after that."""
        with self._lock:
            self._closed = True
            self._frames.close(now(), error_type, lambda call: self._record(call, extra), text)

    def _wanted(self) -> list[tuple[int, int]]:
        """What to wait for: file descriptors and their events."""
        wanted = [(self._wake_read, select.POLLIN)]
        for direction, other in self._both:
            if direction.ended.is_set():
                continue
            if direction.sink.pending:
                wanted.append((direction.sink.fd, select.POLLOUT))
            if direction.reads and other.injected_bytes <= MAX_INJECTED_BYTES:
                wanted.append((direction.source, select.POLLIN))
        return wanted

    def _serve(self, direction: _Direction, other: _Direction, ready: set[int]) -> None:
        if direction.sink.pending and direction.sink.fd in ready:
            direction.sink.flush()
        if direction.source in ready and direction.reads:
            self._read(direction, other)
        if not direction.held:
            return
        with self._lock:
            for waiting in [waiting for waiting in direction.held if waiting[0].ready]:
                direction.held.remove(waiting)
                direction.held_bytes -= len(waiting[1].content)
                self._release(direction, other, *waiting)

    def _read(self, direction: _Direction, other: _Direction) -> None:
        try:
            chunk = os.read(direction.source, CHUNK_BYTES)
        except BlockingIOError:  # some clients hand over a non-blocking pipe
            return
        except OSError:
            chunk = b""
        direction.listening_since = None
        lines = direction.lines.feed(chunk) if chunk else direction.lines.rest()
        with self._lock:
            for line in lines:
                self._take(direction, other, line)
        direction.at_end = not chunk
        direction.listening_since = time.monotonic()

    def _take(self, direction: _Direction, other: _Direction, line: Line) -> None:
        if self._closed:
            return
        if not line.content.strip(b" \t\r"):
            direction.queue.append(line.content + line.end)
            return
        try:
            span, put_in = self._prepare(line.content) if direction.sender == "client" else unchanged(line.content)
            held = self._frames.take(direction.sender, line.content, now(), self._record, span)
        except Exception as error:
            self._broke(direction, other, line, error)
            return
        if held.ready:
            self._release(direction, other, held, line, put_in)
            return
        direction.held.append((held, line, put_in))
        direction.held_bytes += len(line.content)
        held.when_ready(self._wake)

    def _release(
        self, direction: _Direction, other: _Direction, held: Held, line: Line, put_in: Callable[[bytes], bytes]
    ) -> None:
        if self._closed:
            return
        try:
            outgoing = held.release()
            onward = None if outgoing.onward is None else put_in(outgoing.onward)
        except Exception as error:
            self._broke(direction, other, line, error)
            return
        self._pass_on(direction, other, line, Outgoing(onward, outgoing.back))

    def _broke(self, direction: _Direction, other: _Direction, line: Line, error: Exception) -> None:
        """Our fault: the frame does not pass, and its sender learns that."""
        self._faults.report(error)
        answer = frames.response(
            frames.sole_id(line.content), error={"code": INTERNAL_ERROR, "message": "refused: internal error"}
        )
        self._pass_on(direction, other, line, Outgoing(back=answer))

    def _pass_on(self, direction: _Direction, other: _Direction, line: Line, outgoing: Outgoing) -> None:
        if outgoing.onward is not None:
            direction.queue.append(outgoing.onward + line.end)
        if outgoing.back is not None and not other.ended.is_set():
            other.injected_bytes += len(outgoing.back)
            other.queue.append(outgoing.back + b"\n")

    def _record(self, call: Call, extra: Mapping[str, str | int] | None = None) -> None:
        try:
            self._gate.record(call, extra)
        except Exception as error:
            self._faults.report(error)

    def _wake(self) -> None:
        with suppress(OSError):  # full: the relay wakes anyway
            os.write(self._wake_write, b"\0")

    def _drain_wake(self) -> None:
        with suppress(BlockingIOError):
            os.read(self._wake_read, CHUNK_BYTES)
