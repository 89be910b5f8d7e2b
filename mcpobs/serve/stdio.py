"""Serves MCP on two file descriptors: a message a line. One thread does all reading and writing.

The descriptors stay blocking, because they may be shared with the client: a write has at most the 4 KiB that `poll`
promises room for. The end of the input ends everything at once, whatever is in progress.
"""

from __future__ import annotations

import os
import select
import time
from contextlib import suppress
from typing import Final

import orjson

from mcpobs.serve.pool import Pool
from mcpobs.serve.protocol import Call, Conversation, Say, Step, Stop

MAX_LINE: Final = 1 << 20
_WRITE = 4096  # POSIX: a pipe that poll calls writable takes that much
_MAX_UNREAD = 16 << 20  # a client that reads nothing is not listened to either
_LAST_S = 1.0  # for the last answers, once the input has ended
_GONE = select.POLLHUP | select.POLLERR | select.POLLNVAL


class Wake:
    """Lets another thread, or a signal, end a `poll`."""

    def __init__(self) -> None:
        self.reader, self._writer = os.pipe()
        os.set_blocking(self.reader, False)
        os.set_blocking(self._writer, False)

    def __call__(self) -> None:
        with suppress(BlockingIOError):  # it is full of wakes already
            os.write(self._writer, b"\0")

    def clear(self) -> None:
        with suppress(BlockingIOError):
            while os.read(self.reader, 4096):
                pass


class Connection:
    """One client, on one pair of descriptors."""

    def __init__(self, conversation: Conversation, pool: Pool, wake: Wake, reader: int, writer: int) -> None:
        self._conversation = conversation
        self._pool = pool
        self._wake = wake
        self._reader = reader
        self._writer = writer
        self._line = bytearray()
        self._too_long = False
        self._unread = bytearray()
        self._ended = False

    def end(self) -> None:
        """Ends `serve`; also from a signal."""
        self._ended = True
        self._wake()

    def serve(self) -> None:
        """Returns when the client is gone or `end` was called."""
        while not self._ended:
            self._wait()
            for call, result in self._pool.take():
                self._do(self._conversation.answered(call, result))
        self._finish()

    def _wait(self) -> None:
        listening = len(self._unread) < _MAX_UNREAD
        poll = select.poll()
        poll.register(self._wake.reader, select.POLLIN)
        poll.register(self._reader, select.POLLIN if listening else 0)
        poll.register(self._writer, select.POLLOUT if self._unread else 0)
        soon_s = 0.0 if self._pool.finished else self._pool.tick()
        events = dict(poll.poll(None if soon_s is None else soon_s * 1000))
        if self._wake.reader in events:
            self._wake.clear()
        if events.get(self._writer, 0) & _GONE:
            self._ended = True
            return
        if events.get(self._writer, 0) & select.POLLOUT:
            self._write()
        if events.get(self._reader, 0):
            self._read(listening)

    def _finish(self) -> None:
        """Writes what was answered already, to a client that still reads: no line ends in its middle."""
        poll = select.poll()
        poll.register(self._writer, select.POLLOUT)
        until_s = time.monotonic() + _LAST_S
        while self._unread and (left_s := until_s - time.monotonic()) > 0:
            events = dict(poll.poll(left_s * 1000))
            if events.get(self._writer, 0) & _GONE:
                return
            if events:
                self._write()

    def _write(self) -> None:
        try:
            written = os.write(self._writer, bytes(self._unread[:_WRITE]))
        except BlockingIOError:
            return
        except OSError:
            self._ended = True
            self._unread.clear()
            return
        del self._unread[:written]

    def _read(self, listening: bool) -> None:
        try:
            chunk = os.read(self._reader, 1 << 16) if listening else b""
        except BlockingIOError:
            return
        except OSError:
            chunk = b""
        if not chunk:
            self._ended = True
            return
        *lines, rest = chunk.split(b"\n")
        for line in lines:
            self._line += line
            self._took_line()
        self._line += rest
        if len(self._line) > MAX_LINE:
            self._too_long = True
            self._line.clear()

    def _took_line(self) -> None:
        if self._too_long or len(self._line) > MAX_LINE:
            self._do(self._conversation.too_long(MAX_LINE))
        else:
            self._do(self._conversation.feed(bytes(self._line)))
        self._too_long = False
        self._line.clear()

    def _do(self, steps: list[Step]) -> None:
        for step in steps:
            match step:
                case Say():
                    self._unread += orjson.dumps(step.message) + b"\n"
                case Call():
                    self._pool.start(step)
                case Stop():
                    self._pool.stop(step.call)
