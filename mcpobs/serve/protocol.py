"""The server's side of MCP in both eras, sans I/O: a line in, what is to be said or done out. Runs no tool itself.

Legacy (until 2025-11-25): `initialize` agrees on a version for the connection. Modern (2026-07-28): every request names
its version in `_meta`. Both may come over one connection. Whatever a client sends, nothing is raised.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from mcpobs.errors import nearest
from mcpobs.output.text import printable
from mcpobs.protocol.meta import PROTOCOL_VERSION, SERVER_INFO

LEGACY: Final = ("2025-11-25", "2025-06-18", "2025-03-26", "2024-11-05")
MODERN: Final = ("2026-07-28",)
CLIENT_CAPABILITIES: Final = "io.modelcontextprotocol/clientCapabilities"

PARSE_ERROR: Final = -32700
INVALID_REQUEST: Final = -32600
METHOD_NOT_FOUND: Final = -32601
INVALID_PARAMS: Final = -32602
INTERNAL_ERROR: Final = -32603
UNSUPPORTED_VERSION: Final = -32022

MAX_OPEN: Final = 64
"""Calls of one connection that may wait for their answers."""

_BATCHES: Final = "2025-03-26"  # the one version in which a message may be a list of messages
_NO_VERSION: Final = f"_meta lacks {PROTOCOL_VERSION}"
_LIST_TTL_MS: Final = 3_600_000  # the tools change with the version of mcpobs only

Id = str | int
Object = dict[str, object]


@dataclass(frozen=True, slots=True)
class Say:
    """A message for the client."""

    message: object


@dataclass(frozen=True, slots=True, eq=False)
class Call:
    """A tool to run. Its answer goes to `Conversation.answered`, also if it failed."""

    id: Id
    tool: str
    arguments: Object
    modern: bool


@dataclass(frozen=True, slots=True)
class Stop:
    """A call that the client no longer wants. An answer that comes nevertheless is dropped."""

    call: Call


Step = Say | Call | Stop


@dataclass(slots=True)
class _Batch:
    waiting: set[Id] = field(default_factory=set)
    replies: list[object] = field(default_factory=list)
    read: bool = False
    """All of its messages were looked at: one of them may cancel another."""


class Conversation:
    """One connection with a client. `tools` are as `tools/list` shows them."""

    def __init__(self, tools: Sequence[Mapping[str, object]], server: Mapping[str, str], instructions: str) -> None:
        self._tools = list(tools)
        self._names = [str(tool["name"]) for tool in tools]
        self._server = dict(server)
        self._instructions = instructions
        self._agreed: str | None = None
        self._open: dict[Id, Call] = {}
        self._batched: dict[Id, _Batch] = {}

    def feed(self, line: bytes) -> list[Step]:
        """The steps that a line of the client leads to, in this order."""
        if not line.strip():
            return []
        try:
            message = orjson.loads(line)
        except ValueError:
            return [_refusal(None, PARSE_ERROR, "this line is no JSON")]
        if not isinstance(message, list):
            return self._one(message)
        if self._agreed != _BATCHES or not message:
            return [_refusal(None, INVALID_REQUEST, "a message is one JSON object; batches are not taken")]
        return self._batch(message)

    def too_long(self, limit_bytes: int) -> list[Step]:
        """The steps that a line beyond the size limit leads to."""
        return [_refusal(None, INVALID_REQUEST, f"a message has at most {limit_bytes:,} bytes")]

    def answered(self, call: Call, result: Mapping[str, object]) -> list[Step]:
        """The steps that the result of a call leads to: none if the client cancelled the call."""
        if self._open.get(call.id) is not call:
            return []
        del self._open[call.id]
        say = _result(call.id, self._dressed(result, modern=call.modern))
        batch = self._batched.pop(call.id, None)
        if batch is None:
            return [say]
        batch.replies.append(say.message)
        batch.waiting.discard(call.id)
        return _ended(batch)

    def _batch(self, messages: list[object]) -> list[Step]:
        batch = _Batch()
        steps: list[Step] = []
        for message in messages:
            for step in self._one(message):
                if isinstance(step, Say):
                    batch.replies.append(step.message)
                    continue
                if isinstance(step, Call):
                    batch.waiting.add(step.id)
                    self._batched[step.id] = batch
                steps.append(step)
        batch.read = True
        return steps + _ended(batch)

    def _one(self, message: object) -> list[Step]:
        if not isinstance(message, dict):
            return [_refusal(None, INVALID_REQUEST, "a message is a JSON object")]
        given = message.get("id")
        id = given if isinstance(given, str | int) and not isinstance(given, bool) else None
        if message.get("jsonrpc") != "2.0":
            return [_refusal(id, INVALID_REQUEST, 'a message says "jsonrpc": "2.0"')]
        method = message.get("method")
        if method is None and ("result" in message or "error" in message):
            return []  # an answer, and nothing was asked
        if not isinstance(method, str):
            return [_refusal(id, INVALID_REQUEST, "a request has a method, which is a text")]
        params = message.get("params")
        if params is None:
            params = {}
        if "id" not in message:
            return self._notified(method, params) if isinstance(params, dict) else []
        if id is None:
            return [_refusal(None, INVALID_REQUEST, "the id of a request is a text or an integer")]
        if id in self._open:
            return [_refusal(id, INVALID_REQUEST, "a request with this id is not answered yet")]
        if not isinstance(params, dict):
            return [_refusal(id, INVALID_PARAMS, "params is an object")]
        return [self._asked(id, method, params)]

    def _notified(self, method: str, params: Object) -> list[Step]:
        if method != "notifications/cancelled":
            return []
        wanted = params.get("requestId")
        if isinstance(wanted, bool) or not isinstance(wanted, str | int):
            return []
        call = self._open.pop(wanted, None)
        if call is None:
            return []
        steps: list[Step] = [Stop(call)]
        batch = self._batched.pop(call.id, None)
        if batch is not None:
            batch.waiting.discard(call.id)
            steps += _ended(batch)
        return steps

    def _asked(self, id: Id, method: str, params: Object) -> Step:
        if method == "initialize":
            return self._initialize(id, params)
        meta = params.get("_meta")
        modern = isinstance(meta, dict) and PROTOCOL_VERSION in meta
        if modern and isinstance(meta, dict) and (refused := _unfit(id, meta)):
            return refused
        if method == "ping" and not modern:
            return _result(id, {})
        if method == "server/discover":
            return self._discover(id) if modern else _refusal(id, INVALID_PARAMS, _NO_VERSION)
        if method not in ("tools/list", "tools/call"):
            return _refusal(id, METHOD_NOT_FOUND, f"there is no method {_echo(method)}")
        if not modern and self._agreed is None:
            return _refusal(id, INVALID_PARAMS, f"initialize comes first; {_NO_VERSION}")
        return self._list(id, params, modern) if method == "tools/list" else self._call(id, params, modern)

    def _initialize(self, id: Id, params: Object) -> Step:
        wanted = params.get("protocolVersion")
        if not isinstance(wanted, str):
            return _refusal(id, INVALID_PARAMS, "initialize names a protocolVersion")
        self._agreed = wanted if wanted in LEGACY else LEGACY[0]
        return _result(
            id,
            {
                "protocolVersion": self._agreed,
                "capabilities": {"tools": {}},
                "serverInfo": self._server,
                "instructions": self._instructions,
            },
        )

    def _discover(self, id: Id) -> Step:
        offer = {
            "supportedVersions": list(MODERN),
            "capabilities": {"tools": {}},
            "instructions": self._instructions,
            **_cacheable(),
        }
        return _result(id, self._dressed(offer, modern=True))

    def _list(self, id: Id, params: Object, modern: bool) -> Step:
        if params.get("cursor") is not None:
            return _refusal(id, INVALID_PARAMS, "the list of tools has one page: no cursor is valid")
        return _result(id, self._dressed({"tools": self._tools} | (_cacheable() if modern else {}), modern=modern))

    def _call(self, id: Id, params: Object, modern: bool) -> Step:
        name, arguments = params.get("name"), params.get("arguments")
        if not isinstance(name, str):
            return _refusal(id, INVALID_PARAMS, "tools/call names a tool")
        if name not in self._names:
            close = nearest(name[:100], self._names)
            meant = f"did you mean {close}?" if close else f"the tools are {', '.join(self._names)}"
            return _refusal(id, INVALID_PARAMS, f"there is no tool {_echo(name)}: {meant}")
        if arguments is not None and not isinstance(arguments, dict):
            return _refusal(id, INVALID_PARAMS, "arguments is an object")
        if len(self._open) >= MAX_OPEN:
            return _refusal(id, INTERNAL_ERROR, f"{MAX_OPEN} calls wait already: try again when some are answered")
        call = Call(id, name, arguments or {}, modern)
        self._open[id] = call
        return call

    def _dressed(self, result: Mapping[str, object], *, modern: bool) -> Object:
        """A result with what the modern era adds to each."""
        if not modern:
            return dict(result)
        return {"resultType": "complete", **result, "_meta": {SERVER_INFO: self._server}}


def _cacheable() -> Object:
    return {"ttlMs": _LIST_TTL_MS, "cacheScope": "public"}


def _unfit(id: Id, meta: Object) -> Say | None:
    """Why a request of the modern era cannot be served; None if it can."""
    version = meta[PROTOCOL_VERSION]
    if not isinstance(version, str):
        return _refusal(id, INVALID_PARAMS, f"{PROTOCOL_VERSION} in _meta is a text")
    if version not in MODERN:
        # A legacy version is agreed on by `initialize`, never by `_meta`: naming it again would send a client round.
        supported = list(MODERN) if version in LEGACY else [*MODERN, *LEGACY]
        data: Object = {"supported": supported, "requested": version[:100]}
        return _refusal(id, UNSUPPORTED_VERSION, "this protocol version is not supported", data)
    if not isinstance(meta.get(CLIENT_CAPABILITIES), dict):
        return _refusal(id, INVALID_PARAMS, f"_meta lacks {CLIENT_CAPABILITIES}, an object")
    return None


def _ended(batch: _Batch) -> list[Step]:
    """The replies of a batch once all are there. A batch of notifications has none."""
    if not batch.read or batch.waiting or not batch.replies:
        return []
    replies, batch.replies = batch.replies, []
    return [Say(replies)]


def _result(id: Id, result: Object) -> Say:
    return Say({"jsonrpc": "2.0", "id": id, "result": result})


def _refusal(id: Id | None, code: int, why: str, data: Object | None = None) -> Say:
    error: Object = {"code": code, "message": why} | ({} if data is None else {"data": data})
    return Say({"jsonrpc": "2.0", "id": id, "error": error})


def _echo(name: str) -> str:
    """A word of the client's, so short that it cannot be the message."""
    return repr(printable(name if len(name) <= 100 else name[:100] + "…"))
