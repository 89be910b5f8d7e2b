"""Chooses the anchors of the patterns: words without which an expression cannot match. Writes them beside the patterns.

    python -m bench.injection.anchors DATA

Of the sets of words of which an expression needs one, the rarest in harmless texts are kept (`MOST` of an expression,
and as many of what has to stand near). Run it after a change of a pattern: one without anchors is still found, slower.
"""

from __future__ import annotations

import argparse
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import mcpobs.detect.injection
from bench.injection.evaluate import DATA
from bench.injection.rows import load
from mcpobs.detect.injection.anchors import Needs, name
from mcpobs.detect.injection.layers import normalised
from mcpobs.detect.injection.scanning import stageable
from mcpobs.detect.native.anchors import BETWEEN

MOST = 3
WIDEST = 600
"""Words that one set may hold."""

JOINED = 50
"""Words that pieces which follow one another may make together."""

LONGEST = 11
SHORTEST = 2
COMMONEST = 25.0
"""Places in 10,000 characters from which on a set says nothing."""

REPEATS = 4
"""How often a piece that may be repeated without end is, for the length of a match."""

ENDLESS = 60
"""Characters of a class that may be repeated without end."""

LONGEST_MATCH = 160
SHORT_LIST = 5


@dataclass
class Part:
    """What a piece of an expression matches: exactly these words (None if they are too many), what it needs, and the
    symbols that it takes at most."""

    exact: frozenset[str] | None = None
    needs: list[frozenset[str]] = field(default_factory=list)
    length: int = 1


class Rarity:
    """Counts words in harmless texts."""

    def __init__(self, texts: Sequence[str]) -> None:
        text = normalised("\n".join(texts)).lower()
        self._per = 10_000 / len(text)
        self._text = re.sub(r"[^a-z0-9]+", BETWEEN, text)
        self._count = cache(self._text.count)

    def places(self, words: frozenset[str]) -> float:
        """In 10,000 characters."""
        return sum(map(self._count, words)) * self._per

    def part(self, nodes: Iterable[tuple[Any, Any]]) -> Part:
        needs: list[frozenset[str]] = []
        run, whole, length = frozenset({""}), True, 0
        for kind, value in nodes:
            one = self._single(str(kind), value)
            needs += one.needs
            length += one.length
            joined = _product(run, one.exact) if one.exact is not None else None
            if joined is not None:
                run = joined
                continue
            needs += _need(run)
            run, whole = one.exact if one.exact is not None else frozenset({""}), False
        return Part(run, needs, length) if whole else Part(None, needs + _need(run), length)

    def _single(self, kind: str, value: Any) -> Part:
        if kind == "LITERAL":
            return Part(frozenset({_symbol(value)}))
        if kind == "IN":
            return _class(value)
        if kind == "AT":
            return Part(frozenset({BETWEEN}))
        if kind == "SUBPATTERN":
            return self.part(value[3])
        if kind == "BRANCH":
            return self._branch([self.part(each) for each in value[1]])
        return self._repeat(*value) if kind in ("MAX_REPEAT", "MIN_REPEAT") else Part()

    def _repeat(self, least: int, most: int, inner: Any) -> Part:
        one = self.part(inner)
        if one.exact == frozenset({BETWEEN}):
            return Part(frozenset({BETWEEN} | (set() if least else {""})))
        often = int(most) if int(most) <= 1000 else REPEATS if one.length > 1 else ENDLESS
        length = one.length * often
        if most == 1:
            exact = one.exact
            return Part(exact if least else exact | {""} if exact is not None else None, one.needs * least, length)
        return Part(None, (one.needs + _need(one.exact or frozenset({""}))) if least else [], length)

    def _branch(self, ways: Sequence[Part]) -> Part:
        length = max(way.length for way in ways)
        union = frozenset[str]().union(*(way.exact or () for way in ways))
        if all(way.exact is not None for way in ways) and len(union) <= WIDEST:
            return Part(union, [], length)
        rarest: frozenset[str] = frozenset()
        for way in ways:
            needs = way.needs + (_need(way.exact) if way.exact is not None else [])
            if not needs:
                return Part(None, [], length)
            rarest |= min(needs, key=lambda words: (self.places(words), sorted(words)))
        return Part(None, [_least(rarest)] if len(rarest) <= 2 * WIDEST else [], length)

    def chosen(self, regex: str) -> tuple[list[frozenset[str]], int]:
        """Returns the rarest sets that the expression needs, and the symbols that a match takes."""
        one = self.part(_parsed(regex))
        needs = set(one.needs + (_need(one.exact) if one.exact is not None else []))
        ranked = sorted(needs, key=lambda words: (self.places(words), sorted(words)))
        few = [words for words in ranked if self.places(words) < COMMONEST] or ranked[:1]
        return few[:MOST], min(one.length, LONGEST_MATCH)


def _parsed(regex: str) -> Any:
    import re._parser  # type: ignore[import-not-found]  # there is no public parser

    return re._parser.parse(regex, re.IGNORECASE)


def _symbol(point: int) -> str:
    letter = chr(point).lower()
    return letter if letter.isascii() and letter.isalnum() else BETWEEN


def _class(items: Sequence[tuple[Any, Any]]) -> Part:
    """A class of characters between words counts as what stands between them; a short list of letters as these."""
    symbols = set()
    for kind, value in items:
        if str(kind) == "LITERAL":
            symbols.add(_symbol(value))
        elif str(value) in ("CATEGORY_SPACE", "CATEGORY_NOT_WORD"):
            symbols.add(BETWEEN)
        else:
            return Part()
    return Part(frozenset(symbols)) if len(symbols) <= SHORT_LIST else Part()


def _product(run: frozenset[str], more: frozenset[str]) -> frozenset[str] | None:
    """Joins all words with all: what stands between words counts once."""
    if min(len(run), len(more)) > 1 and len(run) * len(more) > JOINED:
        return None
    return frozenset((a + b).replace(BETWEEN * 2, BETWEEN) for a in run for b in more)


def _need(run: frozenset[str]) -> list[frozenset[str]]:
    short = {each[:LONGEST] for each in run}
    if any(len(each.strip(BETWEEN)) < SHORTEST for each in short):
        return []
    return [_least(short)]


def _least(words: Iterable[str]) -> frozenset[str]:
    """Returns the words but those that hold another one."""
    kept = set(words)
    return frozenset(
        word
        for word in kept
        if not any(
            word[start:end] in kept
            for start in range(len(word))
            for end in range(start + 1, len(word) + 1)
            if end - start < len(word)
        )
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    rarity = Rarity([row.text for row in load(given.data / DATA) if row.tier in ("plain", "hard")])
    sets: dict[tuple[str, ...], int] = {}
    needs: Needs = {}
    for regex in sorted({each for pair in stageable() for each in pair if each}):
        found, length = rarity.chosen(regex)
        if found:
            needs[name(regex)] = (length, [sets.setdefault(tuple(sorted(words)), len(sets)) for words in found])
    file = Path(mcpobs.detect.injection.__path__[0]) / "anchors.json"
    lines = ",\n  ".join(json.dumps("|".join(words)) for words in sets)
    file.write_text(f'{{"sets": [\n  {lines}\n ],\n "needs": {json.dumps(needs)}}}\n')
    print(len(sets), "sets", len({word for words in sets for word in words}), "words", len(needs), "expressions")


if __name__ == "__main__":
    main()
