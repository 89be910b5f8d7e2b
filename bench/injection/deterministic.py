"""Makes the automaton of an expression deterministic, and as small as it can be.

An automaton that grows too large accepts early. Whoever uses one asks RE2 about what it accepts.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from bench.injection.regular import WORD, Graph, parsed

MOST_STATES: Final = 5000
"""States of one expression; beyond, what was read so far is accepted."""


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
    begin = graph.sequence(parsed(regex), graph.end, re.IGNORECASE)
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
