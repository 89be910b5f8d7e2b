"""Instruments mcp 1.x: the server's method that all requests pass through, and the session's for the other messages.

Requests that the SDK refuses before (invalid params, a request before `initialize`) are not seen, and neither is
`notifications/cancelled`, which the session handles itself.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from functools import wraps
from typing import TYPE_CHECKING, Any
from weakref import WeakKeyDictionary

from mcpobs.gate.decisions import Answer
from mcpobs.instrument.caller import caller_of, headers_of
from mcpobs.instrument.served import (
    CANCELLED,
    DISCONNECTED,
    UNJUDGED,
    Message,
    ServedCall,
    changed,
    ended_by,
    error_of,
    forwarded_params,
)
from mcpobs.protocol.call import Error, Response
from mcpobs.protocol.eras import is_modern
from mcpobs.protocol.operation import Peer
from mcpobs.protocol.registry import Catalog
from mcpobs.protocol.session import Caller

if TYPE_CHECKING:
    from types import ModuleType

    from mcpobs.instrument.instrumentation import Instrumentation


@dataclass(slots=True)
class _Connection:
    """What is known of a session from its requests, for its other messages."""

    caller: Caller | None
    version: str | None = None


class KnownServers:
    """What is known of the servers and sessions of this process."""

    def __init__(self, front: Instrumentation) -> None:
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
            sent = params.get("clientInfo")
            info = sent if isinstance(sent, dict) else {}
            client = self.front.registry.peer(info.get("name"), info.get("version"))
        else:
            client = self._client(session)
        catalog = self._no_catalog if server is None else self.catalogs.setdefault(server, Catalog())
        if server is not None and request.method == "tools/call":
            _know(catalog, server, params.get("name"))
        message = _message(request.method, params, responder.request_id, known.version, client, self._server(session))
        return self.front.begin(message, caller, catalog)

    def begin_notification(self, notification: Any, session: Any) -> ServedCall | None:
        known = self.connections.get(session)
        if known is None:  # nothing of ours was asked before: who sends it cannot be known
            if not self.front.enforcing:
                return None
            known = _Connection(None)
        params = _dumped(getattr(notification, "params", None))
        message = _message(
            notification.method, params, None, known.version, self._client(session), self._server(session)
        )
        return self.front.begin(message, known.caller, self._no_catalog)

    def respond(self, call: ServedCall, response: Any, session: Any) -> None:
        """Takes the response that is about to be sent."""
        found = self.response(call, response, session)
        if isinstance(found.error, dict):
            call.refused(found.error["code"], found.error["message"])
        else:
            call.answered(found.result)

    def response(self, call: ServedCall, response: Any, session: Any) -> Response:
        """The response as it goes on the wire; that of `initialize` names the version."""
        code = getattr(response, "code", None)
        if isinstance(code, int):  # ErrorData
            return Response(error=error_of(response, code))
        result = _dumped(getattr(response, "root", response))
        version = result.get("protocolVersion") if call.call.operation.method == "initialize" else None
        if isinstance(version, str):
            call.call.operation.protocol_version = self.connections[session].version = version
        return Response(result)

    def _client(self, session: Any) -> Any:
        info = getattr(getattr(session, "client_params", None), "clientInfo", None)
        return self.front.registry.peer(getattr(info, "name", None), getattr(info, "version", None))

    def _server(self, session: Any) -> Any:
        options = getattr(session, "_init_options", None)
        return self.front.registry.peer(getattr(options, "server_name", None), getattr(options, "server_version", None))


def patch_server(front: Instrumentation, module: ModuleType) -> None:
    watching = _watching(front)

    def watched(handle: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
        @wraps(handle)
        async def _handle_request(self: Any, message: Any, req: Any, session: Any, *args: Any, **kwargs: Any) -> None:
            call = None
            if front.on:
                call = front.try_to(lambda: watching.begin_request(message, req, session, self))
            if call is None:
                if front.on and front.enforcing:  # our fault: what cannot be judged is not served
                    await _respond(message, _sdk_answer(None, UNJUDGED))
                    return
                await handle(self, message, req, session, *args, **kwargs)
                return

            async def serve(request: Any) -> None:
                await handle(self, message, request, session, *args, **kwargs)

            await _serve(watching, call, message, req, session, serve)

        return _handle_request

    front.patches.replace(module.Server, "_handle_request", watched)


def patch_session(front: Instrumentation, module: ModuleType) -> None:
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
            await _serve(watching, call, responder, request, self, lambda _: handle(self, responder))

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
                if front.enforcing and isinstance(await call.admit(), Answer):
                    return
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
    watching: KnownServers,
    call: ServedCall,
    responder: Any,
    request: Any,
    session: Any,
    handle: Callable[[Any], Awaitable[None]],
) -> None:
    """Serves a request, and sees what is answered on its way out."""
    front = watching.front
    before = vars(responder).get("respond")
    send = responder.respond

    async def respond(response: Any) -> None:
        if front.enforcing:
            response = await _released(watching, call, response, session)
        else:
            front.try_to(lambda: watching.respond(call, response, session))
        await send(response)

    try:
        if front.enforcing:
            decision = await call.admit()
            if isinstance(decision, Answer):
                await _respond(responder, _sdk_answer(decision.result, decision.error))
                return
            params = forwarded_params(call, decision)
            if params is not None:
                request = _with_params(request, params)
        responder.respond = respond
        await handle(request)
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


async def _released(watching: KnownServers, call: ServedCall, response: Any, session: Any) -> Any:
    """The response that the judge lets pass."""
    try:
        found = changed(sent := watching.response(call, response, session), await call.release(sent))
    except Exception as error:  # our fault: what cannot be judged does not pass
        watching.front.report(error)
        return _sdk_answer(None, UNJUDGED)
    return response if found is None else _sdk_answer(found.result, found.error)


async def _respond(responder: Any, response: Any) -> None:
    """Answers in the handler's place; `initialize` comes here before the SDK has entered its responder."""
    if getattr(responder, "_entered", True):
        await responder.respond(response)
        return
    with responder:
        await responder.respond(response)


