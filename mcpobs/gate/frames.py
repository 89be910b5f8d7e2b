"""Takes the frames of one connection through the gate, for a front on the wire that enforces. Does no I/O.

A front gives each whole frame to `take` in the order in which it came, and gets a `Held`. When that is ready it calls
`release`, in its own thread, and writes what that returns: `onward` to the frame's receiver, `back` to its sender. Rows
are written by `release`, so before the bytes are.

The bytes of a frame that goes on unchanged are those that came. A frame that cannot be read in exactly one way does not
pass: a client's is answered, a server's response is replaced by an error, and a server's line that is no JSON-RPC
message passes, because servers log to their stdout.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from mcpobs.gate.decisions import DENIED_CODE, PASS, Answer, Begin, Edit, End, Forward, Pass, Pending, Replace
from mcpobs.gate.gate import Gate
from mcpobs.protocol import frames
from mcpobs.protocol.call import Call, Error, Response
from mcpobs.protocol.conversation import Conversation, Kind
from mcpobs.protocol.decode import MAX_BYTES, decode
from mcpobs.protocol.frames import Fault, Frame
from mcpobs.protocol.ids import plain_key
from mcpobs.protocol.lifecycle import now
from mcpobs.protocol.operation import Sender, Stamp, TraceContext

UNEDITED: Final = Answer(error=Error(DENIED_CODE, "refused: it cannot be masked"), error_type="cannot_be_masked")
Record = Callable[[Call], None]
"""Records an ended call: `Gate.record` with the columns of the front."""
Decision = Begin | End | Pending[Begin] | Pending[End]


class Outgoing(NamedTuple):
    """What becomes of a frame: bytes for its receiver, and bytes for its sender."""

    onward: bytes | None = None
    back: bytes | None = None


class _Part:
    """One message of a frame, with what was decided of it."""

    __slots__ = ("call", "decision", "kind", "raw")

    def __init__(self, raw: bytes, kind: Kind, call: Call | None, decision: Decision | None) -> None:
        self.raw = raw
        self.kind = kind
        self.call = call
        self.decision = decision  # None: it does not pass, and nothing answers it

    @property
    def is_over(self) -> bool:
        """Whether it is a request that ended before it was decided: cancelled, or its connection is closed."""
        return self.kind == "request" and self.call is not None and self.call.operation.outcome is not None

    @property
    def is_decided(self) -> bool:
        return not isinstance(self.decision, Pending) or self.decision.done or self.is_over

    def decided(self) -> Begin | End | None:
        if self.is_over:
            return None
        return self.decision.result() if isinstance(self.decision, Pending) else self.decision


class Held:
    """A frame until it is decided. `release` must be called once, when it is `ready`."""

    def __init__(self, owner: FrameGate, frame: bytes, is_batch: bool, record: Record) -> None:
        self.frame = frame
        self.is_batch = is_batch
        self.record = record
        self.parts: list[_Part] = []
        self.outgoing: Outgoing | None = None
        self._owner = owner
        self._wakes: list[Callable[[], None]] = []

    @property
    def ready(self) -> bool:
        """Whether everything in it is decided, or was cancelled meanwhile."""
        for part in self.parts:  # noqa: SIM110 - all() takes a generator for each frame
            if isinstance(part.decision, Pending) and not part.is_decided:
                return False
        return True

    def when_ready(self, wake: Callable[[], None]) -> None:
        """Calls `wake` when the frame may have become ready: from any thread, perhaps more than once, now if it is
        ready. It must only wake the front, which then looks at `ready`."""
        self._wakes.append(wake)
        waits_for = [part.decision for part in self.parts if isinstance(part.decision, Pending)]
        for pending in waits_for:
            pending.when_done(lambda _: wake())
        if not waits_for:
            wake()

    def look_again(self, ended: Call) -> None:
        """Wakes the front if the frame waits for a call that has ended otherwise."""
        if any(part.call is ended for part in self.parts):
            for wake in self._wakes:
                wake()

    def release(self) -> Outgoing:
        """Records what the frame ended, and says what to write."""
        return self._owner.release(self)


class FrameGate:
    """The frames of one connection, both ways. All methods belong to the front's own thread."""

    def __init__(self, gate: Gate, conversation: Conversation, max_bytes: int = MAX_BYTES) -> None:
        self._gate = gate
        self.conversation = self._conversation = conversation
        self._max_bytes = max_bytes
        self._held: set[Held] = set()
        self.passed: list[Call] = []
        """Forwarded calls whose arguments `catch_up` has still to describe."""

    def take(
        self, sender: Sender, frame: bytes, stamp: Stamp, record: Record, span: TraceContext | None = None
    ) -> Held:
        """Begins with a frame, given without its line's end. `record` is called for each call that it ends."""
        read = frames.read(frame, self._max_bytes)
        if not isinstance(read, Fault):
            read = self._fault_of(sender, read) or read
        if isinstance(read, Fault):
            return self._refuse(sender, frame, read, stamp, record)
        held = Held(self, frame, read.is_batch, record)
        self._held.add(held)
        for message, raw in read.messages:
            size = None if read.is_batch else len(frame)
            ended: list[Call] = []
            kind, call, response = self._conversation.read(
                sender, message, stamp, ended, None if read.is_batch else span, size
            )
            others = [] if ended == [call] else [each for each in ended if each is not call]
            for other in others:  # cancelled, or pushed out
                self._end_other(other, record)
            decision = self._decide(sender, kind, call, response, others, record, stamp)
            held.parts.append(_Part(raw, kind, call, decision))
        return held

    def _fault_of(self, sender: Sender, frame: Frame) -> Fault | None:
        """What the conversation makes of a frame that is sound in itself. A request must not reuse an id that is under
        way: its response could be paired with the other request, and judged as that."""
        if frame.is_batch and self._conversation.legacy is False:
            return Fault(frames.INVALID_REQUEST, "batch_of_the_modern_era")
        if not frame.is_batch:
            message = frame.messages[0][0]
            is_free = "method" not in message or "id" not in message
            if is_free or not self._conversation.has_in_use(sender, message["id"]):
                return None
            return Fault(frames.INVALID_REQUEST, "id_in_use")
        ids = [message["id"] for message, _ in frame.messages if "method" in message and "id" in message]
        if len(ids) > len(set(map(plain_key, ids))) or any(self._conversation.has_in_use(sender, each) for each in ids):
            return Fault(frames.INVALID_REQUEST, "id_in_use")
        return None

    def _end_other(self, call: Call, record: Record) -> None:
        record(call)
        for held in self._held:
            held.look_again(call)

    def _decide(
        self,
        sender: Sender,
        kind: Kind,
        call: Call | None,
        response: Response | None,
        others: list[Call],
        record: Record,
        stamp: Stamp,
    ) -> Decision | None:
        if call is None:  # a response that nobody waits for: only the client's may pass, nobody judges those
            if sender == "client" and kind in ("late", "unmatched"):
                return Pass()
            if kind == "late":
                return None
            self._gate.refuse(self._conversation.session(stamp), sender, Fault(0, "unmatched_response"), stamp)
            return None
        if kind == "response":
            return self._gate.end(call, response or Response())
        if kind == "notification" and any(other.held for other in others):
            record(call)  # it cancels a call that its receiver has not seen
            return None
        call.held = kind == "request"
        return self._gate.begin(call)

    def release(self, held: Held) -> Outgoing:
        self._held.discard(held)
        if held.outgoing is not None:
            return held.outgoing
        onward: list[bytes] = []
        back: list[bytes] = []
        for part in held.parts:
            self._release_part(part, held.record, onward, back)
        if not held.is_batch:  # one message, whose bytes are the frame
            return Outgoing(onward[0] if onward else None, back[0] if back else None)
        unchanged = len(onward) == len(held.parts) and all(
            out is part.raw for out, part in zip(onward, held.parts, strict=True)
        )
        return Outgoing(held.frame if unchanged and onward else _joined(onward), _joined(back, False))

    def _release_part(self, part: _Part, record: Record, onward: list[bytes], back: list[bytes]) -> None:
        call, decision = part.call, part.decided()
        match decision:
            case None:
                return
            case Pass() | Replace():
                onward.append(part.raw if decision is PASS else _response(part.raw, decision, call))
                if call is not None:
                    record(call)
            case Forward() if call is not None:
                raw = part.raw if decision.params is None else frames.with_params(part.raw, decision.params)
                edited = _edited(raw, decision.edits) if decision.edits else raw
                if edited is None:
                    self._answer(part, call, UNEDITED, record, back)
                    return
                if part.kind == "notification" and not self._is_counted(call):
                    record(call)
                call.held = False
                if call.unread is not None:
                    self.passed.append(call)
                onward.append(edited)
            case Answer() if call is not None:
                self._answer(part, call, decision, record, back)

    def _answer(self, part: _Part, call: Call, answer: Answer, record: Record, back: list[bytes]) -> None:
        self._conversation.end(call, now(), answer.verdict)
        record(call)
        if part.kind == "request":
            back.append(_answer(frames.id_of(part.raw), answer))

    def catch_up(self) -> None:
        """Does the work that need not delay a frame. Call it after the released frames are written."""
        passed, self.passed = self.passed, []
        for call in passed:
            self._gate.passed_on(call)

    def _is_counted(self, call: Call) -> bool:
        """Whether an allowed notification has no row, because that of its request or burst counts it."""
        if not call.counted or call.decision not in (None, "allow"):
            return False
        self._gate.settle(call)
        return True

    def close(self, stamp: Stamp, error_type: str, record: Record, text: str | None = None) -> None:
        """The connection is over: records what is in flight as unfinished, and what was held as it had ended."""
        for held in list(self._held):
            for part in held.parts:
                if part.call is not None and part.kind != "request":
                    record(part.call)
        self._held.clear()
        for call in self._conversation.close(stamp, error_type, text):
            record(call)

    # -- frames that cannot be read in one way ---------------------------------------------------------------

    def _refuse(self, sender: Sender, frame: bytes, fault: Fault, stamp: Stamp, record: Record) -> Held:
        """A response becomes an error for who waits for it; another message is answered; a server's log passes."""
        held = Held(self, frame, False, record)
        waiting = self._answered_by(sender, frame, stamp)
        if sender == "server" and waiting is None and not _is_message(frame):
            held.outgoing = Outgoing(frame)
            return held
        self._gate.refuse(self._conversation.session(stamp), sender, fault, stamp)
        error = {"code": fault.code, "message": fault.message}
        if waiting is None:
            held.outgoing = Outgoing(back=frames.response(frames.sole_id(frame), error=error))
            return held
        call, id_json = waiting
        operation = call.operation
        operation.outcome, operation.error_type, operation.status_code = "server_error", fault.reason, None
        record(call)
        held.outgoing = Outgoing(frames.response(id_json, error=error))
        return held

    def _answered_by(self, sender: Sender, frame: bytes, stamp: Stamp) -> tuple[Call, bytes] | None:
        """The call that some reader may take the frame for the response of."""
        message = decode(frame)
        if not isinstance(message, dict) or isinstance(message.get("method"), str):
            return None
        kind, call, _ = self._conversation.read(sender, message, stamp, [])
        if kind != "response" or call is None:
            return None
        return call, frames.as_json(message["id"])


