"""Decides sessions on stdio: the process that the client started, or the conversation that it names. Pure.

Before 2026-07-28 the process is the session by the specification (one `initialize`). Since then it "is not a
conversation or session", so it is only the best bound that is left if the caller sends no conversation id.

The caller's trace id is kept as a candidate and not used as a session here: a client that starts a new trace for
every call would make every call a session of its own.
"""

from __future__ import annotations

import json

from mcpobs.protocol.operation import Operation
from mcpobs.protocol.session import NOBODY, Caller, Identity, Session
from mcpobs.semconv import Confidence

MAX_CONVERSATIONS = 4096


class StdioSessions:
    """The sessions of one stdio process. `process_id` is random and names the process for good. `identity` is the one
    that the operator configured for whoever starts the process."""

    def __init__(self, process_id: str, start_unix_nano: int, identity: Identity = NOBODY) -> None:
        self.caller = Caller(connection=process_id, transport="stdio", identity=identity)
        """Whoever started the process: the caller of all that it is asked."""
        self._start_unix_nano = start_unix_nano
        self._legacy, self._modern = self._of_process("high"), self._of_process("medium")
        self._conversations: dict[str, Session] = {}

    @property
    def process_session(self) -> Session:
        """The session of what belongs to no operation."""
        return self._modern

    def begin(self, operation: Operation, caller: Caller, legacy: bool) -> Session:
        if operation.conversation_id is not None:
            return self._conversation(operation.conversation_id, operation.start.unix_nano)
        return self._legacy if legacy else self._modern

    def settle(self, operation: Operation, session: Session, caller: Caller) -> Session:
        """No answer names a session on stdio."""
        return session

    def _of_process(self, confidence: Confidence) -> Session:
        key, source = self.caller.enforcement
        return Session(
            id=self.caller.connection,
            start_unix_nano=self._start_unix_nano,
            source="stdio_process",
            confidence=confidence,
            enforcement_key=key,
            enforcement_source=source,
            identity=self.caller.identity,
        )

    def _conversation(self, conversation_id: str, now_unix_nano: int) -> Session:
        found = self._conversations.get(conversation_id)
        if found is None:
            key, source = self.caller.enforcement
            found = Session(
                id=conversation_id,
                start_unix_nano=now_unix_nano,
                source="conversation",
                confidence="medium",  # the caller chose the name, and nobody verified the caller
                enforcement_key=key,
                enforcement_source=source,
                candidates=json.dumps({"conversation": conversation_id, "stdio_process": self.caller.connection}),
                identity=self.caller.identity,
            )
            while len(self._conversations) >= MAX_CONVERSATIONS:  # a caller can name as many as it likes
                del self._conversations[next(iter(self._conversations))]
            self._conversations[conversation_id] = found
        return found
