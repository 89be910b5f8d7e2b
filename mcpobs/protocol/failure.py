"""Finds the text that a failed answer gives people: of an `isError` result, of a JSON-RPC error. Pure."""

from __future__ import annotations

from typing import Final

import orjson

_MESSAGES: Final = ("message", "error", "detail", "error_description", "errorMessage", "msg", "title", "reason")
"""Members of a JSON object that hold its message, the first one that is a text or holds one."""
_MOST_BLOCKS: Final = 16
_MAX_JSON: Final = 65_536
_DEPTH: Final = 3


def text_of_result(result: object) -> str | None:
    """Returns the text of an `isError` result: its first text block that is not blank, else its structured content."""
    if not isinstance(result, dict):
        return None
    content = result.get("content")
    for block in content[:_MOST_BLOCKS] if isinstance(content, list) else ():
        text = block.get("text") if isinstance(block, dict) and block.get("type") == "text" else None
        if isinstance(text, str) and not text.isspace() and text:
            return _message_of_text(text)
    return _message_of(result.get("structuredContent"))


def text_of_error(error: object) -> str | None:
    """Returns the message of a JSON-RPC error."""
    message = error.get("message") if isinstance(error, dict) else None
    return _message_of_text(message) if isinstance(message, str) else None


def _message_of_text(text: str) -> str | None:
    """Returns the message of a text that is JSON, and any other text as it is. JSON without a message is content."""
    if not text.lstrip().startswith("{"):
        return text
    if len(text) > _MAX_JSON:
        return None
    try:
        return _message_of(orjson.loads(text))
    except orjson.JSONDecodeError:
        return text


def _message_of(value: object, depth: int = _DEPTH) -> str | None:
    if isinstance(value, str):
        return value
    if not isinstance(value, dict) or not depth:
        return None
    for name in _MESSAGES:
        found = _message_of(value.get(name), depth - 1)
        if found:
            return found
    return None
