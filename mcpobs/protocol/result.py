"""What a result says of itself, without its content: which blocks, how many items, whether it says nothing.

A result with `content` or `structuredContent` is a tool's; any other (a listing, a pong) is read by its members.
Where a tool gives structured content that decides, for its text is there to be shown (MCP tools, Structured
Content).
"""

from __future__ import annotations

from collections.abc import Callable

import orjson

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


def is_tool_result(result: dict[str, object]) -> bool:
    return "content" in result or "structuredContent" in result


def result_shape(result: object, hash_key: Callable[[str], str]) -> str:
    """`text,image` with `structured{…}` where there is such; else the members' names: `{nextCursor,tools}`."""
    if not isinstance(result, dict):
        return _kind(result)
    if not is_tool_result(result):
        if len(result) > MAX_NAMES:
            return "{…}"
        return "{" + ",".join(sorted(name if name in _KNOWN_MEMBERS else hash_key(name) for name in result)) + "}"
    kinds = [_block_kind(block) for block in _blocks(result)]
    structured = result.get("structuredContent")
    if structured is not None:
        kinds.append("structured" + _kind(structured))
    return ",".join(dict.fromkeys(kinds))  # each once, in the order of its first block


def count_items(result: object) -> int | None:
    """Length of the list that the result holds; where a tool's holds none, the number of its content blocks.

    The list is structured content that is a list, or an object whose only list is its only member or has a name
    that lists go by (`items`, `results`); else a single text block that is JSON of that kind.
    """
    if not isinstance(result, dict) or not is_tool_result(result):
        return _listed(result)
    blocks = _blocks(result)
    structured = result.get("structuredContent")
    if structured is not None:
        held = _listed(structured)
    elif len(blocks) == 1:
        held = _listed(_json(_text(blocks[0])))
    else:
        held = None
    if held is not None:
        return held
    return len(blocks) or int(structured is not None)


def says_nothing(result: object) -> bool:
    """True for no content at all, blank text, and JSON without anything in it: [], {}, {"items": [], "total": 0}."""
    if not isinstance(result, dict) or not is_tool_result(result):
        return _blank(result)
    texts = [_text(block) for block in _blocks(result)]
    if None in texts:
        return False
    structured = result.get("structuredContent")
    if structured is not None:
        return _blank(structured)
    return all(text is not None and _blank_text(text) for text in texts)


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
    text = block.get("text") if isinstance(block, dict) else None
    return text if isinstance(text, str) else None


def _kind(value: object) -> str:
    if isinstance(value, dict):
        return "{…}" if value else "{}"
    if isinstance(value, list):
        return "[…]" if value else "[]"
    return ":" + _SCALARS.get(type(value), "number")


def _json(text: str | None) -> object:
    """The list or object that a text is; the text itself where it is none."""
    if text is None or len(text) > MAX_TEXT or text.lstrip()[:1] not in ("[", "{"):
        return text
    try:
        value: object = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text
    return value


def _listed(value: object) -> int | None:
    """Length of the list that a value is or holds; None where it holds none, or more than one."""
    if isinstance(value, list):
        return len(value)
    if not isinstance(value, dict):
        return None
    if len(value) > MAX_NAMES:
        return None
    lists = [name for name, below in value.items() if isinstance(below, list)]
    if len(lists) != 1 or (len(value) > 1 and lists[0] not in _LISTS):
        return None
    return len(value[lists[0]])


def _blank_text(text: str) -> bool:
    return not text or text.isspace() or text.strip() in ("null", '""') or _blank(_json(text))


def _blank(value: object) -> bool:
    if isinstance(value, str):
        return not value or value.isspace()
    if isinstance(value, dict):
        if len(value) > MAX_NAMES:
            return False
        told = [below for name, below in value.items() if name not in _PROTOCOL_MEMBERS]
        if not all(map(_nothing, told)):
            return False
        return not told or any(below is None or isinstance(below, str | list | dict) for below in told)
    return value is None or value == []


def _nothing(value: object) -> bool:
    """What may stand beside an empty list without saying anything: 0 results, no next page."""
    return value is None or value is False or value in ("", [], {}, 0)
