"""What a request is aimed at: its tool, prompt or resource, and the arguments it carries."""

from __future__ import annotations

from mcpobs.masking import uri_scheme
from mcpobs.protocol.text import bounded_or_none

Target = tuple[str | None, str | None, str | None]
"""The tool, the prompt and the scheme of the resource: one of them at most."""


def target_of(method: str, params: dict[str, object]) -> Target:
    if method == "tools/call":
        return bounded_or_none(params.get("name")), None, None
    if method == "prompts/get":
        return None, bounded_or_none(params.get("name")), None
    if method.startswith(("resources/", "notifications/resources/")):
        return None, None, uri_scheme(params.get("uri"))
    return None, None, None
