"""Lists the texts of a message that inspectors look at, each with the part of the message in which it lies."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from mcpobs.detect.strings import Text as Found
from mcpobs.detect.strings import strings
from mcpobs.policy.inspect.blobs import is_base64, text_of
from mcpobs.policy.inspect.inspector import At, Of, Text, Where

LISTED: Final = {
    "tools": "name",
    "prompts": "name",
    "resources": "uri",
    "resourceTemplates": "uriTemplate",
}
"""Members of a listing that hold its items, and the member that names an item."""
_PARTS: Final[dict[str, Where]] = {
    "structuredContent": "structured",
    "contents": "resource",
    "messages": "message",
    "inputRequests": "request",
}
_PLUMBING: Final = frozenset({("result", "nextCursor"), ("result", "requestState"), ("result", "resultType")})
"""Texts that a client sends back as they are, and no model reads, in a result without content."""
_TOKEN: Final = re.compile(r"\S*")
_ASKED: Final = frozenset({"arguments", "argument", "context", "inputResponses"})
"""Parameters of a client's request that hold a model's or a user's texts."""
_BINARY: Final = frozenset({"data", "blob"})
"""Members that hold base64."""
MOST_SHORT: Final = 512
"""Characters of base64 that are looked at as they are written, too: a word or a number may pass for base64."""


def texts(of: Of, message: dict[str, object]) -> tuple[list[Text], bool]:
    """Returns every text and every member name of a message, and whether it has more than can be looked at. Of binary
    content only texts in base64 are read."""
    root = next(iter(message), "")
    found: list[Text] = []
    walk = strings(message.get(root), numbers=True)
    try:
        while True:
            text = next(walk)
            at: At = (root, *text.path)
            if _is_read(of, message, at, text.text):
                if text.key in _BINARY and not text.is_key and at[1:2] != ("structuredContent",):
                    found += _readings(of, message, at, text)
                else:
                    found.append(_text(of, message, at, text))
    except StopIteration as end:
        return found, bool(end.value)


def _text(of: Of, message: dict[str, object], at: At, found: Found) -> Text:
    """A text with its part of the message."""
    return Text(
        at,
        found.text,
        "key" if found.is_key else _where(of, at),
        found.key,
        found.is_key,
        item=_item(message, at) if of == "listing" else None,
        is_unplaced=found.is_deep,
        is_number=found.is_number,
    )


def _readings(of: Of, message: dict[str, object], at: At, found: Found) -> Iterator[Text]:
    """What a member holds that may be in base64; nothing for a picture or a sound."""
    text = _text(of, message, at, found)
    if len(text.text) <= MOST_SHORT or not is_base64(text.text):
        yield text
    clear = text_of(text.text, _mime(message, at))
    if clear is not None:
        yield text._replace(text=clear, is_unplaced=True)


def _mime(message: dict[str, object], at: At) -> str:
    holder = value_at(message, at[:-1])
    mime = holder.get("mimeType") if isinstance(holder, dict) else None
    return mime if isinstance(mime, str) else ""


def _is_read(of: Of, message: dict[str, object], at: At, text: str) -> bool:
    """Whether a model may read a text: it is no envelope, and not what a client only sends back."""
    if at not in _PLUMBING:
        return _is_content(of, at)
    result = message["result"]
    assert isinstance(result, dict)
    return "content" in result or "structuredContent" in result or _TOKEN.fullmatch(text) is None


def _where(of: Of, at: At) -> Where:
    match of:
        case "call":
            return "arguments"
        case "listing":
            return "description"
        case "request":
            return "request"
    if at[0] == "error":
        return "error"
    part = _PARTS.get(str(at[1])) if len(at) > 1 else None
    return part or ("resource" if "resource" in at[3:4] else "content")


def _is_content(of: Of, at: At) -> bool:
    """Whether a part of the parameters is no envelope: name of the tool, version, trace, token."""
    member = at[1] if len(at) > 1 else ""
    match of:
        case "call":
            return member in _ASKED
        case _:
            return True


def _item(message: dict[str, object], at: At) -> str | None:
    """The name of the item of a listing that a text describes."""
    if len(at) < 3 or at[1] not in LISTED:
        return None
    item = value_at(message, at[:3])
    name = item.get(LISTED[str(at[1])]) if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def value_at(value: object, at: At) -> object:
    """Returns the value at a path; None if there is none."""
    for step in at:
        if isinstance(value, dict):
            value = value.get(step)
        elif isinstance(value, list) and isinstance(step, int) and step < len(value):
            value = value[step]
        else:
            return None
    return value
