"""Instruments mcp 2.x: a middleware before all others of each server.

The SDK's own tracing middleware stays in its place, so that whoever looks for it finds it; while ours watches a
message it only passes it on.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from dataclasses import replace
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

from mcpobs.gate.decisions import Answer
from mcpobs.instrument.caller import caller_of
from mcpobs.instrument.served import (
    UNJUDGED,
    Message,
    ServedCall,
    changed,
    ended_by,
    error_of,
    forwarded_params,
    watched,
)
from mcpobs.protocol.call import Error, Response
from mcpobs.protocol.eras import is_modern
from mcpobs.protocol.operation import Peer
from mcpobs.protocol.registry import Catalog

if TYPE_CHECKING:
    from types import ModuleType

    from mcpobs.instrument.instrumentation import Instrumentation

INVALID_PARAMS, INTERNAL_ERROR = -32602, -32603
_asking_itself: ContextVar[bool] = ContextVar("mcpobs_asking_itself", default=False)
"""True while the server lists its own tools to check a header: no client asked for that."""


class Middleware:
    """Watches the messages of one server."""

    def __init__(self, server: Any, front: Instrumentation) -> None:
        self._server = server
        self._front = front
        self._catalog = Catalog()
        self._look_up = getattr(server, "get_tool_input_schema", None)
        self._peer: tuple[object, object, Peer] = (None, None, Peer())

    async def __call__(self, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        front = self._front
        if not front.on:
            return await call_next(ctx)
        if ctx.method == "tools/list" and _asking_itself.get():
            result = await call_next(ctx)
            front.try_to(lambda: self._catalog.learn("tools/list", _on_the_wire(result)))
            return result
        try:
            call = self._begin(ctx)
        except Exception as error:  # our fault: the call goes on, unless it had to be judged
            front.report(error)
            if front.enforcing:
                raise _sdk_error(UNJUDGED) from None
            return await call_next(ctx)
        if front.enforcing:
            return await self._judged(call, ctx, call_next)
        try:
            result = await call_next(ctx)
        except BaseException as error:
            front.try_to(partial(_fail, call, error, ctx))
            raise
        else:
            try:
                call.answered(self._named(call, ctx, result))
            except Exception as error:
                front.report(error)
            return result
        finally:
            call.leave()

    async def _judged(self, call: ServedCall, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Any:
        """Serves a message if the judge lets it, and answers what the judge lets pass."""
        try:
            decision = await call.admit()
            if isinstance(decision, Answer):
                return _sdk_answer(decision.result, decision.error)
            params = forwarded_params(call, decision)
            if params is not None:
                ctx = replace(ctx, params=params)
            try:
                result = await call_next(ctx)
            except Exception as error:
                sent = Response(error=_as_sent(error))
                replaced = changed(sent, await call.release(sent))
                if replaced is not None:
                    return _sdk_answer(replaced.result, replaced.error)
                raise
            sent = Response(self._named(call, ctx, result))
            replaced = changed(sent, await call.release(sent))
            return result if replaced is None else _sdk_answer(replaced.result, replaced.error)
        except BaseException as error:
            if not isinstance(error, Exception):
                self._front.try_to(partial(_fail, call, error, ctx))
            raise
        finally:
            call.leave()

    def _begin(self, ctx: Any) -> ServedCall:
        params = ctx.params
        if not isinstance(params, dict):
            params = dict(params) if isinstance(params, Mapping) else {}
        session, request = ctx.session, ctx.request
        version = ctx.protocol_version
        info = getattr(getattr(session, "client_params", None), "client_info", None)
        client = self._front.registry.peer(getattr(info, "name", None), getattr(info, "version", None))
        if ctx.method == "initialize":
            sent = params.get("clientInfo")
            if isinstance(sent, Mapping):
                client = self._front.registry.peer(sent.get("name"), sent.get("version"))
            version = params.get("protocolVersion")
        if self._look_up is not None and ctx.method == "tools/call":
            self._know(params.get("name"))
        legacy = not isinstance(version, str) or not is_modern(version)
        on_stdio_legacy = ctx.method == "initialize" or (legacy and version is not None)
        message = Message(ctx.method, params, ctx.request_id, version, client, self._server_peer(), on_stdio_legacy)
        if request is None:
            return self._front.begin(message, None, self._catalog)
        known = getattr(getattr(session, "_connection", None), "session_id", None) if legacy else None
        return self._front.begin(message, caller_of(request, known), self._catalog)

    def _named(self, call: ServedCall, ctx: Any, result: Any) -> object:
        """The result as it goes on the wire; that of `initialize` names the version."""
        wire = _on_the_wire(result)
        if ctx.method == "initialize" and isinstance(wire, dict) and isinstance(wire.get("protocolVersion"), str):
            call.call.operation.protocol_version = wire["protocolVersion"]
        return wire

    def _know(self, name: object) -> None:
        """Learns a tool's schema if the server knows it without a client's question."""
        if isinstance(name, str) and self._look_up is not None and self._catalog.tools.of(name) is None:
            schema = self._look_up(name)
            if schema is not None:
                self._catalog.learn_tool(name, schema)

    def _server_peer(self) -> Peer:
        """The server as it names itself; its version is its own, else the SDK's."""
        name, version = getattr(self._server, "name", None), getattr(self._server, "version", None)
        known = self._peer
        if known[0] is not name or known[1] is not version:
            known = self._peer = (name, version, self._front.registry.peer(name, version or _sdk_version()))
        return known[2]


