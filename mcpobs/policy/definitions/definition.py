"""Takes the definition of a tool out of a `tools/list` result, with its fingerprint. Does no I/O and never raises.

The fingerprint is the SHA-256 of canonical JSON, so the order of keys, spacing and escapes make no difference.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Final, NamedTuple

from mcpobs.protocol.canonical import canonical

FIELDS: Final = ("name", "title", "description", "inputSchema", "outputSchema", "annotations")
"""The members that a model or a client acts upon. `_meta` and icons may change with every listing."""
MAX_TOOLS: Final = 4_096
MAX_BYTES: Final = 256 << 10
"""Of one definition, as canonical JSON."""
MAX_NAME: Final = 512


class Definition(NamedTuple):
    """`value` holds the members of FIELDS that the tool has. It is None for a definition that is too large to be kept,
    or that JSON readers take in different ways (lone surrogates, numbers beyond 64 bits, more than 254 levels): such a
    definition cannot be approved."""

    name: str
    sha256: str
    size_bytes: int
    value: Mapping[str, object] | None


def definition_of(tool: object) -> Definition | None:
    """Returns a tool's definition; None for an item without a name. A member that is null counts as missing."""
    if not isinstance(tool, dict) or not isinstance(tool.get("name"), str):
        return None
    value = {field: tool[field] for field in FIELDS if tool.get(field) is not None}
    text, size = canonical(value)
    name = tool["name"]
    fits = size <= MAX_BYTES and len(name) <= MAX_NAME and text.startswith(b"{")  # `canonical` marks odd values
    return Definition(name, hashlib.sha256(text).hexdigest(), size, value if fits else None)


def definitions_of(result: object) -> list[Definition]:
    """Returns the definitions of a `tools/list` result, or of a bare list of tools, in its order."""
    tools = result.get("tools") if isinstance(result, Mapping) else result
    listed = tools[:MAX_TOOLS] if isinstance(tools, list) else []
    return [found for tool in listed if (found := definition_of(tool)) is not None]
