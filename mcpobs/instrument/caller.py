"""Who sent a message over HTTP, as the server's process knows it: from the request and what the SDK verified of it.

What only the SDK's transports know of a request is put on its ASGI scope, under keys of ours: a caller cannot forge it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from functools import wraps
from typing import TYPE_CHECKING, Any

from mcpobs.detect.recorded import scrubbed
from mcpobs.masking import is_address, masked_urls
from mcpobs.protocol.naming import session_digest
from mcpobs.protocol.session import NOBODY, Caller, Identity
from mcpobs.protocol.text import bounded, bounded_or_none
from mcpobs.protocol.trace import parse_traceparent

if TYPE_CHECKING:
    from types import ModuleType

    from mcpobs.instrument.instrumentation import Instrumentation

SSE = "mcpobs.sse"  # on the scope of what came in by the SSE transport's POST
SESSION = "mcpobs.session"  # on the scope of what a stateful transport took: its Mcp-Session-Id
MAX_ID = 128
MAX_USER_AGENT = 256
_WANTED = frozenset({b"user-agent", b"traceparent", b"mcp-session-id", b"mcp-protocol-version"})


def caller_of(request: Any, known_session: str | None = None) -> Caller | None:
    """The caller of an HTTP request; None without one: on stdio, or in memory.

    `known_session` is a session id that the SDK's own session object has."""
    scope = getattr(request, "scope", None) if request is not None else None
    if not isinstance(scope, dict):
        return None
    headers = headers_of(scope)
    peer = scope.get("client")
    address, port = (str(peer[0]), str(peer[1])) if isinstance(peer, list | tuple) and len(peer) == 2 else (None, None)
    if address is not None and not is_address(address):  # as a server has it that believes X-Forwarded-For
        address = session_digest(address)
    sse = bool(scope.get(SSE))
    issued = known_session or scope.get(SESSION)
    session = issued if isinstance(issued, str) else headers.get("mcp-session-id")
    endpoint = request.query_params.get("session_id") if sse else None
    trace = parse_traceparent(headers.get("traceparent"))
    return Caller(
        connection=f"{address}:{port}",
        transport="sse" if sse else "http",
        peer=address,
        user_agent=bounded_or_none(scrubbed(masked_urls(headers.get("user-agent", ""))), MAX_USER_AGENT),
        protocol_session=session_digest(session) if session and not sse else None,
        issued=isinstance(issued, str) and not sse,
        sse_endpoint=session_digest(endpoint) if endpoint else None,
        trace=trace.trace_id if trace is not None else None,
        identity=identity_of(scope.get("user")),
    )


def headers_of(scope: Mapping[str, Any]) -> dict[str, str]:
    """The headers of an ASGI scope that identify the caller."""
    return {
        name.decode("latin-1"): value.decode("latin-1") for name, value in scope.get("headers", ()) if name in _WANTED
    }


def identity_of(user: Any) -> Identity:
    """Who the server's own authentication says it is: the subject of a verified token, else its client."""
    token = getattr(user, "access_token", None)
    if token is None:
        return _signed_in(user)
    claims = getattr(token, "claims", None)
    claimed = claims.get("sub") if isinstance(claims, Mapping) else None
    scopes = getattr(token, "scopes", None)
    for found in (getattr(token, "subject", None), claimed, getattr(token, "client_id", None)):
        if isinstance(found, str) and found:
            granted = scopes if isinstance(scopes, list | tuple) else ()
            return Identity(
                principal=bounded(found, MAX_ID),
                scopes=tuple(bounded(scope, MAX_ID) for scope in granted if isinstance(scope, str)),
            )
    return NOBODY


def _signed_in(user: Any) -> Identity:
    """A user of Starlette's own authentication."""
    if getattr(user, "is_authenticated", False) is not True:
        return NOBODY
    try:
        found = user.identity
    except NotImplementedError:  # SimpleUser has a name only
        found = getattr(user, "display_name", None)
    principal = bounded_or_none(found, MAX_ID)
    return NOBODY if principal is None else Identity(principal=principal)


Handler = Callable[..., Awaitable[None]]


def patch_sse(front: Instrumentation, module: ModuleType) -> None:
    def marked(handle: Handler) -> Handler:
        @wraps(handle)
        async def handle_post_message(self: Any, scope: Any, receive: Any, send: Any) -> None:
            scope[SSE] = True
            await handle(self, scope, receive, send)

        return handle_post_message

    front.patches.replace(module.SseServerTransport, "handle_post_message", marked)


def patch_streamable_http(front: Instrumentation, module: ModuleType) -> None:
    def marked(handle: Handler) -> Handler:
        @wraps(handle)
        async def handle_request(self: Any, scope: Any, receive: Any, send: Any) -> None:
            scope[SESSION] = getattr(self, "mcp_session_id", None)
            await handle(self, scope, receive, send)

        return handle_request

    front.patches.replace(module.StreamableHTTPServerTransport, "handle_request", marked)
