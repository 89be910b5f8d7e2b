"""The front for mcp 1.x: the one method of the server through which requests go, and the session's for the rest.

What the SDK refuses before it calls them (parameters that do not validate, a request before `initialize`) is not
seen, and neither is `notifications/cancelled`, which it keeps to itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mcpobs.instrument.caller import caller_of, headers_of
from mcpobs.instrument.served import CANCELLED, DISCONNECTED, ServedCall, ended_by
from mcpobs.protocol.eras import is_modern
from mcpobs.protocol.lifecycle import Request
from mcpobs.protocol.operation import Peer
from mcpobs.protocol.registry import Catalog
from mcpobs.protocol.session import Caller

if TYPE_CHECKING:
    from types import ModuleType

    from mcpobs.instrument.front import Front


@dataclass(slots=True)
class _Connection:
    """What the requests of a session told of it, for those of its messages that do not."""

    caller: Caller | None
    version: str | None = None


class Watching:
    """What is known of the servers and sessions of this process."""

    def __init__(self, front: Front) -> None:
        self.front = front
        self.catalogs: WeakKeyDictionary[Any, Catalog] = WeakKeyDictionary()
        self.connections: WeakKeyDictionary[Any, _Connection] = WeakKeyDictionary()
        self._no_catalog = Catalog()

    def begin_request(self, responder: Any, request: Any, session: Any, server: Any) -> ServedCall:
        """A request; `server` is None for `initialize`, which the session answers by itself."""
        http: Any = getattr(getattr(responder, "message_metadata", None), "request_context", None)
        caller = caller_of(http)
        known = self.connections.setdefault(session, _Connection(caller))
        known.caller = caller
        if known.version is None and caller is not None:  # stateless: each request says it
            known.version = headers_of(http.scope).get("mcp-protocol-version")
        params = _dumped(getattr(request, "params", None))
        if request.method == "initialize":
            told = params.get("clientInfo")
            info = told if isinstance(told, dict) else {}
            client = self.front.registry.peer(info.get("name"), info.get("version"))
        else:
            client = self._client(session)
        catalog = self._no_catalog if server is None else self.catalogs.setdefault(server, Catalog())
        if server is not None and request.method == "tools/call":
            _know(catalog, server, params.get("name"))
        message = _request(request.method, params, responder.request_id, known.version, client, self._server(session))
        return self.front.begin(message, caller, catalog)

    def begin_notification(self, notification: Any, session: Any) -> ServedCall | None:
        known = self.connections.get(session)
        if known is None:  # nothing of ours was asked before: who sends it cannot be known
            return None
        params = _dumped(getattr(notification, "params", None))
        message = _request(
            notification.method, params, None, known.version, self._client(session), self._server(session)
        )
        return self.front.begin(message, known.caller, self._no_catalog)

    def respond(self, call: ServedCall, response: Any, session: Any) -> None:
        """Takes what is about to be sent."""
        code = getattr(response, "code", None)
        if isinstance(code, int):  # ErrorData
            call.refused(code, str(getattr(response, "message", "")))
            return
        result = _dumped(getattr(response, "root", response))
        version = result.get("protocolVersion") if call.call.operation.method == "initialize" else None
        if isinstance(version, str):
            call.call.operation.protocol_version = self.connections[session].version = version
        call.answered(result)

    def _client(self, session: Any) -> Any:
        info = getattr(getattr(session, "client_params", None), "clientInfo", None)
        return self.front.registry.peer(getattr(info, "name", None), getattr(info, "version", None))

    def _server(self, session: Any) -> Any:
        options = getattr(session, "_init_options", None)
        return self.front.registry.peer(getattr(options, "server_name", None), getattr(options, "server_version", None))


def patch_server(front: Front, module: ModuleType) -> None:
    watching = _watching(front)

    def watched(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @wraps(handle)
        async def _handle_request(self: Any, message: Any, req: Any, session: Any, *args: Any, **kwargs: Any) -> None:
            call = None
            if front.on:
                call = front.try_to(lambda: watching.begin_request(message, req, session, self))
            if call is None:
                await handle(self, message, req, session, *args, **kwargs)
                return
            await _serve(watching, call, message, session, lambda: handle(self, message, req, session, *args, **kwargs))

        return _handle_request

    front.patches.replace(module.Server, "_handle_request", watched)


def patch_session(front: Front, module: ModuleType) -> None:
    """`initialize` and the notifications. The session of mcp 2.x has no such methods, and nothing is done."""
    watching = _watching(front)

    def requests(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @wraps(handle)
        async def _received_request(self: Any, responder: Any) -> None:
            request = getattr(getattr(responder, "request", None), "root", None)
            call = None
            if front.on and getattr(request, "method", None) == "initialize":
                call = front.try_to(lambda: watching.begin_request(responder, request, self, None))
            if call is None:
                await handle(self, responder)
                return
            await _serve(watching, call, responder, self, lambda: handle(self, responder))

        return _received_request

    def notifications(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @wraps(handle)
        async def _received_notification(self: Any, notification: Any) -> None:
            root = getattr(notification, "root", notification)
            call = front.try_to(lambda: watching.begin_notification(root, self)) if front.on else None
            if call is None:
                await handle(self, notification)
                return
            try:
                await handle(self, notification)
            except Exception as error:
                call.broke(error)
                raise
            else:
                call.answered(None)
            finally:
                call.leave()

        return _received_notification

    front.patches.replace(module.ServerSession, "_received_request", requests)
    front.patches.replace(module.ServerSession, "_received_notification", notifications)


async def _serve(
    watching: Watching, call: ServedCall, responder: Any, session: Any, handle: Callable[[], Awaitable[None]]
) -> None:
    """Serves a request, and sees what is answered on its way out."""
    before = vars(responder).get("respond")
    send = responder.respond

    async def respond(response: Any) -> None:
        watching.front.try_to(lambda: watching.respond(call, response, session))
        await send(response)

    responder.respond = respond
    try:
        await handle()
    except BaseException as error:
        if isinstance(error, Exception):
            call.broke(error)
        else:
            by_client = bool(getattr(responder, "cancelled", False))
            call.given_up(*ended_by(error, by_client, on_a_pipe=call.is_piped))
        raise
    else:
        by_client = bool(getattr(responder, "cancelled", False))
        gone = call.is_piped and not by_client
        call.given_up(DISCONNECTED if gone else CANCELLED, by_client)  # nothing, where it was answered
    finally:
        if before is None:
            vars(responder).pop("respond", None)
        else:
            responder.respond = before
        call.leave()


_by_front: WeakKeyDictionary[Any, Watching] = WeakKeyDictionary()


def _watching(front: Front) -> Watching:
    """One for both modules."""
    found = _by_front.get(front)
    if found is None:
        found = _by_front[front] = Watching(front)
    return found


def _request(
    method: str, params: dict[str, object], request_id: object, version: str | None, client: Peer, server: Peer
) -> Request:
    legacy = method == "initialize" or (version is not None and not is_modern(version))
    return Request("client", method, params, request_id, version, client, server, legacy)


def _know(catalog: Catalog, server: Any, name: object) -> None:
    """What a tool declares, where the SDK has listed it for itself."""
    cache = getattr(server, "_tool_cache", None)
    if isinstance(name, str) and isinstance(cache, Mapping) and catalog.tools.of(name) is None:
        tool = cache.get(name)
        if tool is not None:
            catalog.learn_tool(name, getattr(tool, "inputSchema", None))


def _dumped(value: Any) -> dict[str, object]:
    """A model of the SDK's as it stands on the wire."""
    if value is None:
        return {}
    dump = getattr(value, "model_dump", None)
    found = dump(by_alias=True, mode="json", exclude_none=True) if dump is not None else value
    return found if isinstance(found, dict) else {}
