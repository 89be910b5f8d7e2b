"""Sessions on stdio: the process, or the conversation that the caller names; never a key that the caller chose."""

from __future__ import annotations

import json

from mcpobs.protocol.operation import Operation, Stamp
from mcpobs.protocol.session import Session
from mcpobs.sessions.stdio import MAX_CONVERSATIONS, StdioSessions


def begun(seen: StdioSessions, *, legacy: bool = False, conversation: str | None = None, at: int = 5) -> Session:
    operation = Operation(0, "client", "tools/call", Stamp(at, at), conversation_id=conversation)
    session = seen.begin(operation, seen.caller, legacy)
    assert seen.settle(operation, session, seen.caller) is session  # no answer names a session on stdio
    return session


def test_the_process_is_the_session_and_surely_so_after_initialize() -> None:
    seen = StdioSessions("p1", 3)
    modern, legacy = begun(seen), begun(seen, legacy=True)
    assert (modern.id, modern.start_unix_nano, modern.source, modern.confidence) == ("p1", 3, "stdio_process", "medium")
    assert (legacy.id, legacy.confidence) == ("p1", "high")
    assert modern is begun(seen, at=9) is seen.process_session
    assert (modern.enforcement_key, modern.enforcement_source) == ("process:p1", "stdio_process")


def test_a_conversation_is_a_session_and_never_the_enforcement_key() -> None:
    seen = StdioSessions("p1", 3)
    session = begun(seen, conversation="c", legacy=True)
    assert (session.id, session.start_unix_nano, session.source, session.confidence) == (
        "c",
        5,
        "conversation",
        "medium",
    )
    assert session.enforcement_key == "process:p1"
    assert json.loads(session.candidates or "") == {"conversation": "c", "stdio_process": "p1"}
    assert begun(seen, conversation="c", at=9) is session


def test_conversations_are_forgotten_when_there_are_too_many() -> None:
    seen = StdioSessions("p1", 3)
    first = begun(seen, conversation="0")
    for number in range(1, MAX_CONVERSATIONS):
        begun(seen, conversation=str(number))
    assert begun(seen, conversation="0") is first
    begun(seen, conversation="one more")
    assert begun(seen, conversation="0") is not first
