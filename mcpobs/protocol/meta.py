"""What `_meta` and the handshake say about the sides and the conversation. Trusts nothing: any value, any type."""

from __future__ import annotations

import re
from collections.abc import Mapping

from mcpobs.detect.recorded import scrubbed
from mcpobs.masking import masked_urls
from mcpobs.protocol.naming import conversation_name
from mcpobs.protocol.operation import Peer
from mcpobs.protocol.text import bounded_or_none
from mcpobs.semconv import CONVERSATION_ID

# MCP 2026-07-28, basic: reserved keys of _meta
PROTOCOL_VERSION = "io.modelcontextprotocol/protocolVersion"
CLIENT_INFO = "io.modelcontextprotocol/clientInfo"
SERVER_INFO = "io.modelcontextprotocol/serverInfo"

MAX_VERSION = 64
_MAX_BAGGAGE = 8_192  # W3C Baggage, 3.3.2
_ESCAPE = re.compile(rb"%([0-9A-Fa-f]{2})")


def peer_of(info: object) -> Peer | None:
    """clientInfo or serverInfo; None where it is no such object. A URL in a name keeps no user, query or fragment,
    and personal data and secrets are scrubbed."""
    if not isinstance(info, dict):
        return None
    return Peer(_without_credentials(info.get("name")), _without_credentials(info.get("version")))


def _without_credentials(value: object) -> str | None:
    return bounded_or_none(scrubbed(masked_urls(value)) if isinstance(value, str) else value)


def version_of(value: object) -> str | None:
    return bounded_or_none(value, MAX_VERSION)


def conversation_of(meta: Mapping[str, object]) -> str | None:
    """gen_ai.conversation.id, from `_meta` itself, else from its W3C baggage.

    An id that is too long or cannot be shown is replaced by its digest: equal ones stay equal.
    """
    found = meta.get(CONVERSATION_ID)
    if found is None:
        baggage = meta.get("baggage")
        if not isinstance(baggage, str):
            return None
        found = _from_baggage(baggage)
    if not isinstance(found, str) or not found:
        return None
    return conversation_name(found)


def _from_baggage(baggage: str) -> str | None:
    if len(baggage) > _MAX_BAGGAGE or CONVERSATION_ID not in baggage:
        return None
    for entry in baggage.split(","):
        name, equals, value = entry.partition(";")[0].partition("=")
        if equals and name.strip() == CONVERSATION_ID:
            return _unescaped(value.strip())
    return None


def _unescaped(text: str) -> str:
    raw = text.encode("utf-8", "replace")
    return _ESCAPE.sub(lambda match: bytes((int(match[1], 16),)), raw).decode("utf-8", "replace")
