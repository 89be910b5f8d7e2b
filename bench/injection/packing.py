"""Packs the automata of expressions into one table that `walk.c` reads: a step is one look into an array.

The first bytes of all expressions are read together, as the nodes of a trie are; then each goes on alone.
"""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bench.injection.deterministic import END, STARTS, Deterministic
from mcpobs.detect.native.automaton import CLASS_BITS, FREE, GROUP_BITS, GROUPS, OPENING, Table

DEPTH = 6
"""Bytes that expressions are read together."""

FEW = 1
"""So many expressions go on alone."""

WINDOW = 1 << 11
"""Entries, the places among which are tried for a row before they count as full."""

MARK = 1 << 23
"""Marks a step into a state in which something happens, an expression that accepts in its list, and the count of a list
after which no step leads on."""

Items = tuple[tuple[int, int], ...]
"""States of expressions: (expression, state)."""


@dataclass
class _Rows:
    """States as rows of steps by class, before they have places. Row 0 is never entered."""

    steps: list[dict[int, int]] = field(default_factory=lambda: [{}])
    happens: list[list[int]] = field(default_factory=lambda: [[]])

    def new(self) -> int:
        self.steps.append({})
        self.happens.append([])
        return len(self.steps) - 1


def packed(names: Sequence[str], made: Sequence[Deterministic], lanes: Sequence[int], sample: bytes = b"") -> Table:
    """Packs the automata. `lanes` are the numbers of those that start anew at every byte, `sample` is a text like those
    that will be read."""
    classes, first = _classes(made)
    rows = _Rows()
    single: dict[tuple[int, int], int] = {}
    by_class: dict[tuple[int, int], dict[int, int]] = {}
    for number, each in enumerate(made):
        for state, steps in enumerate(each.steps):
            single[number, state] = rows.new()
            by_class[number, state] = {classes[byte]: steps[byte] for byte in first if byte in steps}
    for (number, state), row in single.items():
        rows.steps[row] = {symbol: single[number, to] for symbol, to in by_class[number, state].items()}
        if state in made[number].accept:
            rows.happens[row] = [MARK | number]
    joint = _Joint(made, rows, single, by_class)
    roots = [
        joint.node(tuple((n, made[n].starts[place]) for n in range(len(made)) if n not in lanes), 0)
        for place in range(len(STARTS))
    ]
    joint.grow()
    begin = [single[number, made[number].starts[0]] for number in lanes]
    order = _reachable(rows, [*roots, *begin])
    visits = _visits(rows, roots, begin, [classes[byte] for byte in sample])
    order.sort(key=lambda row: -visits.get(row, 0))  # what texts visit most lies side by side: in the processor's cache
    return _placed(names, classes, rows, order, roots, begin)


def _classes(made: Sequence[Deterministic]) -> tuple[bytes, list[int]]:
    """Returns the class of each byte, and the first byte of each class. Bytes that no state tells apart are one."""
    seen: list[list[tuple[int, int, int]]] = [[] for _ in range(END + 1)]
    for number, each in enumerate(made):
        for state, steps in enumerate(each.steps):
            for byte, to in steps.items():
                seen[byte].append((number, state, to))
    numbers: dict[tuple[object, ...], int] = {}
    classes = bytes(numbers.setdefault((tuple(each),), len(numbers)) for each in seen)
    return classes, [classes.index(number) for number in range(len(numbers))]


class _Joint:
    """The first bytes of many expressions, read together."""

    def __init__(
        self,
        made: Sequence[Deterministic],
        rows: _Rows,
        single: Mapping[tuple[int, int], int],
        by_class: Mapping[tuple[int, int], Mapping[int, int]],
    ) -> None:
        self._made, self._rows, self._single, self._by_class = made, rows, single, by_class
        self._known: dict[Items, int] = {}
        self._left: list[tuple[Items, int]] = []

    def node(self, items: Items, depth: int) -> int:
        if len(items) == 1:
            return self._single[items[0]]
        if items not in self._known:
            row = self._known[items] = self._rows.new()
            accepting = [MARK | number for number, state in items if state in self._made[number].accept]
            alone = depth >= DEPTH or (len(items) <= FEW and depth > 0)
            going = [self._single[each] for each in items if self._by_class[each]] if alone else []
            self._rows.happens[row] = accepting + going
            if not alone:
                self._left.append((items, depth))
        return self._known[items]

    def grow(self) -> None:
        for items, depth in self._left:
            steps: dict[int, list[tuple[int, int]]] = {}
            for number, state in items:
                for symbol, to in self._by_class[number, state].items():
                    steps.setdefault(symbol, []).append((number, to))
            row = self._known[items]
            self._rows.steps[row] = {symbol: self.node(tuple(each), depth + 1) for symbol, each in steps.items()}


