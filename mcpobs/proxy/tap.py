"""Reads along on a stdio connection that nobody judges: bytes → frames → calls → rows. Never raises, never writes to
the wire.

A chunk from the client is noted before it is passed on and parsed after that, while the server works. `close` runs in
another thread than the relay, so both take a lock; it is never held while a pipe is read or written.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from threading import Lock

from mcpobs.gate.gate import Gate
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.lifecycle import now
from mcpobs.protocol.lines import Lines
from mcpobs.protocol.operation import Sender, Stamp, TraceContext
from mcpobs.proxy.waits import Waits
from mcpobs.stderr import Faults


class Tap:
    """Both directions of one stdio connection."""

    def __init__(self, conversation: Conversation, gate: Gate, faults: Faults) -> None:
        self._conversation = conversation
        self._gate = gate
        self._faults = faults
        self._noted: deque[tuple[bytes, Stamp, TraceContext | None]] = deque()
        self._lines: dict[Sender, Lines] = {"client": Lines(), "server": Lines(skips_marks=True)}
        self._lock = Lock()
        self.waits = Waits(conversation, gate, faults, self._lock)

    def note(self, chunk: bytes, span: TraceContext | None = None) -> bytes:
        """Keeps a chunk from the client for `catch_up`, and returns it. Must be called before the chunk is passed on.

        With `span` the chunk is one whole frame, whose operation gets that span's ids."""
        self._noted.append((chunk, now(), span))
        return chunk

    def catch_up(self) -> None:
        """Parses the chunks that were noted."""
        with self._lock:
            self._parse_noted()

    def seen(self, chunk: bytes) -> bytes:
        """Parses a chunk from the server, and returns it; the calls that it ends are recorded by then."""
        stamp = now()
        with self._lock:
            self._parse_noted()
            self._parse("server", chunk, stamp)
        return chunk

    def close(self, error_type: str, extra: Mapping[str, str | int], text: str | None = None) -> None:
        """Records what is still in flight as unfinished, for the reason that `text` says."""
        with self._lock:
            self._parse_noted()
            for call in self._conversation.close(now(), error_type, text):
                try:
                    self._gate.record(call, extra)
                except Exception as error:
                    self._faults.report(error)

    def _parse_noted(self) -> None:
        while self._noted:
            chunk, stamp, span = self._noted.popleft()
            self._parse("client", chunk, stamp, span)

    def _parse(self, sender: Sender, chunk: bytes, stamp: Stamp, span: TraceContext | None = None) -> None:
        for frame in self._lines[sender].feed(chunk):
            try:
                ended = self._conversation.feed(sender, frame, stamp, span)
            except Exception as error:  # our fault: the call goes on
                self._faults.report(error)
                continue
            for call in ended:
                try:
                    self._gate.record(call)
                except Exception as error:
                    self._faults.report(error)
