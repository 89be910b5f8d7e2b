"""Turns an expression into a deterministic automaton over bytes that starts at a given place. Reads RE2's dialect.

The automaton accepts at least what RE2 matches: it may take any character that is not ASCII for one of a range of such
characters, and an automaton that grows too large accepts early. Whoever uses it asks RE2 about what it accepts.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final

MOST_STATES: Final = 5000
"""States of one expression; beyond, what was read so far is accepted."""

MANY: Final = 4
WIDE: Final = 40
"""A class of so many bytes that may be repeated so often is taken as one that may be repeated without end."""

WORD: Final = frozenset(b"0123456789_abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
SPACE: Final = frozenset(b"\t\n\f\r ")
DIGIT: Final = frozenset(b"0123456789")
ASCII: Final = frozenset(range(128))
CATEGORIES: Final = {"SPACE": SPACE, "WORD": WORD, "DIGIT": DIGIT}
FOLLOWING: Final = frozenset(range(0x80, 0xC0))
MANY_BYTES: Final = (
    (frozenset(range(0xC0, 0xE0)), FOLLOWING),
    (frozenset(range(0xE0, 0xF0)), FOLLOWING, FOLLOWING),
    (frozenset(range(0xF0, 0xF8)), FOLLOWING, FOLLOWING, FOLLOWING),
)
"""Any character that is not ASCII, in UTF-8."""

Bytes = frozenset[int]


@dataclass
class Graph:
    """A nondeterministic automaton. A node reads one of some bytes, or demands a boundary or the beginning, or ends
    the match; or it only leads on."""

    reads: dict[int, Bytes] = field(default_factory=dict)
    demands: dict[int, str] = field(default_factory=dict)
    leads: list[list[int]] = field(default_factory=list)
    end: int = 0

    def node(self, *leads: int) -> int:
        self.leads.append(list(leads))
        return len(self.leads) - 1

    def reading(self, some: Bytes, then: int) -> int:
        node = self.node(then)
        self.reads[node] = some
        return node

    def sequence(self, nodes: Iterable[tuple[Any, Any]], then: int, flags: int) -> int:
        for kind, value in reversed(list(nodes)):
            then = self._single(str(kind), value, then, flags)
        return then

    def _single(self, kind: str, value: Any, then: int, flags: int) -> int:
        if kind == "BRANCH":
            return self.node(*(self.sequence(each, then, flags) for each in value[1]))
        if kind == "SUBPATTERN":
            return self.sequence(value[3], then, (flags | value[1]) & ~value[2])
        if kind in ("MAX_REPEAT", "MIN_REPEAT"):
            least, most, inner = value
            return self._repeat(least, most, inner, then, flags)
        if kind == "AT":
            node = self.node(then)
            self.demands[node] = {"AT_BOUNDARY": "boundary", "AT_BEGINNING": "beginning"}[str(value)]
            return node
        return self._characters(*_meant(kind, value, flags), then)

    def _repeat(self, least: int, most: Any, inner: Any, then: int, flags: int) -> int:
        if str(most) == "MAXREPEAT" or (int(most) - least > MANY and _wide(inner, flags)):
            loop = self.node(then)
            self.leads[loop].insert(0, self.sequence(inner, loop, flags))
            then = loop
        else:
            last = then
            for _ in range(int(most) - least):
                then = self.node(self.sequence(inner, then, flags), last)
        for _ in range(least):
            then = self.sequence(inner, then, flags)
        return then

    def _characters(self, plain: Bytes, longer: Sequence[Sequence[Bytes]], then: int) -> int:
        ways = [self.reading(plain, then)] if plain else []
        for each in longer:
            way = then
            for some in reversed(each):
                way = self.reading(some, way)
            ways.append(way)
        return ways[0] if len(ways) == 1 else self.node(*ways)


def _wide(inner: Sequence[tuple[Any, Any]], flags: int) -> bool:
    kind, value = str(inner[0][0]), inner[0][1]
    return len(inner) == 1 and kind in ("ANY", "IN", "NOT_LITERAL") and len(_meant(kind, value, flags)[0]) > WIDE


def _meant(kind: str, value: Any, flags: int) -> tuple[Bytes, list[Sequence[Bytes]]]:
    """Returns the ASCII characters that a class means, and the others as sequences of bytes."""
    if kind == "ANY":
        return ASCII - {10}, list(MANY_BYTES)
    items = value if kind == "IN" else [("LITERAL", value)]
    negated = kind == "NOT_LITERAL" or str(items[0][0]) == "NEGATE"
    plain: set[int] = set()
    longer: list[Sequence[Bytes]] = []
    for name, what in items:
        if str(name) == "CATEGORY":
            category = str(what).removeprefix("CATEGORY_")
            some = CATEGORIES[category.removeprefix("NOT_")]
            plain |= ASCII - some if category.startswith("NOT_") else some
            longer += MANY_BYTES if category.startswith("NOT_") else ()
        elif str(name) == "RANGE":
            plain |= set(range(what[0], min(what[1], 127) + 1))
            longer += MANY_BYTES if what[1] > 127 else ()
        elif str(name) == "LITERAL":
            for point in _looks(what) if flags & re.IGNORECASE else {what}:
                if point < 128:
                    plain.add(point)
                else:
                    longer.append([frozenset({byte}) for byte in chr(point).encode()])
    if flags & re.IGNORECASE:
        plain |= {ord(other) for each in plain for other in (chr(each).lower(), chr(each).upper())}
    if negated:
        return ASCII - plain, list(MANY_BYTES)
    return frozenset(plain), list(dict.fromkeys(map(tuple, longer)))


@lru_cache(4096)
def _looks(point: int) -> set[int]:
    """Returns the characters that are the same one but for case. Those of ASCII alone: see `ODD_LETTERS`."""
    same = {point}
    while True:
        more = {form for each in same for form in _forms(chr(each))}
        if more <= same:
            return same
        same |= more


def _forms(letter: str) -> set[int]:
    forms = {
        ord(each) for each in (letter.lower(), letter.upper(), letter.title(), letter.casefold()) if len(each) == 1
    }
    return forms if ord(letter) > 127 else {each for each in forms if each < 128}


@dataclass(frozen=True)
class Start:
    """What stands before the place: a letter or digit, or nothing."""

    word: bool
    beginning: bool = False


STARTS: Final = (Start(word=False, beginning=True), Start(word=False), Start(word=True))


@dataclass
class Deterministic:
    """The states of an expression: `steps` by byte (`END` after the last one), and those that `accept`."""

    starts: list[int] = field(default_factory=list)
    steps: list[dict[int, int]] = field(default_factory=list)
    accept: set[int] = field(default_factory=set)
    cut: bool = False


END: Final = 256
ACCEPTED: Final = (frozenset[int](), False)
State = tuple[frozenset[int], bool]
"""The nodes that a text leads to, and whether the last byte was of a word, if a node demands to know."""


class _Subsets:
    """Makes an automaton deterministic. `on` reads on after a match, `anywhere` starts anew at every byte."""

    def __init__(self, graph: Graph, begin: int, *, on: bool, anywhere: bool) -> None:
        self._graph, self._on, self._anywhere = graph, on, anywhere
        self._reached = lru_cache(None)(self._closure)
        self._begin = self._reached(begin)
        self._numbers: dict[State, int] = {}
        self._order: list[State] = []
        self.made = Deterministic()

    def run(self) -> Deterministic:
        made = self.made
        made.starts = [self._number(self._begin, each.word) for each in STARTS]
        beginning = self._step_all(self._begin, before=False, beginning=True)
        for number, (nodes, word) in enumerate(self._order):
            made.steps.append({})
            if nodes:
                made.steps[number] = self._step_all(nodes, before=word, beginning=False)
        made.starts[0] = len(made.steps)
        made.steps.append(beginning)
        return made

    def _closure(self, node: int) -> frozenset[int]:
        """Returns the nodes that read, demand or end, and are reached without reading."""
        found, seen, left = set(), {node}, [node]
        while left:
            each = left.pop()
            if each in self._graph.reads or each in self._graph.demands or each == self._graph.end:
                found.add(each)
                continue
            for further in self._graph.leads[each]:
                if further not in seen:
                    seen.add(further)
                    left.append(further)
        return frozenset(found)

    def _number(self, nodes: frozenset[int], word: bool) -> int:
        state = (nodes, word and any(each in self._graph.demands for each in nodes))
        if state not in self._numbers:
            if len(self._order) >= MOST_STATES:
                self.made.cut = True
                return self._accepted()
            self._numbers[state] = len(self._order)
            self._order.append(state)
        return self._numbers[state]

    def _accepted(self) -> int:
        if ACCEPTED not in self._numbers:
            self._numbers[ACCEPTED] = len(self._order)
            self._order.append(ACCEPTED)
            self.made.accept.add(self._numbers[ACCEPTED])
        return self._numbers[ACCEPTED]

    def _step_all(self, nodes: frozenset[int], *, before: bool, beginning: bool) -> dict[int, int]:
        steps: dict[int, int] = {}
        for after in (False, True):
            held = self._held(nodes, boundary=before != after, beginning=beginning)
            matched = self._graph.end in held and self._graph.end not in nodes
            by_byte: dict[int, list[int]] = {}
            for node in held:
                for byte in self._graph.reads.get(node, ()):
                    if (byte in WORD) == after:
                        by_byte.setdefault(byte, []).append(node)
            if matched or self._anywhere:
                for byte in range(END + 1):
                    if (byte in WORD) == after:
                        by_byte.setdefault(byte, [])
            known: dict[tuple[int, ...], int | None] = {}
            for byte, readers in by_byte.items():
                key = tuple(readers)
                if key not in known:
                    known[key] = self._target(readers, after, matched, last=byte == END)
                if (target := known[key]) is not None:
                    steps[byte] = target
        return steps

    def _held(self, nodes: frozenset[int], *, boundary: bool, beginning: bool) -> frozenset[int]:
        """Returns the nodes after those whose demand is met."""
        found, left = set(nodes), [each for each in nodes if each in self._graph.demands]
        while left:
            each = left.pop()
            found.discard(each)
            if boundary if self._graph.demands[each] == "boundary" else beginning:
                for further in self._reached(self._graph.leads[each][0]):
                    if further not in found:
                        found.add(further)
                        if further in self._graph.demands:
                            left.append(further)
        return frozenset(found)

    def _target(self, readers: Sequence[int], word: bool, matched: bool, *, last: bool) -> int | None:
        targets = frozenset[int]().union(*(self._reached(self._graph.leads[each][0]) for each in readers))
        matched = matched or self._graph.end in targets
        if matched and not self._on:
            return self._accepted()
        if self._anywhere and not last:
            targets |= self._begin
        if not targets:
            return self._accepted() if matched else None
        if matched:
            targets |= {self._graph.end}
        number = self._number(targets, word)
        if matched:
            self.made.accept.add(number)
        return number


def deterministic(regex: str, *, on: bool = False, anywhere: bool = False) -> Deterministic:
    graph = Graph()
    graph.end = graph.node()
    begin = graph.sequence(_parsed(regex), graph.end, re.IGNORECASE)
    return smallest(_Subsets(graph, begin, on=on, anywhere=anywhere).run())


def smallest(made: Deterministic) -> Deterministic:
    """Returns the automaton with states that accept the same as one."""
    group = [int(number in made.accept) for number in range(len(made.steps))]
    groups = len(set(group))
    while True:
        numbers: dict[object, int] = {}
        fresh = [
            numbers.setdefault(
                (group[number], frozenset((byte, group[to]) for byte, to in steps.items())), len(numbers)
            )
            for number, steps in enumerate(made.steps)
        ]
        if len(numbers) == groups:
            break
        group, groups = fresh, len(numbers)
    steps: list[dict[int, int]] = [{} for _ in range(groups)]
    for number, each in enumerate(made.steps):
        steps[fresh[number]] = {byte: fresh[to] for byte, to in each.items()}
    accept = {fresh[number] for number in made.accept}
    return Deterministic([fresh[each] for each in made.starts], steps, accept, made.cut)


def _parsed(regex: str) -> Any:
    import re._parser  # type: ignore[import-not-found]  # there is no public parser

    return re._parser.parse(regex, re.IGNORECASE)
