"""Bounds the cost of the evaluation of a JSON Schema of a server. Pure.

Validators follow references without memory, so a chain of doubled references takes 2^n steps, and so does a schema that
applies itself twice to one member. `visits` counts how often one value is looked at; such schemas have no count.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

MAX_NODES: Final = 20_000
MAX_VISITS: Final = 100_000
_IN_PLACE: Final = ("if", "then", "else", "not")
_IN_PLACE_LISTS: Final = ("allOf", "anyOf", "oneOf")
_ITEMS: Final = ("items", "additionalItems", "unevaluatedItems", "contains")
_OTHERS: Final = ("additionalProperties", "unevaluatedProperties", "propertyNames")
_NOT_FOLLOWED: Final = ("$dynamicRef", "$recursiveRef")
_ARRAY, _OBJECT = "array", "object"


class _Edge(NamedTuple):
    """From one schema to another. `kind` and `name` say for which children: None is the same value, a kind without a
    name all children of an array or object."""

    to: int
    kind: str | None = None
    name: str | None = None


def visits(schema: object) -> int | None:
    """Returns how often a schema looks at one value at most; None if that has no useful bound, or if a reference
    leads elsewhere than into the schema."""
    if not isinstance(schema, dict):
        return 1
    try:
        edges = _Graph(schema).edges
        weights = _in_place(edges)
        return _total(edges, weights)
    except _UnboundedError:
        return None


class _UnboundedError(Exception):
    """The schema is refused."""


class _Graph:
    """The schemas in a schema, numbered; the root is 0."""

    def __init__(self, root: object) -> None:
        self._root = root
        self._numbers: dict[int, int] = {}
        self.edges: list[list[_Edge]] = []
        self._to_do: list[Mapping[str, object]] = []
        self._number(root)
        while self._to_do:
            schema = self._to_do.pop()
            self.edges[self._numbers[id(schema)]] = list(self._of(schema))

    def _number(self, schema: object) -> int | None:
        if not isinstance(schema, dict):
            return None
        number = self._numbers.get(id(schema))
        if number is None:
            number = self._numbers[id(schema)] = len(self.edges)
            if number >= MAX_NODES:
                raise _UnboundedError
            self.edges.append([])
            self._to_do.append(schema)
        return number

    def _of(self, schema: Mapping[str, object]) -> Iterator[_Edge]:
        if any(key in schema for key in _NOT_FOLLOWED) or ("$id" in schema and schema is not self._root):
            raise _UnboundedError
        for below, kind, name in _below(schema):
            number = self._number(below)
            if number is not None:
                yield _Edge(number, kind, name)
        if "$ref" in schema:
            number = self._number(self._referred(schema["$ref"]))
            if number is not None:
                yield _Edge(number)

    def _referred(self, reference: object) -> object:
        """Returns the schema that a local JSON pointer leads to."""
        if not isinstance(reference, str) or (reference != "#" and not reference.startswith("#/")):
            raise _UnboundedError
        found = self._root
        for part in reference[1:].split("/")[1:]:
            name = part.replace("~1", "/").replace("~0", "~")
            if isinstance(found, list) and name.isdecimal() and int(name) < len(found):
                found = found[int(name)]
            elif isinstance(found, dict) and name in found:
                found = found[name]
            else:
                raise _UnboundedError
        return found


def _below(schema: Mapping[str, object]) -> Iterator[tuple[object, str | None, str | None]]:
    for key in _IN_PLACE:
        yield schema.get(key), None, None
    for key in _IN_PLACE_LISTS:
        yield from ((one, None, None) for one in _list(schema.get(key)))
    for key in ("dependentSchemas", "dependencies"):
        yield from ((one, None, None) for one in _mapping(schema.get(key)).values())
    for key in _ITEMS:
        yield schema.get(key), _ARRAY, None
    for key in ("prefixItems", "items"):
        yield from ((one, _ARRAY, str(place)) for place, one in enumerate(_list(schema.get(key))))
    for key in _OTHERS:
        yield schema.get(key), _OBJECT, None
    yield from ((one, _OBJECT, None) for one in _mapping(schema.get("patternProperties")).values())
    yield from ((one, _OBJECT, name) for name, one in _mapping(schema.get("properties")).items())


def _list(value: object) -> list[object]:
    return value if isinstance(value, list) else []


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, dict) else {}


def _in_place(edges: list[list[_Edge]]) -> list[dict[int, int]]:
    """Returns for each schema which schemas it applies to the same value, and how often. Refuses a circle."""
    found: list[dict[int, int]] = [{} for _ in edges]
    for number in _ordered([[edge.to for edge in of if edge.kind is None] for of in edges]):
        mine = {number: 1}
        for edge in edges[number]:
            if edge.kind is None:
                for to, count in found[edge.to].items():
                    mine[to] = mine.get(to, 0) + count
        if sum(mine.values()) > MAX_VISITS:
            raise _UnboundedError
        found[number] = mine
    return found


def _ordered(edges: list[list[int]]) -> list[int]:
    """Returns the numbers, each after all that it leads to. Refuses a circle."""
    groups = _groups(edges)
    if any(len(group) > 1 for group in groups) or any(number in to for number, to in enumerate(edges)):
        raise _UnboundedError
    return [group[0] for group in groups]


def _total(edges: list[list[_Edge]], in_place: list[dict[int, int]]) -> int:
    """Returns the visits of one value, summed over all ways to it."""
    steps: list[dict[tuple[str | None, str | None, int], int]] = []
    for weights in in_place:
        step: dict[tuple[str | None, str | None, int], int] = {}
        for number, count in weights.items():
            for to, kind, name in edges[number]:
                if kind is not None:
                    step[kind, name, to] = step.get((kind, name, to), 0) + count
        steps.append(step)
    groups = _groups([[to for _, _, to in step] for step in steps])
    group_of = {number: place for place, group in enumerate(groups) for number in group}
    ways = [0] * len(groups)  # most visits below a value at which a schema of the group begins
    for place, group in enumerate(groups):  # each after those that it leads to
        is_circle = False
        for number in group:
            inside = {key: count for key, count in steps[number].items() if group_of[key[2]] == place}
            is_circle = is_circle or bool(inside)
            if _most_for_one_child(inside) > 1:
                raise _UnboundedError
        for number in group:
            outside = {key: count for key, count in steps[number].items() if group_of[key[2]] != place}
            below = sum(count * ways[group_of[to]] for (_, _, to), count in outside.items())
            ways[place] = max(ways[place], sum(in_place[number].values()) + below * (16 if is_circle else 1))
        if ways[place] > MAX_VISITS:
            raise _UnboundedError
    return ways[group_of[0]]


def _most_for_one_child(inside: Mapping[tuple[str | None, str | None, int], int]) -> int:
    """Returns how often the schemas of a circle look at one child."""
    every: dict[str | None, int] = {}
    named: dict[tuple[str | None, str], int] = {}
    for (kind, name, _), count in inside.items():
        if name is None:
            every[kind] = every.get(kind, 0) + count
        else:
            named[kind, name] = named.get((kind, name), 0) + count
    return max([*every.values(), *(count + every.get(kind, 0) for (kind, _), count in named.items())], default=0)


def _groups(edges: list[list[int]]) -> list[list[int]]:
    """Returns the strongly connected components, each after those that it leads to (Tarjan 1972, without recursion)."""
    index: dict[int, int] = {}
    low: dict[int, int] = {}
    on_stack: set[int] = set()
    stack: list[int] = []
    found: list[list[int]] = []
    for root in range(len(edges)):
        if root in index:
            continue
        work = [(root, iter(edges[root]))]
        index[root] = low[root] = len(index)
        stack.append(root)
        on_stack.add(root)
        while work:
            number, rest = work[-1]
            following = next(rest, None)
            if following is None:
                work.pop()
                if work:
                    low[work[-1][0]] = min(low[work[-1][0]], low[number])
                if low[number] == index[number]:
                    group = []
                    while True:
                        one = stack.pop()
                        on_stack.discard(one)
                        group.append(one)
                        if one == number:
                            break
                    found.append(group)
            elif following not in index:
                index[following] = low[following] = len(index)
                stack.append(following)
                on_stack.add(following)
                work.append((following, iter(edges[following])))
            elif following in on_stack:
                low[number] = min(low[number], index[following])
    return found
