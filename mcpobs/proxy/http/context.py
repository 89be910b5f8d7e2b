"""What all exchanges of a front are recorded with, and the head of a request as they see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from mcpobs.gate.gate import Gate
from mcpobs.protocol.operation import Stamp, TraceContext
from mcpobs.protocol.pending import Pending
from mcpobs.proxy.http.bodies import Copies
from mcpobs.proxy.http.conversations import ConversationRegistry, RemoteConversation
from mcpobs.proxy.http.recorded_head import RecordedHead
from mcpobs.proxy.http.redirects import Redirects

if TYPE_CHECKING:
    from mcpobs.proxy.http.judging import Judged

Ending = Literal["complete", "client_disconnect", "server_disconnect", "unreachable", "shutdown"]

SESSION_HEADER = "mcp-session-id"
VERSION_HEADER = "mcp-protocol-version"
RESUME_HEADER = "last-event-id"
EVENTS = "text/event-stream"
_JSON = "application/json"


@dataclass(frozen=True, slots=True)
class Request:
    """The head of a request. Names of headers are in lower case; `target` is path and query."""

    method: str
    target: str
    headers: Mapping[str, str]
    version: str
    peer: str | None
    connection: str
    began: Stamp


class Begun(NamedTuple):
    """What a request began that was redirected: operations with a sequence from `since` to `before`, of which those in
    `aside` wait for a response, and what was decided of them, if they are judged."""

    remote: RemoteConversation
    aside: list[Pending]
    since: int
    before: int
    own_span: TraceContext | None
    judged: Judged | None


@dataclass(slots=True)
class ExchangeContext:
    """What all exchanges of a front share."""

    gate: Gate
    conversations: ConversationRegistry
    head: RecordedHead
    propagate: bool = False
    copies: Copies = field(default_factory=Copies)  # of bodies
    redirects: Redirects[Begun] = field(default_factory=Redirects)


def media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()


def is_events(content_type: str | None) -> bool:
    """Whether some client reads a response of this type as events: SDKs compare only the beginning."""
    return content_type is not None and content_type.lower().startswith(EVENTS)


def is_json(content_type: str | None) -> bool:
    """The same for one JSON message; no client does so for other JSON types (`application/vnd.x+json`)."""
    return content_type is not None and content_type.lower().startswith(_JSON)
