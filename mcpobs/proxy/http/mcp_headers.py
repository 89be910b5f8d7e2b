"""The headers in which a request repeats what its body says (2026-07-28, `Mcp-Method`, `Mcp-Name`, `Mcp-Param-…`).

A server may look at either, so a request that is judged by its body must not say anything else in its headers.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Final

from mcpobs.protocol.decode import decode
from mcpobs.protocol.header_names import HeaderNames
from mcpobs.proxy.http.headers import Header

METHOD_HEADER = "mcp-method"
NAME_HEADER = "mcp-name"
_NAMED_BY = {"tools/call": "name", "prompts/get": "name", "resources/read": "uri"}
_PARAM: Final = "mcp-param-"
_MAX_DEPTH: Final = 64
_PREFIX, _SUFFIX = "=?base64?", "?="


def contradicts(headers: list[Header], body: bytes, declared: Mapping[str, HeaderNames]) -> bool:
    """Whether a header names another method, target or argument than the body, or the body is ambiguous. `declared` are
    the arguments that listed tools copy to headers."""
    method, name = _said(body)
    for header in headers:
        lower = header.lower.replace("_", "-")  # some servers take both for the same
        if lower == METHOD_HEADER and header.value != method:
            return True
        if lower == NAME_HEADER and method in _NAMED_BY and _decoded(header.value) != name:
            return True
        if lower.startswith(_PARAM) and method == "tools/call":
            known = declared.get(name) if name is not None else None
            if not _is_argument(lower.removeprefix(_PARAM), header.value, body, known):
                return True
    return False


def _is_argument(header: str, value: str, body: bytes, known: HeaderNames | None) -> bool:
    """Whether a header holds the value of its argument: of the argument that the schema of the tool copies to it, else
    of the argument of the same name. Any other header could be made up."""
    message = decode(body)
    params = message.get("params") if isinstance(message, dict) else None
    arguments = params.get("arguments") if isinstance(params, dict) else None
    copied = [path for name, path in (known or {}).items() if _plain(name) == _plain(header)]
    candidates = [_at(arguments, path) for path in copied] or [
        one for member, one in _members(arguments) if _plain(member) == _plain(header)
    ]
    text = _decoded(value)
    return text is not None and bool(candidates) and all(_is_written(one, text) for one in candidates)


def _at(value: object, path: tuple[str, ...]) -> object:
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


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
