"""What a result says of itself, without its content: which blocks, how many items, whether it says nothing.

A result with `content` or `structuredContent` is a tool's; any other (a listing, a pong) is read by its members.
Where a tool gives structured content that decides, for its text is there to be shown (MCP tools, Structured
Content).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import orjson

from mcpobs.protocol.form import form_of, form_of_blocks

MAX_TEXT = 65_536  # a longer text is not parsed to count its items
MAX_NAMES = 64  # members of an object that are looked at
BLOCKS = frozenset({"text", "image", "audio", "resource", "resource_link", "tool_use", "tool_result"})
_PROTOCOL_MEMBERS = frozenset({"_meta", "resultType", "ttlMs", "cacheScope"})
# fmt: off
_KNOWN_MEMBERS = frozenset({
    "tools", "resources", "resourceTemplates", "prompts", "nextCursor", "contents", "messages", "description",
    "completion", "roots", "action", "task", "tasks", "capabilities", "protocolVersion", "serverInfo",
    "instructions", "supportedVersions", "inputRequests", "requestState", "role", "model", "stopReason", "content",
    "structuredContent", "isError", "ttlMs", "cacheScope", "resultType", "taskId", "status",
})
# fmt: on
# fmt: off
_LISTS = frozenset({
    "result", "results", "items", "data", "entries", "rows", "records", "matches", "hits", "values", "list",
    "files", "documents", "tools", "resources", "resourceTemplates", "prompts", "contents", "messages", "roots",
    "tasks",
})
# fmt: on
_SCALARS: dict[type, str] = {type(None): "null", bool: "boolean", int: "integer", float: "number", str: "string"}


class Reading(NamedTuple):
    """`shape`: `text,image`, with `structured{…}` where there is such; else the members' names: `{nextCursor,tools}`.

    `items`: length of the list that the result holds; where a tool's holds none, the number of its content blocks.
    That list is structured content that is a list, or an object whose only list is its only member or has a name
    that lists go by (`items`, `results`); without structured content a single text block that is JSON of that kind.

    `empty`: no content at all, blank text, or JSON without anything in it: [], {}, {"items": [], "total": 0}.

    `form`: of a tool's answer (`protocol/form.py`); None for a result that is none, and for JSON that is too long.
    """

    shape: str
    items: int | None
    empty: bool
    form: str | None = None


_ONE_TEXT = Reading("text", 1, False, "(text)")
_BLANK_TEXT = Reading("text", 1, True, "(text)")
_UNREAD_TEXT = Reading("text", 1, False)


def read_result(result: object, hash_key: Callable[[str], str]) -> Reading:
    if not isinstance(result, dict):
        return Reading(_kind(result), _listed(result), _blank(result))
    if "content" not in result and "structuredContent" not in result:
        return Reading(_member_names(result, hash_key), _listed(result), _blank(result))
    blocks = _blocks(result)
    structured = result.get("structuredContent")
    if len(blocks) == 1 and (text := _text(blocks[0])) is not None:  # most results by far
        if structured is not None:
            held = _listed(structured)
            shape = "text,structured" + _kind(structured)
            return Reading(shape, 1 if held is None else held, _blank(structured), form_of(structured))
        value = _json(text)
        if value is text:
            if len(text) > MAX_TEXT and _may_be_json(text):
                return _UNREAD_TEXT
            return _BLANK_TEXT if _is_blank(text) else _ONE_TEXT
        held = _listed(value)
        return Reading("text", 1 if held is None else held, _blank(value), form_of(value))
    kinds = list(dict.fromkeys(map(_block_kind, blocks)))  # each once, in the order of its first block
    texts = [_text(block) for block in blocks]
    if structured is None:
        empty = all(text is not None and _blank_text(text) for text in texts)
        return Reading(",".join(kinds), len(blocks), empty, form_of_blocks(kinds))
    kinds.append("structured" + _kind(structured))
    held = _listed(structured)
    items = held if held is not None else len(blocks) or 1
    return Reading(",".join(kinds), items, _blank(structured) and None not in texts, form_of(structured))


def answer_of(result: dict[str, object]) -> object:
    """What a tool answers with: its structured content, else the JSON that its only text block is; None where
    neither is there."""
    structured = result.get("structuredContent")
    if structured is not None:
        return structured
    blocks = _blocks(result)
    text = _text(blocks[0]) if len(blocks) == 1 else None
    if text is None:
        return None
    value = _json(text)
    return None if value is text else value


def _member_names(result: dict[str, object], hash_key: Callable[[str], str]) -> str:
    if len(result) > MAX_NAMES:
        return "{…}"
    return "{" + ",".join(sorted(name if name in _KNOWN_MEMBERS else hash_key(name) for name in result)) + "}"


def _blocks(result: dict[str, object]) -> list[object]:
    content = result.get("content")
    if content is None:
        return []
    return content if isinstance(content, list) else [content]  # sampling answers with one block, not a list


def _block_kind(block: object) -> str:
    kind = block.get("type") if isinstance(block, dict) else None
    return kind if isinstance(kind, str) and kind in BLOCKS else "other"


def _text(block: object) -> str | None:
    """The text of a text block; None for a block of another kind."""
    if not isinstance(block, dict) or block.get("type") != "text":
        return None
    text = block.get("text")
    return text if isinstance(text, str) else None


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return "[…]" if value else "[]"
    return ":" + _SCALARS.get(type(value), "number")


def _json(text: str) -> object:
    """The list or object that a text is; the text itself where it is none."""
    if len(text) > MAX_TEXT or not _may_be_json(text):
        return text
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value


def _may_be_json(text: str) -> bool:
    return text.lstrip().startswith(("[", "{"))


def _listed(value: object) -> int | None:
    """Length of the list that a value is or holds; None where it holds none, or more than one."""
    if isinstance(value, list):
        return len(value)
    if not isinstance(value, dict):
        return None
    if len(value) > MAX_NAMES:
        return None
    found: list[object] | None = None
    for name, below in value.items():
        if isinstance(below, list):
            if found is not None or (len(value) > 1 and name not in _LISTS):
                return None
            found = below
    return None if found is None else len(found)


def _blank_text(text: str) -> bool:
    """True for a text that is blank, or that is blank JSON."""
    value = _json(text)
    return _is_blank(text) if value is text else _blank(value)


def _is_blank(text: str) -> bool:
    """The same for a text that is no list and no object."""
    return not text or text.isspace() or (len(text) < 256 and text.strip() in ("null", '""'))


def _blank(value: object) -> bool:
    if isinstance(value, str):
        return not value or value.isspace()
    if isinstance(value, dict):
        if len(value) > MAX_NAMES:
            return False
        said = silent = False
        for name, below in value.items():
            if name in _PROTOCOL_MEMBERS:
                continue
            if not _nothing(below):
                return False
            said = True
            silent = silent or below is None or isinstance(below, str | list | dict)
        return silent or not said
    return value is None or value == []


def _nothing(value: object) -> bool:
    """What may stand beside an empty list without saying anything: 0 results, no next page."""
    return value is None or value is False or value in ("", [], {}, 0)
