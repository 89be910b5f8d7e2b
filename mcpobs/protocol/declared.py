"""Which member names a tool's inputSchema or a prompt's arguments declare: names only, nothing else of the schema.

A declared name may appear in a recorded shape, any other is hashed there. Schemas come from the peer: depth,
cycles and size are bounded, and what is beyond the bounds counts as not declared.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeGuard

MAX_DEPTH = 6  # as deep as a shape goes
MAX_NAME = 64
MAX_NAMES_PER_TOOL = 1_000
MAX_TOOLS = 4_096
MAX_NAMES = 50_000  # of all tools; some 10 MB
MAX_STEPS = 1_000  # schema objects looked at for one tool
_SYNTAX = re.compile(r"[]{}[:,|#…]")  # a name with one of these could pose as another shape
_CHOICES = ("anyOf", "oneOf", "allOf")
_CONDITIONS = ("then", "else", "if")


@dataclass(slots=True)
class Declared:
    """The names at one level: `members` of an object, `items` of an array, `others` by additionalProperties."""

    members: dict[str, Declared] = field(default_factory=dict)
    items: Declared | None = None
    others: Declared | None = None


NOTHING = Declared()
"""A level that declares no names. Shared: never changed."""


def declared_by_schema(schema: object) -> Declared:
    """The names that a JSON Schema declares, merged over its alternatives and local references."""
    return _Reading(schema).result()


def declared_by_arguments(arguments: object) -> Declared:
    """The names that a prompt declares in its list of arguments."""
    found = Declared()
    if isinstance(arguments, list):
        for argument in arguments[:MAX_NAMES_PER_TOOL]:
            name = argument.get("name") if isinstance(argument, dict) else None
            if _fit(name):
                found.members[name] = NOTHING
    return found


def _fit(name: object) -> TypeGuard[str]:
    return isinstance(name, str) and 0 < len(name) <= MAX_NAME and name.isprintable() and not _SYNTAX.search(name)


class _Reading:
    """Reads one schema, level by level."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._steps = 0
        self._names = 0

    def result(self) -> Declared:
        return self._level([self._root], MAX_DEPTH)

    def _level(self, schemas: list[object], depth: int) -> Declared:
        """One level out of all schemas that describe it."""
        if depth == 0:
            return NOTHING
        members: dict[str, list[object]] = {}
        items: list[object] = []
        others: list[object] = []
        for schema in self._spread(schemas):
            properties = schema.get("properties")
            if isinstance(properties, dict):
                for name, below in properties.items():
                    if self._names >= MAX_NAMES_PER_TOOL:
                        break
                    if _fit(name):
                        self._names += name not in members
                        members.setdefault(name, []).append(below)
            for key, into in (("items", items), ("additionalProperties", others)):
                if isinstance(schema.get(key), dict):
                    into.append(schema[key])
            prefix = schema.get("prefixItems")
            if isinstance(prefix, list):
                items += prefix[:MAX_NAMES_PER_TOOL]
        if not (members or items or others):
            return NOTHING
        return Declared(
            {name: self._level(below, depth - 1) for name, below in members.items()},
            self._level(items, depth - 1) if items else None,
            self._level(others, depth - 1) if others else None,
        )

    def _spread(self, schemas: list[object]) -> list[dict[str, object]]:
        """The schemas with all that they refer to and choose from, each once."""
        found: list[dict[str, object]] = []
        seen: set[int] = set()  # of id(); all of them live as long as the root
        to_do = list(schemas)
        while to_do and self._steps < MAX_STEPS:
            schema = to_do.pop()
            self._steps += 1
            if not isinstance(schema, dict) or id(schema) in seen:
                continue
            seen.add(id(schema))
            found.append(schema)
            if "$ref" in schema:
                to_do.append(self._referred(schema["$ref"]))
            to_do += [schema[key] for key in _CONDITIONS if key in schema]
            for key in _CHOICES:
                choices = schema.get(key)
                if isinstance(choices, list):
                    to_do += choices[:MAX_NAMES_PER_TOOL]
        return found

    def _referred(self, reference: object) -> object:
        """What a local JSON pointer refers to; a reference to anywhere else is not followed."""
        if not isinstance(reference, str) or not reference.startswith("#") or len(reference) > 1_000:
            return None
        found = self._root
        for part in reference[1:].split("/")[1:]:
            if not isinstance(found, dict):
                return None
            found = found.get(part.replace("~1", "/").replace("~0", "~"))
        return found


class Declarations:
    """What has been learnt from the tools/list or prompts/list results that passed by. Bounded in all."""

    def __init__(self) -> None:
        self._by_name: dict[str, tuple[Declared, int]] = {}
        self._names = 0

    def of(self, name: str | None) -> Declared | None:
        known = self._by_name.get(name) if name is not None else None
        return known[0] if known else None

    def learn(self, name: object, read: Callable[[], Declared]) -> None:
        """Keeps what a tool declares, in place of what was known of it. Reads nothing where there is no more room."""
        if not isinstance(name, str) or len(name) > 256:
            return
        full = len(self._by_name) >= MAX_TOOLS or self._names > MAX_NAMES - MAX_NAMES_PER_TOOL
        if full and name not in self._by_name:
            return
        declared = read()
        self._names -= self._by_name.pop(name, (NOTHING, 0))[1]
        names = count_names(declared)
        if len(self._by_name) < MAX_TOOLS and self._names + names <= MAX_NAMES:
            self._by_name[name] = (declared, names)
            self._names += names


def count_names(declared: Declared) -> int:
    below = [*declared.members.values(), declared.items, declared.others]
    return len(declared.members) + sum(1 + count_names(level) for level in below if level and level is not NOTHING)