def _placed(
    names: Sequence[str],
    classes: bytes,
    rows: _Rows,
    order: Sequence[int],
    roots: Sequence[int],
    lanes: Sequence[int],
) -> Table:
    """Lays the rows over one another, so that no two have an entry in the same place."""
    width = max(classes) + 2
    happens = width - 1
    shelf = _Shelf()
    bases: dict[int, int] = {}
    for row in order:
        bases[row] = shelf.place(sorted(rows.steps[row]) + ([happens] if rows.happens[row] else []))
    size = max(bases.values()) + width + 1
    entries = array("I", [FREE]) * size
    lists, known = array("I"), dict[tuple[int, ...], int]()
    for row, base in bases.items():
        for symbol, to in rows.steps[row].items():
            marked = MARK if rows.happens[to] else 0
            entries[base + symbol] = symbol << CLASS_BITS | marked | bases[to]
        if rows.happens[row]:
            count = len(rows.happens[row]) | (0 if rows.steps[row] else MARK)
            items = (count, *(each if each & MARK else bases[each] for each in rows.happens[row]))
            if items not in known:
                known[items] = len(lists)
                lists.extend(items)
            entries[base + happens] = happens << CLASS_BITS | known[items]
    made = Table(names, classes, b"", [bases[each] for each in roots], [bases[each] for each in lanes], entries, lists)
    return made._replace(openings=openings(made))


class _Shelf:
    """Places rows where all their entries are free, and no other row begins. Free ones are bits of numbers."""

    def __init__(self) -> None:
        self._free: list[int] = []
        self._begin: list[int] = [FULL ^ 1]  # 0 is no state
        self._lows: dict[int, int] = {}  # by the size of rows: small ones fill holes that large ones leave

    def place(self, columns: Sequence[int]) -> int:
        size = len(columns).bit_length()
        low = self._lows.get(size, 0)
        while True:
            while len(self._free) < low + 3:
                self._free.append(FULL)
                self._begin.append(FULL)
            free, fits = _window(self._free, low, 3), _window(self._begin, low, 2)
            for each in columns:
                fits &= free >> each
            if fits:
                break
            low += 1
        self._lows[size] = low
        place = (fits & -fits).bit_length() - 1
        _take(self._begin, low, 1 << place)
        _take(self._free, low, sum(1 << each for each in columns) << place)
        return low * WINDOW + place


FULL = (1 << WINDOW) - 1


def _window(numbers: Sequence[int], low: int, count: int) -> int:
    return sum(number << place * WINDOW for place, number in enumerate(numbers[low : low + count]))


def _take(numbers: list[int], low: int, bits: int) -> None:
    while bits:
        numbers[low] ^= bits & FULL
        bits >>= WINDOW
        low += 1


def openings(table: Table) -> bytes:
    """Returns a bit for each root and three groups of bytes with which a text may go on where a thread begins."""
    groups: dict[int, set[int]] = {}
    for byte, symbol in enumerate(table.classes):
        groups.setdefault(symbol, set()).add(GROUPS[byte])
    bits = bytearray(len(table.roots) << GROUP_BITS * OPENING >> 3)
    for place, root in enumerate(table.roots):
        left: list[tuple[int, int, frozenset[int]]] = [(place, 0, frozenset({root}))]
        while left:
            read, depth, at = left.pop()
            if depth == OPENING:
                bits[read >> 3] |= 1 << (read & 7)
                continue
            for group, to in _entered(table, groups, at).items():
                left.append((read << GROUP_BITS | group, depth + 1, to))
    return bytes(bits)


ANYTHING = frozenset({0})
"""After a match all texts may go on."""


def _entered(table: Table, groups: Mapping[int, set[int]], at: frozenset[int]) -> dict[int, frozenset[int]]:
    """Returns, by group, the states that these lead to."""
    if at == ANYTHING:
        return dict.fromkeys(range(1 << GROUP_BITS), ANYTHING)
    found: dict[int, set[int]] = {}
    for state in at:
        for symbol, its in groups.items():
            entry = table.entries[state + symbol]
            if entry >> CLASS_BITS == symbol:
                for group in its:
                    found.setdefault(group, set()).update(_states(table, entry & (1 << CLASS_BITS) - 1))
    return {group: ANYTHING if 0 in targets else frozenset(targets) for group, targets in found.items()}


def _states(table: Table, to: int) -> Iterator[int]:
    """Yields the states that a step enters, and 0 if an expression accepts there."""
    yield to & ~MARK
    if to & MARK:
        number = table.entries[(to & ~MARK) + max(table.classes) + 1] & (1 << CLASS_BITS) - 1
        count = table.lists[number] & ~MARK
        for item in table.lists[number + 1 : number + 1 + count]:
            yield 0 if item & MARK else item


def _visits(rows: _Rows, roots: Sequence[int], lanes: Sequence[int], sample: Sequence[int]) -> Counter[int]:
    """Counts how often each row is entered. Every place of the sample counts as after a blank and as after a letter."""
    visits = Counter(dict.fromkeys(roots, len(sample)))
    now = set(lanes)
    for symbol in sample:
        entered = {to for row in (*now, *roots[1:]) if (to := rows.steps[row].get(symbol))}
        now = entered.union(*([each for each in rows.happens[row] if not each & MARK] for row in entered))
        visits.update(now)
    return visits


def _reachable(rows: _Rows, begin: Sequence[int]) -> list[int]:
    """Returns the rows by depth."""
    order = list(dict.fromkeys(begin))
    seen = set(order)
    for row in order:
        for to in (*rows.steps[row].values(), *(each for each in rows.happens[row] if not each & MARK)):
            if to not in seen:
                seen.add(to)
                order.append(to)
    return order
