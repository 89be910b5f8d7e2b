"""Finds the names of arguments that were recorded before their tool was declared.

A front knows the names that a tool declares after `tools/list`; of an earlier call every name is recorded as its keyed
hash. With the key of the lake's digests those hashes are compared with the names in the tool's other shapes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcpobs import keys
from mcpobs.errors import McpobsError
from mcpobs.protocol.facts import Facts

HashName = Callable[[str], str]
_NAME: Final = re.compile(r"(?P<name>[^\[\]{}:,|…]+):")
_TOKEN: Final = re.compile(r"[\[\]{},|]|[^\[\]{},|]+")
_HASHED: Final = re.compile(r"#[0-9a-f]{6}")


@dataclass(frozen=True, slots=True)
class _Level:
    """An object or array, whatever the order of its parts."""

    kind: str
    parts: frozenset[object]


def hash_of(lake: Path, config: Path) -> HashName | None:
    """Returns the function that hashes a name as the fronts of a lake do; None if its key is not on this machine."""
    try:
        key, _ = keys.read_key(config / "keys" / f"{keys.read_identity(lake)}.key")
    except (McpobsError, OSError, ValueError):
        return None
    facts = Facts(key)
    return lambda name: name if _HASHED.fullmatch(name) else "#" + facts.text_digest(name)[:6]


class EarlyShapes:
    """The shapes of each tool, by the shape that the same arguments had before the tool was declared."""

    def __init__(self, shapes: Iterable[tuple[str, str]], hash_name: HashName) -> None:
        self._known: dict[str, dict[object, str]] = defaultdict(dict)
        for tool, shape in shapes:
            if _NAME.search(shape) and not _is_hashed(shape):
                earlier = _canonical(_NAME.sub(lambda match: hash_name(match["name"]) + ":", shape))
                self._known[tool].setdefault(earlier, shape)

    def named(self, tool: str, shape: str) -> str | None:
        """Returns the shape with names of an earlier call's shape; None if it is none, or of other arguments."""
        return self._known[tool].get(_canonical(shape)) if tool in self._known and _is_hashed(shape) else None


def _is_hashed(shape: str) -> bool:
    """Returns whether every name of a shape is a hash."""
    names = [match["name"] for match in _NAME.finditer(shape)]
    return bool(names) and all(_HASHED.fullmatch(name) for name in names)


def _canonical(shape: str) -> object:
    """Returns a value that is equal for shapes which differ in the order of their parts only; a shape that was cut is
    equal to itself only."""
    if "…" in shape:
        return shape
    stack: list[tuple[str, list[object]]] = [("", [])]
    for token in _TOKEN.findall(shape):
        if token in "{[":
            stack.append((token, []))
        elif token in "}]" and len(stack) > 1:
            kind, parts = stack.pop()
            into = stack[-1][1]
            name = into.pop() if into and isinstance(into[-1], str) and into[-1].endswith(":") else ""
            into.append((name, _Level(kind, frozenset(parts))))
        elif token not in ",|":
            stack[-1][1].append(token)
    return tuple(stack[0][1])
