"""What is known of a server and of its clients beyond one message. Bounded, because peers choose the names."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import NamedTuple

from mcpobs.protocol.declared import MAX_TOOLS, Declarations, declared_by_arguments, declared_by_schema
from mcpobs.protocol.header_names import MAX_NAME, HeaderNames, header_names
from mcpobs.protocol.meta import peer_of, version_of
from mcpobs.protocol.operation import Peer
from mcpobs.protocol.target import target_of
from mcpobs.protocol.text import bounded

MAX_PEERS = 1_024
MAX_TARGETS = 1_024
MAX_TARGET_CHARACTERS = 512
NAMING = frozenset({"tools/call", "prompts/get"})
"""Methods whose params have a `name` and `arguments`."""
LISTINGS = frozenset({"tools/list", "prompts/list"})


class Target(NamedTuple):
    """What messages that ask for the same have in common, in bounded texts."""

    method: str
    tool: str | None
    prompt: str | None
    protocol_version: str | None


class Catalog:
    """The tools and prompts that one server has declared."""

    def __init__(self) -> None:
        self.tools = Declarations()
        self.prompts = Declarations()
        self.headers: dict[str, HeaderNames] = {}
        """The arguments that are copied to headers, by tool; empty for a tool that nobody has listed."""

    def learn(self, method: str, result: object) -> None:
        """Takes the declarations of a listing's result."""
        if not isinstance(result, Mapping):
            return
        if method == "tools/list":
            for tool in _objects(result.get("tools")):
                self.learn_tool(tool.get("name"), tool.get("inputSchema"))
        elif method == "prompts/list":
            for prompt in _objects(result.get("prompts")):
                self.prompts.learn(prompt.get("name"), partial(declared_by_arguments, prompt.get("arguments")))

    def learn_tool(self, name: object, schema: object) -> None:
        self.tools.learn(name, partial(declared_by_schema, schema))
        if isinstance(name, str) and len(name) <= MAX_NAME and (len(self.headers) < MAX_TOOLS or name in self.headers):
            self.headers[name] = header_names(schema)


class Registry:
    """Shared by all conversations of a front: its server's catalog, peers, targets, and the order of operations."""

    def __init__(self) -> None:
        self.catalog = Catalog()
        self.sequence = 0
        """The sequence that the next operation gets."""
        self._peers: dict[tuple[object, object], Peer] = {}
        self._targets: dict[tuple[str, object, object], Target] = {}
        self.server = self.peer(None, None)

    def next_sequence(self) -> int:
        sequence = self.sequence
        self.sequence = sequence + 1
        return sequence

    def peer(self, name: object, version: object) -> Peer:
        """The same object for the same peer: rows that share it share its columns."""
        key = (name, version)
        try:
            found = self._peers.get(key)
        except TypeError:  # an object or array in the place of a name
            return self.peer(None, None)
        if found is None:
            if len(self._peers) >= MAX_PEERS:
                self._peers.clear()
            found = self._peers[key] = peer_of({"name": name, "version": version}) or Peer()
        return found

    def target(self, method: str, params: object, protocol_version: object) -> Target:
        """Remembered, because a server is asked for the same few things."""
        name = params.get("name") if method in NAMING and isinstance(params, dict) else None
        if not isinstance(name, str):
            name = None
        if not isinstance(protocol_version, str):
            protocol_version = None
        asked = (method, name, protocol_version)
        found = self._targets.get(asked)
        if found is None:
            tool, prompt, _ = target_of(method, {"name": name})
            found = Target(bounded(method), tool, prompt, version_of(protocol_version))
            if len(method) + len(name or "") + len(protocol_version or "") <= MAX_TARGET_CHARACTERS:
                if len(self._targets) >= MAX_TARGETS:
                    self._targets.clear()
                self._targets[asked] = found
        return found


def _objects(value: object) -> list[dict[str, object]]:
    listed = value[:MAX_TOOLS] if isinstance(value, list) else []
    return [item for item in listed if isinstance(item, dict)]
