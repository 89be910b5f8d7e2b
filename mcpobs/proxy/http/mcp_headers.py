"""The headers in which a request repeats what its body says (2026-07-28, `Mcp-Method`, `Mcp-Name`, `Mcp-Param-…`).

A server may look at either, so a request that is judged by its body must not say anything else in its headers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from contextlib import suppress
from typing import Final

from mcpobs.protocol.decode import decode
from mcpobs.proxy.http.headers import Header

METHOD_HEADER = "mcp-method"
NAME_HEADER = "mcp-name"
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PARAM: Final = "mcp-param-"
_MAX_DEPTH: Final = 64
_PREFIX, _SUFFIX = "=?base64?", "?="


def contradicts(headers: list[Header], body: bytes) -> bool:
    """Whether a header names another method or target than the body, or none can tell which."""
    method, name = _said(body)
    for header in headers:
        lower = header.lower.replace("_", "-")  # some servers take both for the same
        if lower == METHOD_HEADER and header.value != method:
            return True
        if lower == NAME_HEADER and method in _NAMED_BY and _decoded(header.value) != name:
            return True
        if lower.startswith(_PARAM) and method == "tools/call" and not _is_argument(lower, header.value, body):
            return True
    return False


def _is_argument(header: str, value: str, body: bytes) -> bool:
    """Whether a header holds the value of an argument: of that of the same name, if there is one. Which one it is, only
    the tool's schema says."""
    message = decode(body)
    params = message.get("params") if isinstance(message, dict) else None
    members = list(_members(params.get("arguments") if isinstance(params, dict) else None))
    name, text = _plain(header.removeprefix(_PARAM)), _decoded(value)
    candidates = [one for member, one in members if _plain(member) == name] or [one for _, one in members]
    return text is not None and any(_is_written(one, text) for one in candidates)


def _members(value: object, depth: int = 0) -> Iterator[tuple[str, object]]:
    if isinstance(value, dict) and depth < _MAX_DEPTH:
        for name, item in value.items():
            yield name, item
            yield from _members(item, depth + 1)


def _plain(name: str) -> str:
    return name.casefold().replace("-", "").replace("_", "")


def _is_written(value: object, text: str) -> bool:
    """Whether a header's text stands for a value: 42.0 for 42, too."""
    if isinstance(value, bool):
        return text == ("true" if value else "false")
    if isinstance(value, str):
        return text == value
    if not isinstance(value, int | float):
        return False
    with suppress(ValueError, OverflowError):
        return text == str(value) or float(text) == value
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
