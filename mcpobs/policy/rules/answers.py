"""Finds values in the result of a call: in structured content, and in each text that is JSON. Judges nothing."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Final

import orjson

from mcpobs.limits.document import Place
from mcpobs.policy.fields import MAX_PATH


class Ambiguous:
    """Stands for a value that two JSON readers interpret differently."""


Step = str | None
"""A member's name; None: each element of a list."""
MAX_DEPTH: Final = 64
OPAQUE: Final = "opaque"
"""Stands for content that nobody can look into: a text that is no JSON, an image, a link."""

AMBIGUOUS: Final = Ambiguous()

_OF_PROTOCOL: Final = "io.modelcontextprotocol/"
_ASIDE: Final = frozenset({"_meta", "isError", "resultType"})
"""Members of a result that answer nothing."""


def steps(text: str, place: Place) -> tuple[Step, ...]:
    """The steps of e.g. `rows[*].order_id` or `$.rows[*].order_id`."""
    found: list[Step] = []
    for name in text.removeprefix("$").removeprefix(".").split("."):
        bare = name
        while bare.endswith("[*]"):
            bare = bare.removesuffix("[*]")
        lists = (len(name) - len(bare)) // 3
        if "[" in bare or "]" in bare or not (bare or (lists and not found)):
            place.refuse(f"{text!r} is not the path of ids", "write e.g. rows[*].order_id")
        found += [*([bare] if bare else []), *([None] * lists)]
    if len(found) > MAX_PATH:
        place.refuse(f"{text!r} is longer than {MAX_PATH} steps", "name a member nearer to the top")
    return tuple(found)


def answers(result: object) -> list[object]:
    """All that a result answers. What is no JSON is OPAQUE."""
    if not isinstance(result, dict):
        return [OPAQUE]
    found: list[object] = [result["structuredContent"]] if "structuredContent" in result else []
    for member in ("content", "contents", "messages"):
        items = result.get(member)
        found += [_answer(item) for item in items] if isinstance(items, list) else [OPAQUE] if items is not None else []
    return found or ([OPAQUE] if result.keys() - _ASIDE else [])


def aside(result: object, depth: int = 0) -> object:
    """The result as it is sent, without what the protocol itself says there: rows may lie beside the answer, too."""
    if depth > MAX_DEPTH:
        return result
    if isinstance(result, dict):
        kept = {key: item for key, item in result.items() if not str(key).startswith(_OF_PROTOCOL)}
        return {key: aside(item, depth + 1) for key, item in kept.items()}
    return [aside(item, depth + 1) for item in result] if isinstance(result, list) else result


def _answer(item: object) -> object:
    """The JSON of one text of a tool's, resource's or prompt's result."""
    at = item
    for name in ("content", "resource"):
        if isinstance(at, dict) and isinstance(at.get(name), dict):
            at = at[name]
    text = at.get("text") if isinstance(at, dict) else None
    if not isinstance(text, str):
        return OPAQUE
    if not text.strip():
        return None
    try:
        value = orjson.loads(text)
        json.loads(text, object_pairs_hook=_once)
    except (ValueError, RecursionError):  # no JSON, or such as another reader takes for something else
        return OPAQUE
    return value


def embedded(text: str) -> object:
    """The object or list that a text within a row is, as JSON; else the text. AMBIGUOUS if a member comes twice."""
    bare = text.lstrip("\ufeff \t\r\n")
    if bare[:1] not in ("{", "["):
        return text
    try:
        json.loads(bare, object_pairs_hook=_once)
        return orjson.loads(bare)
    except _TwiceError:
        return AMBIGUOUS
    except RecursionError:
        return AMBIGUOUS
    except ValueError:
        return text


class _TwiceError(ValueError):
    """A member of an object comes twice."""


def _once(members: list[tuple[str, object]]) -> None:
    if len(dict(members)) < len(members):
        raise _TwiceError


def found(value: object, path: tuple[Step, ...]) -> Iterator[object]:
    """The values at a path; those of a list that it leads to count one by one."""
    if not path:
        yield from value if isinstance(value, list) else [value]
    elif path[0] is None:
        for item in value if isinstance(value, list) else []:
            yield from found(item, path[1:])
    elif isinstance(value, dict) and path[0] in value:
        yield from found(value[path[0]], path[1:])
