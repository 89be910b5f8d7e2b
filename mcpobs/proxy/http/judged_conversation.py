"""What a front that enforces keeps of a conversation: its gate, its standing stream, and what became of its events."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from hashlib import blake2b

from mcpobs.gate.frames import FrameGate, Outgoing
from mcpobs.gate.gate import Gate
from mcpobs.protocol import frames
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.sse import Event

MAX_EVENTS = 1_024  # of one conversation
MAX_KEPT_BYTES = 4 << 10  # of a message that was put in an event's place
_SAME, _UNKNOWN = b"", b"?"  # what became of an event: no message is either
_NOT_KEPT = "mcpobs: the answer was replaced, and is too large to be sent again"


class JudgedConversation:
    """One object a conversation. `inject` writes a message into its standing stream, while there is one."""

    def __init__(self, gate: Gate, conversation: Conversation) -> None:
        self.frame_gate = FrameGate(gate, conversation)
        self.inject: Callable[[bytes], Awaitable[None]] | None = None
        self._decided: dict[bytes, bytes | None] = {}

    def decided(self, event: Event) -> Outgoing | None:
        """What became of an event that came before; None for a new one."""
        onward = self._decided.get(_digest(event), _UNKNOWN)
        if onward is _UNKNOWN:
            return None
        return Outgoing(event.data if onward == _SAME else onward)

    def decide(self, event: Event, outgoing: Outgoing) -> None:
        """Keeps what became of an event, for a client that resumes the stream and gets it again: the call that it
        ended is over, so it cannot be judged again."""
        onward = outgoing.onward
        if onward is not None and onward != event.data and len(onward) > MAX_KEPT_BYTES:
            error = {"code": frames.INVALID_REQUEST, "message": _NOT_KEPT}
            onward = frames.response(frames.id_of(onward), error=error)
        if len(self._decided) >= MAX_EVENTS:
            del self._decided[next(iter(self._decided))]
        self._decided[_digest(event)] = _SAME if onward == event.data else onward


def _digest(event: Event) -> bytes:
    return blake2b(b"%b\0%b" % ((event.id or "").encode(), event.data), digest_size=16).digest()
