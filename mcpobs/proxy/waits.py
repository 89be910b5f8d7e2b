"""Looks after the calls that wait on one stdio connection, between two waits of its relay."""

from __future__ import annotations

import time
from threading import Lock
from typing import Final

from mcpobs.gate.gate import Gate
from mcpobs.gate.waiting import LOOK_S, Waiting
from mcpobs.protocol.conversation import Conversation
from mcpobs.stderr import Faults

_LOOK_NS: Final = int(LOOK_S * 1e9)
_LOOK_MS: Final = LOOK_S * 1e3


class Waits:
    """The pending lines of one connection. Takes the lock of those who feed the conversation, once a look."""

    def __init__(self, conversation: Conversation, gate: Gate, faults: Faults, lock: Lock) -> None:
        self._conversation = conversation
        self._waiting = Waiting(gate.record_pending, faults.report)
        self._lock = lock
        self._look_ns = 0

    def ms(self) -> float | None:
        """Records the calls that have waited for long. Returns how long a relay may wait for either side before it asks
        again; None if nothing is open. Between two looks it costs a flag and a clock."""
        if not self._conversation.in_flight:
            return None
        now_ns = time.monotonic_ns()
        if now_ns >= self._look_ns:
            self._look_ns = now_ns + _LOOK_NS
            with self._lock:
                self._waiting.look(self._conversation.open_calls(), now_ns)
        return _LOOK_MS
