"""Which conversation a message over HTTP belongs to. Does no I/O; one object a front.

Before 2026-07-28 a server may give out a session id: all exchanges with it are one conversation. HTTP+SSE has one
for each event stream. Everything else is a conversation of one request: ids of several clients may be equal.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mcpobs.gate.gate import Gate
from mcpobs.protocol.call import Call
from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.lifecycle import Lifecycle, now
from mcpobs.protocol.operation import Stamp
from mcpobs.protocol.session import Caller
from mcpobs.protocol.sse import Event

if TYPE_CHECKING:
    from mcpobs.gate.frames import Record
    from mcpobs.proxy.http.judged_conversation import JudgedConversation

MAX_CONVERSATIONS = 65_536
MAX_EVENTS = 1_024  # of one conversation
_NOBODY = Caller("", "http")  # until an exchange says who calls


@dataclass(slots=True, eq=False)
class RemoteConversation:
    """A conversation and the keys that identify it. `issued`: the server was seen to give out that session id."""

    conversation: Conversation
    judged: JudgedConversation | None = None  # if calls are judged
    session_id: str | None = None
    sse_endpoint: str | None = None
    issued: bool = False
    resumable: bool = False  # its event streams have ids, so what one stream leaves open another may answer
    tenant: str | None = None  # the verified one that used it first
    endpoint: str | None = None  # path to which the client sends what belongs to the stream
    _events: dict[int, None] = field(default_factory=dict)  # the last that came

    def is_new(self, event: Event) -> bool:
        """Whether an event with an id has not come before. A stream that is resumed brings again what the client
        may not have got. The id alone does not suffice: servers number the events of each stream from the start."""
        key = hash((event.id, event.data))
        if key in self._events:
            return False
        if len(self._events) >= MAX_EVENTS:
            del self._events[next(iter(self._events))]
        self._events[key] = None
        return True

    def close(self, now: Stamp, error_type: str, record: Record) -> None:
        """Ends what is still open in it."""
        if self.judged is not None:
            self.judged.frame_gate.close(now, error_type, record)
            return
        for call in self.conversation.close(now, error_type):
            record(call)


@dataclass(slots=True)
class ConversationRegistry:
    """The conversations that last longer than a request. The gate gets the calls that are open in one when there is no
    more room for it."""

    lifecycle: Lifecycle
    gate: Gate
    _by_session: dict[str, RemoteConversation] = field(default_factory=dict)
    _by_endpoint: dict[str, RemoteConversation] = field(default_factory=dict)

    def single(self) -> RemoteConversation:
        """For one request without a session."""
        conversation = Conversation(self.lifecycle, _NOBODY)
        if not self.gate.enforcing:
            return RemoteConversation(conversation)
        from mcpobs.proxy.http.judged_conversation import JudgedConversation  # a front that observes loads none of it

        return RemoteConversation(conversation, JudgedConversation(self.gate, conversation))

    def of_session(self, session_id: str) -> RemoteConversation:
        """That of a session id; a new one where it is not known, as after a restart of this process."""
        found = self._by_session.pop(session_id, None)
        if found is None:
            found = self.single()
            found.session_id = session_id
            self._make_room(self._by_session)
        self._by_session[session_id] = found  # what was used last is forgotten last
        return found

    def of_endpoint(self, path: str) -> RemoteConversation | None:
        """That of an endpoint which a server named in its event stream."""
        return self._by_endpoint.get(path)

    def issue(self, remote: RemoteConversation, session_id: str) -> None:
        """The server gave the conversation an id."""
        remote.session_id, remote.issued = session_id, True
        self._make_room(self._by_session)
        self._by_session[session_id] = remote

    def name_endpoint(self, remote: RemoteConversation, path: str, name: str) -> None:
        """Keeps where the client is to send what belongs to its event stream."""
        remote.sse_endpoint, remote.endpoint = name, path
        self._make_room(self._by_endpoint)
        self._by_endpoint[path] = remote

    def leave(self, remote: RemoteConversation) -> None:
        """Forgets a conversation that ended."""
        if remote.session_id is not None and self._by_session.get(remote.session_id) is remote:
            del self._by_session[remote.session_id]
        for path in [path for path, known in self._by_endpoint.items() if known is remote]:
            del self._by_endpoint[path]

    def close(self, error_type: str) -> None:
        """Ends everything that is open."""
        for remote in dict.fromkeys((*self._by_session.values(), *self._by_endpoint.values())):
            remote.close(now(), error_type, self._record)

    def _make_room(self, conversations: dict[str, RemoteConversation]) -> None:
        if len(conversations) >= MAX_CONVERSATIONS:
            conversations.pop(next(iter(conversations))).close(now(), "client_disconnect", self._record)

    def _record(self, call: Call) -> None:
        self.gate.record(call)
