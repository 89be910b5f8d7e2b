"""What all exchanges of a front are recorded with, and the head of a request as they see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from mcpobs.gate.gate import Gate
from mcpobs.protocol.operation import Stamp
from mcpobs.proxy.http.bodies import Copies
from mcpobs.proxy.http.conversations import ConversationRegistry
from mcpobs.proxy.http.recorded_head import RecordedHead
from mcpobs.proxy.http.redirects import Redirects

Ending = Literal["complete", "client_disconnect", "server_disconnect", "unreachable", "shutdown"]

SESSION_HEADER = "mcp-session-id"
VERSION_HEADER = "mcp-protocol-version"
RESUME_HEADER = "last-event-id"
EVENTS = "text/event-stream"


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


@dataclass(slots=True)
class ExchangeContext:
    """What all exchanges of a front share."""

    gate: Gate
    conversations: ConversationRegistry
    head: RecordedHead
    propagate: bool = False
    copies: Copies = field(default_factory=Copies)  # of bodies
    redirects: Redirects = field(default_factory=Redirects)


def media_type(content_type: str | None) -> str:
    return (content_type or "").partition(";")[0].strip().lower()
