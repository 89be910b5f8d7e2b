"""Which conversation a message over HTTP belongs to. Does no I/O; one object a front.

Before 2026-07-28 a server may give out a session id: all exchanges with it are one conversation. HTTP+SSE has one
for each event stream. Everything else is a conversation of one request: ids of several clients may be equal.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from mcpobs.protocol.conversation import Conversation
from mcpobs.protocol.lifecycle import Lifecycle
from mcpobs.protocol.session import Caller
from mcpobs.protocol.sse import Event

MAX_TALKS = 65_536
MAX_EVENTS = 1_024  # of one conversation
_NOBODY = Caller("", "http")  # until an exchange says who calls


@dataclass(slots=True, eq=False)
class Talk:
    """A conversation, and by what it is known. `minted`: the server was seen to give out that session id."""

    conversation: Conversation
    session_id: str | None = None
    sse_endpoint: str | None = None
    minted: bool = False
    caller: Caller | None = None  # who last had an operation in it
    resumable: bool = False  # its event streams have ids, so what one stream leaves open another may answer
    _events: dict[int, None] = field(default_factory=dict)  # the last that came

    def is_new(self, event: Event) -> bool:
        """Whether an event with an id has not come before. A stream that is resumed brings again what the client
        may not have got. The id alone does not tell: servers number the events of each stream from the start."""
        key = hash((event.id, event.data))
        if key in self._events:
            return False
        if len(self._events) >= MAX_EVENTS:
            del self._events[next(iter(self._events))]
        self._events[key] = None
        return True


@dataclass(slots=True)
class Talks:
    """The conversations that last longer than a request. `forget` gets one for which there is no room."""

    lifecycle: Lifecycle
    forget: Callable[[Talk], None]
    _by_session: dict[str, Talk] = field(default_factory=dict)
    _by_endpoint: dict[str, Talk] = field(default_factory=dict)

    def single(self) -> Talk:
        """For one request without a session."""
        return Talk(Conversation(self.lifecycle, _NOBODY))

    def of_session(self, session_id: str) -> Talk:
        """That of a session id; a new one where it is not known, as after a restart of this process."""
        found = self._by_session.pop(session_id, None)
        if found is None:
            found = self.single()
            found.session_id = session_id
            self._make_room(self._by_session)
        self._by_session[session_id] = found  # what was used last is forgotten last
        return found

    def of_endpoint(self, path: str) -> Talk | None:
        """That of an endpoint which a server named in its event stream."""
        return self._by_endpoint.get(path)

    def mint(self, talk: Talk, session_id: str) -> None:
        """The server gave the conversation an id."""
        talk.session_id, talk.minted = session_id, True
        self._make_room(self._by_session)
        self._by_session[session_id] = talk

    def name_endpoint(self, talk: Talk, path: str, name: str) -> None:
        """The server told the client where to send what belongs to its event stream."""
        talk.sse_endpoint = name
        self._make_room(self._by_endpoint)
        self._by_endpoint[path] = talk

    def leave(self, talk: Talk) -> None:
        """Forgets a conversation that ended."""
        if talk.session_id is not None and self._by_session.get(talk.session_id) is talk:
            del self._by_session[talk.session_id]
        for path in [path for path, known in self._by_endpoint.items() if known is talk]:
            del self._by_endpoint[path]

    def all(self) -> list[Talk]:
        return list(dict.fromkeys((*self._by_session.values(), *self._by_endpoint.values())))

    def _make_room(self, talks: dict[str, Talk]) -> None:
        if len(talks) >= MAX_TALKS:
            self.forget(talks.pop(next(iter(talks))))
