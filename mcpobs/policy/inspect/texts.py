"""Lists the texts of a message that inspectors look at, each with the part of the message in which it lies."""

from __future__ import annotations

import base64
import binascii
from typing import Final

from mcpobs.detect.strings import Text as Found
from mcpobs.detect.strings import strings
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
"""Texts that a client sends back as they are, and no model reads."""
_ASKED: Final = frozenset({"arguments", "argument", "context", "inputResponses"})
"""Parameters of a client's request that hold a model's or a user's texts."""
_TEXTUAL: Final = ("text/", "application/json", "application/xml", "application/javascript", "image/svg+xml")
MAX_BLOB: Final = 4 << 20
"""Characters of base64 that are decoded, of one embedded text."""


def texts(of: Of, message: dict[str, object]) -> tuple[list[Text], bool]:
    """Returns every text and every member name of a message, and whether it has more than can be looked at. Of binary
    content only texts in base64 are read."""
    root = next(iter(message), "")
    found: list[Text] = []
    walk = strings(message.get(root), numbers=True)
    try:
        while True:
            text = _text(of, message, root, next(walk))
            if text is not None:
                found.append(text)
    except StopIteration as end:
        return found, bool(end.value)


def _text(of: Of, message: dict[str, object], root: str, found: Found) -> Text | None:
    """A text with its part of the message; None if nobody reads it as one."""
    at: At = (root, *found.path)
    if at in _PLUMBING or not _is_content(of, at):
        return None
    text: str | None = found.text
    if at[-1] in ("data", "blob") and not found.is_key and at[1:2] != ("structuredContent",):
        text = _decoded(message, at, found.text)
    if text is None:
        return None
    return Text(
        at=at,
        text=text,
        where="key" if found.is_key else _where(of, at),
        key=_key(at[1:-1] if found.is_key else at[1:]),
        is_key=found.is_key,
        item=_item(message, at) if of == "listing" else None,
        is_decoded=text is not found.text,
        is_number=found.is_number,
    )


def _key(at: At) -> str | None:
    return next((step for step in reversed(at) if isinstance(step, str)), None)


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
        case "request":
            return member != "_meta"
        case _:
            return True


def _item(message: dict[str, object], at: At) -> str | None:
    """The name of the item of a listing that a text describes."""
    if len(at) < 3 or at[1] not in LISTED:
        return None
    item = value_at(message, at[:3])
    name = item.get(LISTED[str(at[1])]) if isinstance(item, dict) else None
    return name if isinstance(name, str) else None


def _decoded(message: dict[str, object], at: At, text: str) -> str | None:
    """The text of a member that holds base64: None for a picture or a sound, the member itself if it is no base64."""
    holder = value_at(message, at[:-1])
    if not isinstance(holder, dict):
        return text
    kind, mime = holder.get("type"), holder.get("mimeType")
    if at[-1] == "data":
        return None if kind in ("image", "audio") else text
    if not isinstance(mime, str) or not mime.lower().startswith(_TEXTUAL):
        return None
    try:
        return base64.b64decode(text[:MAX_BLOB]).decode("utf-8", "replace")
    except (binascii.Error, ValueError):
        return text


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
