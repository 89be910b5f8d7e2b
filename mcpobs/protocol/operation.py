"""The facts of one MCP operation, as a front sees them on the wire. Holds no content of arguments or results, except
the text of a failure if the configuration asks for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, NamedTuple

from mcpobs.semconv import Outcome

if TYPE_CHECKING:
    from mcpobs.prices.rule import Measured

Sender = Literal["client", "server"]
"""Which side of the connection sent a frame."""


# Stamp and ValueFacts are made twice a call. Frozen, each takes three times as long to make, and as a NamedTuple nearly
# twice; so that nobody changes them is left to mypy.


@dataclass(slots=True)
class Stamp:
    """When a frame was read from the wire: wall clock for the record, monotonic clock for durations."""

    unix_nano: Final[int]
    mono_ns: Final[int]


class TraceContext(NamedTuple):
    """The caller's W3C trace context, from `params._meta.traceparent`."""

    trace_id: str  # 32 lower-case hex digits, not all zero
    span_id: str  # 16 lower-case hex digits, not all zero
    flags: int


@dataclass(frozen=True, slots=True)
class Peer:
    """clientInfo or serverInfo: what a side says of itself."""

    name: str | None = None
    version: str | None = None


@dataclass(slots=True)
class ValueFacts:
    """What is kept of the arguments of a request or of a result, in place of their content."""

    digest: Final[str | None]
    shape: Final[str | None]
    size_bytes: Final[int]
    form: Final[str | None] = None  # of a tool's answer
    stable: Final[str | None] = None  # digest without the volatile parts (`protocol/stable.py`); None if it has none


@dataclass(slots=True)
class Operation:
    """One MCP request with its response, or one notification. Times in nanoseconds.

    `sender` is who sent the request: "client" for tools/call, "server" for sampling/createMessage. Texts that the
    peers choose (method, tool, names, ids) are bounded in length and hold no lone surrogates, so they can be
    written as UTF-8. While the request is in flight `outcome` is None; afterwards nothing changes any more.
    """

    sequence: int
    sender: Sender
    method: str
    start: Stamp
    request_id: str | None = None  # None for a notification
    tool: str | None = None
    prompt: str | None = None
    resource_scheme: str | None = None
    protocol_version: str | None = None
    client: Peer = Peer()
    server: Peer = Peer()
    parent: TraceContext | None = None
    span: TraceContext | None = None  # the ids of this operation's own span, where they were settled beforehand
    conversation_id: str | None = None
    arguments: ValueFacts | None = None
    arguments_features: str | None = None  # JSON
    outcome: Outcome | None = None
    duration_ns: int = 0
    error_type: str | None = None
    status_code: str | None = None
    result: ValueFacts | None = None
    result_items: int | None = None
    result_empty: bool | None = None
    measured: Measured | None = None  # what the result says of its cost
    progress: int = 0
    log_messages: int = 0
    cancelled_by: Sender | None = None
    error_message: str | None = None  # content: only if `[record] errors` asks for it

    @property
    def is_notification(self) -> bool:
        return self.request_id is None

    @property
    def target(self) -> str | None:
        """What the span is named after besides its method; never the resource's URI (its cardinality)."""
        return self.tool or self.prompt