class _WireResult:
    """A result for the SDK to send as it stands."""

    def __init__(self, result: dict[str, object]) -> None:
        self._result = result

    def model_dump(self, **_: object) -> dict[str, object]:
        return self._result


def _sdk_answer(result: dict[str, object] | None, error: Error | None) -> Any:
    if error is None:
        return _WireResult(result or {})
    from mcp.types import ErrorData  # of the observed process, which has loaded it

    return ErrorData(code=error.code, message=error.message, data=error.data)


def _with_params(request: Any, params: dict[str, object]) -> Any:
    """The same request with other params, validated as the SDK does it."""
    return type(request).model_validate({"method": request.method, "params": params})


_by_front: WeakKeyDictionary[Any, KnownServers] = WeakKeyDictionary()


def _watching(front: Instrumentation) -> KnownServers:
    """One for both modules."""
    found = _by_front.get(front)
    if found is None:
        found = _by_front[front] = KnownServers(front)
    return found


def _message(
    method: str, params: dict[str, object], request_id: object, version: str | None, client: Peer, server: Peer
) -> Message:
    legacy = method == "initialize" or (version is not None and not is_modern(version))
    return Message(method, params, request_id, version, client, server, legacy)


def _know(catalog: Catalog, server: Any, name: object) -> None:
    """Learns a tool's schema if the SDK has listed the tool for itself."""
    cache = getattr(server, "_tool_cache", None)
    if isinstance(name, str) and isinstance(cache, Mapping) and catalog.tools.of(name) is None:
        tool = cache.get(name)
        if tool is not None:
            catalog.learn_tool(name, getattr(tool, "inputSchema", None))


def _dumped(value: Any) -> dict[str, object]:
    """One of the SDK's models as it is sent."""
    if value is None:
        return {}
    dump = getattr(value, "model_dump", None)
    found = dump(by_alias=True, mode="json", exclude_none=True) if dump is not None else value
    return found if isinstance(found, dict) else {}
