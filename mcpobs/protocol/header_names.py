"""Lists the arguments that an inputSchema copies to headers (2026-07-28, `x-mcp-header`). Reads nothing else of it.

Schemas come from the peer: depth and number are bounded, and what is beyond the bounds counts as not declared.
"""

from __future__ import annotations

from collections.abc import Mapping

MAX_DEPTH = 6
MAX_HEADERS = 64
MAX_NAME = 256
HeaderNames = Mapping[str, tuple[str, ...]]
"""The paths of arguments by the header that each is copied to, in small letters and without `Mcp-Param-`."""


def header_names(schema: object) -> HeaderNames:
    """Returns the arguments that are copied to headers."""
    found: dict[str, tuple[str, ...]] = {}
    level: list[tuple[tuple[str, ...], object]] = [((), schema)]
    for _ in range(MAX_DEPTH):
        level = [below for path, one in level for below in _properties(path, one)]
        for path, one in level:
            name = one.get("x-mcp-header") if isinstance(one, dict) else None
            if isinstance(name, str) and len(name) <= MAX_NAME and len(found) < MAX_HEADERS:
                found[name.casefold()] = path
    return found


def _properties(path: tuple[str, ...], schema: object) -> list[tuple[tuple[str, ...], object]]:
    properties = schema.get("properties") if isinstance(schema, dict) else None
    if not isinstance(properties, dict):
        return []
    return [((*path, name), one) for name, one in list(properties.items())[:MAX_HEADERS] if isinstance(name, str)]