def _is_message(frame: bytes) -> bool:
    """Whether any reader may take a server's line for JSON-RPC: as a whole, or split at a carriage return."""
    return any(_looks_like_one(piece) for piece in (frame, *(frame.split(b"\r") if b"\r" in frame else ())))


def _looks_like_one(frame: bytes) -> bool:
    message = decode(frame)
    if isinstance(message, list):
        return any(isinstance(each, dict) and _has_envelope(each) for each in message)
    return isinstance(message, dict) and _has_envelope(message)


def _has_envelope(message: dict[str, object]) -> bool:
    """No client takes a message without `jsonrpc`; servers log lines with `id` and `method`."""
    return any(key.casefold() == "jsonrpc" for key in message)


def _answer(id_json: bytes, answer: Answer) -> bytes:
    if answer.error is not None:
        return frames.response(id_json, error=answer.error.as_json())
    return frames.response(id_json, result=answer.result or {})


def _edited(raw: bytes, edits: Sequence[Edit]) -> bytes | None:
    """The message with its edits; None if it has not the places that they name."""
    if not edits:
        return raw
    from mcpobs.gate.splice import SpliceError, spliced

    try:
        return spliced(raw, edits)
    except SpliceError:
        return None


def _response(raw: bytes, decision: Pass | Replace, call: Call | None) -> bytes:
    """The bytes of a response. One that cannot be masked becomes an error: who asked must not wait for it in vain."""
    made = _edited(raw, decision.edits) if isinstance(decision, Pass) else _replaced(raw, decision)
    if made is not None:
        return made
    if call is not None:
        operation, verdict = call.operation, UNEDITED.verdict
        operation.outcome, operation.error_type = verdict.outcome, verdict.error_type
    return _answer(frames.id_of(raw), UNEDITED)


def _replaced(raw: bytes, replace: Replace) -> bytes:
    if replace.error is not None:
        return frames.response(frames.id_of(raw), error=replace.error.as_json())
    return frames.response(frames.id_of(raw), result=replace.result or {})


def _joined(parts: list[bytes], is_batch: bool = True) -> bytes | None:
    if not parts:
        return None
    if len(parts) == 1 and not is_batch:
        return parts[0]
    return b"[" + b",".join(parts) + b"]"
