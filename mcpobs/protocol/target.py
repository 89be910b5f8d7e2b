"""What a request is aimed at: its tool, prompt or resource, and the arguments it carries."""

from __future__ import annotations

import re

from mcpobs.protocol.text import bounded_or_none

_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31}):")  # RFC 3986, 3.1


Target = tuple[str | None, str | None, str | None]
"""The tool, the prompt and the scheme of the resource: one of them at most."""


def target_of(method: str, params: dict[str, object]) -> Target:
    if method == "tools/call":
        return bounded_or_none(params.get("name")), None, None
    if method == "prompts/get":
        return None, bounded_or_none(params.get("name")), None
    if method.startswith(("resources/", "notifications/resources/")):
        return None, None, _scheme(params.get("uri"))
    return None, None, None


def _scheme(uri: object) -> str | None:
    """The scheme of a URI in lower case; the rest is content."""
    match = _SCHEME.match(uri) if isinstance(uri, str) else None
    return match[1].lower() if match else None
