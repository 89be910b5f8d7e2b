"""A message as an SDK hands it to its server, and the Operation that it becomes. Pure; keeps no content."""

from __future__ import annotations

import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple

from mcpobs.protocol.declared import MAX_TOOLS, Declarations, declared_by_arguments, declared_by_schema
from mcpobs.protocol.facts import Facts
from mcpobs.protocol.ids import id_text
from mcpobs.protocol.meta import conversation_of, peer_of, version_of
from mcpobs.protocol.operation import Operation, Peer, Stamp
from mcpobs.protocol.outcome import Verdict, of_error, of_result
from mcpobs.protocol.target import target_of
from mcpobs.protocol.text import bounded
from mcpobs.protocol.trace import parse_traceparent

MAX_PEERS = 1_024
MAX_AIMS = 1_024
MAX_AIM = 512  # characters
_NAMING = frozenset({"tools/call", "prompts/get"})
_NOT_YET = Stamp(0, 0)
_OF_RESOURCES = ("resources/", "notifications/resources/")


@dataclass(slots=True)
class Inbound:
    """One request or notification. `request_id` is None for a notification."""

    method: str
    params: dict[str, object]
    request_id: object
    protocol_version: str | None
    client: Peer
    server: Peer

    @property
    def meta(self) -> dict[str, object] | None:
        meta = self.params.get("_meta")
        return meta if isinstance(meta, dict) else None


class Peers:
    """The same object for the same peer: rows that share it share what is written of it."""

    def __init__(self) -> None:
        self._known: dict[tuple[object, object], Peer] = {}

    def of(self, name: object, version: object) -> Peer:
        key = (name, version)
        try:
            found = self._known.get(key)
        except TypeError:  # what no JSON text holds
            return self.of(None, None)
        if found is None:
            if len(self._known) >= MAX_PEERS:
                self._known.clear()
            found = self._known[key] = peer_of({"name": name, "version": version}) or Peer()
        return found


class Aim(NamedTuple):
    """What messages that ask for the same have in common, made fit for a record."""

    method: str
    tool: str | None
    prompt: str | None
    protocol_version: str | None


class Aims:
    """Remembers aims: a server is asked for the same few things. Bounded, for the caller chooses the names."""

    def __init__(self) -> None:
        self._known: dict[tuple[str, object, object], Aim] = {}

    def of(self, message: Inbound) -> Aim:
        method, version = message.method, message.protocol_version
        name = message.params.get("name") if method in _NAMING else None
        if not isinstance(name, str):
            name = None
        asked = (method, name, version)
        found = self._known.get(asked)
        if found is None:
            tool, prompt, _ = target_of(method, {"name": name})
            found = Aim(bounded(method), tool, prompt, version_of(version))
            if len(method) + len(name or "") + len(version or "") <= MAX_AIM:
                if len(self._known) >= MAX_AIMS:
                    self._known.clear()
                self._known[asked] = found
        return found


class Declared:
    """What one server declares of its tools and prompts."""

    def __init__(self) -> None:
        self.tools = Declarations()
        self.prompts = Declarations()

    def learn(self, method: str, result: object) -> None:
        """From the result of a listing."""
        if not isinstance(result, Mapping):
            return
        if method == "tools/list":
            for tool in _objects(result.get("tools")):
                self.tools.learn(tool.get("name"), partial(declared_by_schema, tool.get("inputSchema")))
        elif method == "prompts/list":
            for prompt in _objects(result.get("prompts")):
                self.prompts.learn(prompt.get("name"), partial(declared_by_arguments, prompt.get("arguments")))

    def learn_tool(self, name: str, schema: object) -> None:
        self.tools.learn(name, partial(declared_by_schema, schema))


def begin(
    message: Inbound, meta: dict[str, object] | None, sequence: int, facts: Facts, aims: Aims, declared: Declared
) -> Operation:
    """The operation of a message that has come in, with its `_meta`. Its clock starts last: what is done here is not
    the server's."""
    method, tool, prompt, version = aims.of(message)
    params, request_id = message.params, message.request_id
    operation = Operation(
        sequence,
        "client",
        method,
        _NOT_YET,
        None if request_id is None else id_text(request_id),
        tool,
        prompt,
        None,
        version,
        message.client,
        message.server,
    )
    if method.startswith(_OF_RESOURCES):
        operation.resource_scheme = target_of(message.method, params)[2]
    if meta is not None:
        if "traceparent" in meta:
            operation.parent = parse_traceparent(meta["traceparent"])
        operation.conversation_id = conversation_of(meta)
    if method in _NAMING:
        name = params.get("name")
        known = declared.tools if method == "tools/call" else declared.prompts
        schema = known.of(name) if isinstance(name, str) else None
        with suppress(TypeError, AssertionError):  # in memory a caller can pass what no JSON text holds
            operation.arguments, operation.arguments_features = facts.arguments(params.get("arguments", {}), schema)
    operation.start = Stamp(time.time_ns(), time.monotonic_ns())
    return operation


def take_result(operation: Operation, result: object, facts: Facts) -> Verdict:
    """Notes the facts of a result as it goes on the wire, and judges it."""
    verdict = of_result(operation.method, result)
    try:
        operation.result, items, empty = facts.result(result)
    except (TypeError, AssertionError):  # as for arguments
        return verdict
    if verdict.outcome in ("ok", "tool_error"):
        operation.result_items, operation.result_empty = items, empty
        if facts.asks_for_prices:
            operation.measured = facts.measured(operation.tool, result)
    return verdict


def take_error(operation: Operation, code: int, message: str, facts: Facts) -> Verdict:
    """The same of a JSON-RPC error."""
    error = {"code": code, "message": message}
    operation.result = facts.error(error)
    return of_error(error, "client")


def _objects(value: object) -> list[dict[str, object]]:
    listed = value[:MAX_TOOLS] if isinstance(value, list) else []
    return [item for item in listed if isinstance(item, dict)]
