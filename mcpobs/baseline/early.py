"""Names the arguments of calls that were recorded before their tool was declared.

A front knows the names that a tool declares after `tools/list`; of an earlier call every name is recorded as its keyed
hash. With the key of the lake's digests those hashes are compared with the names in the tool's other shapes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from mcpobs import keys
from mcpobs.baseline.traffic import Shape
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
    parts: frozenset[str | tuple[str, _Level]]


def hash_of(lake: Path, config: Path) -> HashName | None:
    """Returns the function that hashes a name as the fronts of a lake do; None if its key is not on this machine."""
    try:
        key, _ = keys.read_key(config / "keys" / f"{keys.read_identity(lake)}.key")
    except (McpobsError, OSError, ValueError):
        return None
    facts = Facts(key)
    return lambda name: name if _HASHED.fullmatch(name) else "#" + facts.text_digest(name)[:6]


def named(shapes: Iterable[Shape], listed: Mapping[str, Sequence[str]], hash_name: HashName | None) -> list[Shape]:
    """Returns the shapes with those of earlier calls under the shape that they have with names. `listed` are more
    shapes of each tool."""
    found = list(shapes)
    if hash_name is None:
        return found
    known: dict[str, dict[object, str]] = defaultdict(dict)
    declared = [(tool, shape) for tool, more in listed.items() for shape in more]
    for tool, shape in [*declared, *((one.tool, one.shape) for one in found)]:
        if not _is_hashed(shape) and _NAME.search(shape):
            known[tool].setdefault(_canonical(_NAME.sub(lambda m: hash_name(m["name"]) + ":", shape)), shape)
    return _merged(
        one._replace(shape=known[one.tool].get(_canonical(one.shape), one.shape)) if _is_hashed(one.shape) else one
        for one in found
    )


def _is_hashed(shape: str) -> bool:
    """Returns whether every name of a shape is a hash."""
    names = [match["name"] for match in _NAME.finditer(shape)]
    return bool(names) and all(_HASHED.fullmatch(name) for name in names)


def _canonical(shape: str) -> object:
    """Returns a value that is equal for shapes which differ in the order of their parts only; a shape that was cut is
    equal to itself only."""
    if "…" in shape:
        return shape
    root: list[object] = []
    stack: list[tuple[str, list[object]]] = [("", root)]
    for token in _TOKEN.findall(shape):
        if token in "{[":
            stack.append((token, []))
        elif token in "}]":
            kind, parts = stack.pop()
            into = stack[-1][1]
            prefix = into.pop() if into and isinstance(into[-1], str) and into[-1].endswith(":") else ""
            into.append((prefix, _Level(kind, frozenset(parts))))  # type: ignore[arg-type]  # the tokens are texts
        elif token not in ",|":
            stack[-1][1].append(token)
    return tuple(root)


def _merged(shapes: Iterable[Shape]) -> list[Shape]:
    """Returns one entry for each tool and shape. Sessions that are in two of them count twice, as few do."""
    found: dict[tuple[str, str], Shape] = {}
    for one in shapes:
        known = found.get((one.tool, one.shape))
        found[one.tool, one.shape] = (
            one
            if known is None
            else known._replace(
                calls=known.calls + one.calls,
                sessions=known.sessions + one.sessions,
                last_unix_nano=max(known.last_unix_nano, one.last_unix_nano),
            )
        )
    return list(found.values())