def patch_server(front: Instrumentation, module: ModuleType) -> None:
    """Each server gets the middleware, those that are there already too."""
    cls: Any = module.Server

    def with_ours(init: Callable[..., None]) -> Callable[..., None]:
        @wraps(init)
        def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
            init(self, *args, **kwargs)
            if front.on:
                front.try_to(lambda: watch(front, self))

        return __init__

    front.patches.replace(cls, "__init__", with_ours)
    for server in front.instances_of(cls):
        watch(front, server)
    native = getattr(module, "OpenTelemetryMiddleware", None)
    if native is not None:
        front.patches.replace(native, "__call__", _quiet)


def watch(front: Instrumentation, server: Any) -> None:
    chain = server.middleware
    if not any(isinstance(found, Middleware) for found in chain):
        chain.insert(0, Middleware(server, front))
        front.watched_servers.add(server)


def unwatch(server: Any) -> None:
    server.middleware[:] = [found for found in server.middleware if not isinstance(found, Middleware)]


def patch_modern_http(front: Instrumentation, module: ModuleType) -> None:
    """A server that has no other way to a tool's schema lists its tools before each call."""

    def marked(lookup: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
        @wraps(lookup)
        async def _tool_input_schema(*args: Any, **kwargs: Any) -> Any:
            token = _asking_itself.set(True)
            try:
                return await lookup(*args, **kwargs)
            finally:
                _asking_itself.reset(token)

        return _tool_input_schema

    front.patches.replace(module, "_tool_input_schema", marked)


def _sdk_version() -> str:
    from importlib.metadata import version

    return version("mcp")


def _quiet(native: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    @wraps(native)
    def __call__(self: Any, ctx: Any, call_next: Callable[[Any], Awaitable[Any]]) -> Awaitable[Any]:
        return call_next(ctx) if watched.get() else native(self, ctx, call_next)

    return __call__


def _fail(call: ServedCall, error: BaseException, ctx: Any) -> None:
    if not isinstance(error, Exception):
        channel = getattr(ctx.session, "_request_outbound", None)
        asked = getattr(channel, "cancel_requested", None)
        piped = ctx.request is None and getattr(getattr(channel, "transport", None), "kind", None) == "jsonrpc"
        call.given_up(*ended_by(error, asked is not None and asked.is_set(), on_a_pipe=piped))
        return
    found = _as_error(error)
    if found is None:
        call.broke(error)
    else:
        call.refused(*found)


def _as_error(error: Exception) -> tuple[int, str] | None:
    """Code and message of an exception that the SDK answers with them; None for one that it has no code for."""
    found = getattr(error, "error", None)  # MCPError
    code = getattr(found, "code", None)
    if isinstance(code, int):
        return code, str(getattr(found, "message", ""))
    return (INVALID_PARAMS, "Invalid request parameters") if _is_validation_error(error) else None


def _as_sent(error: Exception) -> dict[str, object]:
    """The error object that the SDK makes of an exception."""
    code, message = _as_error(error) or (INTERNAL_ERROR, str(error))
    return {**error_of(getattr(error, "error", None), code), "message": message}


def _sdk_answer(result: dict[str, object] | None, error: Error | None) -> dict[str, object]:
    """What the SDK is to answer; it answers an error that is raised."""
    if error is not None:
        raise _sdk_error(error)
    return result or {}


def _sdk_error(error: Error) -> Exception:
    from mcp.shared.exceptions import MCPError  # of the observed process, which has loaded it

    made: Exception = MCPError(error.code, error.message, error.data)
    return made


def _is_validation_error(error: Exception) -> bool:
    """pydantic's, which the SDK answers with INVALID_PARAMS. By name: pydantic is the SDK's and not ours."""
    return any(
        cls.__name__ == "ValidationError" and cls.__module__.startswith("pydantic") for cls in type(error).__mro__
    )


def _on_the_wire(result: Any) -> object:
    if type(result) is dict:  # as its handler or the SDK dumped it
        return result
    dump = getattr(result, "model_dump", None)
    return dump(by_alias=True, mode="json", exclude_none=True) if dump is not None else result
