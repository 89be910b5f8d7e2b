"""Who calls, and in which session: facts that a front and `sessions/` state. Decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from mcpobs.semconv import Confidence, SessionSource, Transport

if TYPE_CHECKING:
    from mcpobs.settings import IdentityConfig


@dataclass(frozen=True, slots=True)
class Identity:
    """The verified caller. None where nobody vouches for it: what a caller says of itself is not here."""

    principal: str | None = None
    tenant: str | None = None
    role: str | None = None
    scopes: tuple[str, ...] = ()


NOBODY = Identity()


def configured(config: IdentityConfig | None) -> Identity:
    """The fixed identity of [identity] in config.toml; nobody if it names none, or verifies tokens."""
    if config is None or not config.static:
        return NOBODY
    return Identity(config.principal, config.tenant or None, config.role or None)


@dataclass(frozen=True, slots=True)
class Session:
    """A session as far as one connection knows it, and the key under which limits are counted.

    `enforcement_key` is nothing that the caller can choose: conversation ids are, so they never become one.
    """

    id: str
    start_unix_nano: int
    source: SessionSource
    confidence: Confidence
    enforcement_key: str
    enforcement_source: SessionSource
    candidates: str | None = None  # JSON: {source: id}
    identity: Identity = NOBODY
    transport: Transport | None = None  # where it is not that of all that the process records


@dataclass(frozen=True, slots=True)
class Caller:
    """What a front knows of who sent a request, besides what the request says."""

    connection: str  # names the transport connection for good; on stdio the process
    transport: Transport
    peer: str | None = None  # the client's address
    user_agent: str | None = None
    protocol_session: str | None = None  # digest of the Mcp-Session-Id: naming.session_digest
    issued: bool = False  # the server was seen to give out that id
    sse_endpoint: str | None = None  # digest of the endpoint's session id
    trace: str | None = None  # of the HTTP request, where the message itself names none
    identity: Identity = NOBODY

    @property
    def enforcement(self) -> tuple[str, SessionSource]:
        """Who is held to account: nothing that the caller can choose. An id that the server did not give out is
        the caller's own choice."""
        if self.identity.principal is not None:
            return f"principal:{self.identity.principal}", "principal"
        if self.transport == "stdio":
            return f"process:{self.connection}", "stdio_process"
        key = f"connection:{self.peer or self.connection}"
        return (f"{key}/{self.protocol_session}" if self.issued and self.protocol_session else key), "connection"

    @property
    def key(self) -> tuple[str, str | None]:
        """Whose sessions are kept together: who is held to account, and the tenant."""
        return self.enforcement[0], self.identity.tenant
