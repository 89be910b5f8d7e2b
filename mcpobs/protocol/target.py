"""What a request is aimed at: its tool, prompt or resource, and the arguments it carries."""

from __future__ import annotations

import re
from typing import NamedTuple

from mcpobs.protocol.text import bounded_or_none

MAX_NAME = 256
_SCHEME = re.compile(r"([A-Za-z][A-Za-z0-9+.-]{0,31}):")  # RFC 3986, 3.1


class Target(NamedTuple):
    tool: str | None = None
    prompt: str | None = None
    resource_scheme: str | None = None


NONE = Target()


def target_of(method: str, params: dict[str, object]) -> Target:
    if method == "tools/call":
        return Target(bounded_or_none(params.get("name"), MAX_NAME))
    if method == "prompts/get":
        return Target(prompt=bounded_or_none(params.get("name"), MAX_NAME))
    if method.startswith(("resources/", "notifications/resources/")):
        return Target(resource_scheme=_scheme(params.get("uri")))
    return NONE


def _scheme(uri: object) -> str | None:
    """The scheme of a URI in lower case; the rest is content."""
    match = _SCHEME.match(uri) if isinstance(uri, str) else None
    return match[1].lower() if match else None
