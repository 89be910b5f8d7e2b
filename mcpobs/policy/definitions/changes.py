"""Compares two definitions of a tool, leaf by leaf. Does no I/O.

A definition is flattened to its leaves, by path: `inputSchema.properties.limit.maximum`. A list of plain values
(`required`, `enum`) is compared as a set, because its order means nothing to a schema.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import orjson

from mcpobs.policy.definitions.definition import FIELDS

MAX_CHANGES: Final = 500
Path = tuple[str, ...]
Did = Literal["added", "removed", "changed"]


@dataclass(frozen=True, slots=True)
class Change:
    """One difference: `before` is None for what was added, `after` for what was removed."""

    path: Path
    did: Did
    before: object = None
    after: object = None

    @property
    def at(self) -> str:
        return ".".join(self.path)


def changes(before: Mapping[str, object] | None, after: Mapping[str, object] | None) -> list[Change]:
    """Returns the differences in the order of FIELDS, and of the members within. At most MAX_CHANGES."""
    old, new = dict(_leaves(before or {})), dict(_leaves(after or {}))
    found: list[Change] = []
    for path in sorted(old.keys() | new.keys(), key=_place):
        found += _of_leaf(path, old.get(path, _MISSING), new.get(path, _MISSING))
        if len(found) >= MAX_CHANGES:
            break
    return found[:MAX_CHANGES]


class _Missing:
    """Stands for no value: a leaf may be null."""


_MISSING: Final = _Missing()


def _of_leaf(path: Path, before: object, after: object) -> Iterator[Change]:
    if isinstance(before, list) or isinstance(after, list):
        yield from _of_list(path, before, after)
    elif isinstance(before, _Missing):
        yield Change(path, "added", after=after)
    elif isinstance(after, _Missing):
        yield Change(path, "removed", before=before)
    elif _text(before) != _text(after):
        yield Change(path, "changed", before, after)


def _of_list(path: Path, before: object, after: object) -> Iterator[Change]:
    old = before if isinstance(before, list) else [] if isinstance(before, _Missing) else [before]
    new = after if isinstance(after, list) else [] if isinstance(after, _Missing) else [after]
    known, now = {_text(item) for item in old}, {_text(item) for item in new}
    gone = [Change(path, "removed", before=item) for item in old if _text(item) not in now]
    come = [Change(path, "added", after=item) for item in new if _text(item) not in known]
    yield from (*gone, *come)
    if not gone and not come and type(before) is type(after) and [*map(_text, old)] != [*map(_text, new)]:
        yield Change(path, "changed", old, new)
    elif not gone and not come and type(before) is not type(after):
        yield Change(path, "removed" if isinstance(after, _Missing) else "added", before, after)


def _leaves(value: Mapping[str, object]) -> Iterator[tuple[Path, object]]:
    """Yields scalars, empty objects, and lists of plain values, each with its path. Without recursion."""
    to_do: list[tuple[Path, object]] = [((), value)]
    while to_do:
        path, one = to_do.pop()
        if isinstance(one, Mapping) and one:
            to_do += [((*path, str(name)), below) for name, below in one.items()]
        elif isinstance(one, list) and not _is_plain(one):
            to_do += [((*path, str(place)), below) for place, below in enumerate(one)]
        elif path:
            yield path, one


def _is_plain(items: Sequence[object]) -> bool:
    return not any(isinstance(item, dict | list) for item in items)


def _place(path: Path) -> tuple[int, tuple[str, ...]]:
    return (FIELDS.index(path[0]) if path[0] in FIELDS else len(FIELDS), path)


def _text(value: object) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
