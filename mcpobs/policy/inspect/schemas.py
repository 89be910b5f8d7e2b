"""Keeps the output schemas that a server declares in `tools/list`, up to a bound. Does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from mcpobs.protocol.canonical import canonical

MAX_TOOLS: Final = 4_096
MAX_BYTES: Final = 16 << 20
"""Of all schemas, as JSON."""


class OutputSchemas:
    """The newest schema of each tool. A tool that is listed without one has none."""

    def __init__(self) -> None:
        self._known: dict[str, tuple[object, int]] = {}
        self._bytes = 0

    def learn(self, result: object) -> None:
        """Learns the tools of a `tools/list` result."""
        tools = result.get("tools") if isinstance(result, Mapping) else None
        for tool in tools[:MAX_TOOLS] if isinstance(tools, list) else ():
            if isinstance(tool, dict) and isinstance(tool.get("name"), str):
                self._keep(tool["name"], tool.get("outputSchema"))

    def of(self, tool: object) -> object:
        """Returns the schema of a tool; None without one."""
        known = self._known.get(tool) if isinstance(tool, str) else None
        return None if known is None else known[0]

    def _keep(self, tool: str, schema: object) -> None:
        self._bytes -= self._known.pop(tool, (None, 0))[1]
        size = len(tool) + canonical(schema)[1]
        if schema is not None and len(self._known) < MAX_TOOLS and self._bytes + size <= MAX_BYTES:
            self._known[tool] = schema, size
            self._bytes += size
