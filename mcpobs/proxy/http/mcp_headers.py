"""The headers in which a request repeats what its body says (2026-07-28, `Mcp-Method` and `Mcp-Name`).

A server may look at either, so a request that is judged by its body must not say anything else in its headers.
"""

from __future__ import annotations

import base64
import binascii

from mcpobs.protocol.decode import decode
from mcpobs.proxy.http.headers import Header

METHOD_HEADER = "mcp-method"
NAME_HEADER = "mcp-name"
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PREFIX, _SUFFIX = "=?base64?", "?="


def contradicts(headers: list[Header], body: bytes) -> bool:
    """Whether a header names another method or target than the body, or none can tell which."""
    method, name = _said(body)
    for header in headers:
        if header.lower == METHOD_HEADER and header.value != method:
            return True
        if header.lower == NAME_HEADER and method in _NAMED_BY and _decoded(header.value) != name:
            return True
    return False


def as_in(headers: list[Header], body: bytes) -> list[Header]:
    """The headers with the target that the body names."""
    method, name = _said(body)
    if method not in _NAMED_BY or name is None:
        return headers
    return [header._replace(value=_encoded(name)) if header.lower == NAME_HEADER else header for header in headers]


def _said(body: bytes) -> tuple[str | None, str | None]:
    """Method and target of a message; None for what it does not have."""
    message = decode(body)
    method = message.get("method") if isinstance(message, dict) else None
    if not isinstance(message, dict) or not isinstance(method, str):
        return None, None
    params = message.get("params")
    name = params.get(_NAMED_BY.get(method, "")) if isinstance(params, dict) else None
    return method, name if isinstance(name, str) else None


def _decoded(value: str) -> str | None:
    if not (value.startswith(_PREFIX) and value.endswith(_SUFFIX)):
        return value
    try:
        return base64.b64decode(value[len(_PREFIX) : -len(_SUFFIX)], validate=True).decode()
    except (binascii.Error, UnicodeDecodeError):
        return None


def _encoded(name: str) -> str:
    plain = name.isascii() and name.isprintable() and name == name.strip() and not name.startswith(_PREFIX)
    return name if plain else f"{_PREFIX}{base64.b64encode(name.encode()).decode()}{_SUFFIX}"
