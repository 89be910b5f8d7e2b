"""What only the SDK's HTTP transports know of a request is put on its scope, for `caller.py`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import TYPE_CHECKING, Any

from mcpobs.instrument.caller import SESSION, SSE

if TYPE_CHECKING:
    from types import ModuleType

    from mcpobs.instrument.front import Front

Handler = Callable[..., Awaitable[None]]


def patch_sse(front: Front, module: ModuleType) -> None:
    def marked(handle: Handler) -> Handler:
        @wraps(handle)
        async def handle_post_message(self: Any, scope: Any, receive: Any, send: Any) -> None:
            scope[SSE] = True
            await handle(self, scope, receive, send)

        return handle_post_message

    front.patches.replace(module.SseServerTransport, "handle_post_message", marked)


def patch_streamable_http(front: Front, module: ModuleType) -> None:
    def marked(handle: Handler) -> Handler:
        @wraps(handle)
        async def handle_request(self: Any, scope: Any, receive: Any, send: Any) -> None:
            scope[SESSION] = getattr(self, "mcp_session_id", None)
            await handle(self, scope, receive, send)

        return handle_request

    front.patches.replace(module.StreamableHTTPServerTransport, "handle_request", marked)
