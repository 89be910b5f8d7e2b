"""Scans the strings of one result together: layers, patterns, features, score."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

from mcpobs.detect.injection.calibration import calibration
from mcpobs.detect.injection.engine import Engine
from mcpobs.detect.injection.families import FAMILIES
from mcpobs.detect.injection.joined import Joined, joined
from mcpobs.detect.injection.layers import layers
from mcpobs.detect.injection.summary import Found, summary


class Hit(NamedTuple):
    """A pattern that was found. `text` is the number of the string, `start` and `end` are characters of it."""

    rule: str
    family: str
    start: int
    end: int
    text: int = 0


class Scanned(NamedTuple):
    score: float
    hits: tuple[Hit, ...]
    truncated: bool


def scan(texts: Sequence[str]) -> Scanned:
    """Scores the strings of one result together. Higher is worse; compare with `threshold`."""
    whole = joined(texts)
    found = _found(whole.text)
    score = calibration().score(summary(whole.text, found))
    return Scanned(score, tuple(_hit(whole, each) for each in found), whole.truncated)


def features(text: str | Sequence[str]) -> dict[str, float]:
    """Returns the features that the score is a weighted sum of, by name; absent ones are 0."""
    whole = joined([text] if isinstance(text, str) else text)
    return summary(whole.text, _found(whole.text))


def threshold(rate: float) -> float:
    """Returns the score that a benign result exceeds with this probability."""
    return calibration().threshold(rate)


def _found(text: str) -> list[Found]:
    engine, families = _engine()
    found = []
    for layer in layers(text):
        data = layer.text.encode("utf-8", "replace")
        for number, place in engine.find(data):
            start, end = layer.span(*place) if len(data) == len(layer.text) else layer.span(*_characters(data, *place))
            found.append(Found(engine.patterns[number].id, families[number], start, end, layer.kind))
    return found


def _characters(data: bytes, start: int, end: int) -> tuple[int, int]:
    before = len(data[:start].decode("utf-8", "ignore"))
    return before, before + len(data[start:end].decode("utf-8", "ignore"))


def _hit(whole: Joined, found: Found) -> Hit:
    number, start, end = whole.place(found.start, found.end)
    return Hit(found.rule, found.family, start, end, number)


@cache
def _engine() -> tuple[Engine, tuple[str, ...]]:
    named = [(family, pattern) for family, patterns in FAMILIES.items() for pattern in patterns]
    return Engine(pattern for _, pattern in named), tuple(family for family, _ in named)
