"""Scans the strings of one result together: layers, patterns, features, score."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from typing import NamedTuple

from mcpobs.detect.injection.calibration import MODEL, calibration
from mcpobs.detect.injection.codings import CODINGS
from mcpobs.detect.injection.decoding import decoded
from mcpobs.detect.injection.engine import Engine, Matched, as_sought
from mcpobs.detect.injection.families import CONTEXT, FAMILIES, SHELVES, multilingual
from mcpobs.detect.injection.joined import Joined, joined
from mcpobs.detect.injection.layers import Layer, normalised, unfolded
from mcpobs.detect.injection.orders import orders
from mcpobs.detect.injection.pattern import Pattern
from mcpobs.detect.injection.summary import Found, summary
from mcpobs.detect.injection.table import Sought
from mcpobs.detect.model import score as model_score


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
    found, readings = read(whole.text)
    score = calibration().score(_weighed(whole.text, found, readings))
    return Scanned(score, tuple(_hit(whole, each) for each in found if each.family != CONTEXT), whole.truncated)


def features(text: str | Sequence[str]) -> dict[str, float]:
    """Returns the features that the score is a weighted sum of, by name; absent ones are 0."""
    whole = joined([text] if isinstance(text, str) else text)
    return _weighed(whole.text, *read(whole.text))


def measured(text: str) -> tuple[dict[str, float], list[str]]:
    """Returns the features of the patterns, and the readings that the linear model scores."""
    whole = joined([text])
    found, readings = read(whole.text)
    return summary(whole.text, found), readings


def threshold(rate: float) -> float:
    """Returns the score that a benign result exceeds with this probability."""
    return calibration().threshold(rate)


def _weighed(text: str, found: Sequence[Found], readings: Sequence[str]) -> dict[str, float]:
    features = summary(text, found)
    margin = model_score(readings)
    if margin is not None:
        features[MODEL] = margin
    return features


def read(text: str) -> tuple[list[Found], list[str]]:
    """Returns everything that a text holds, the signs of its context included; and its readings: normalised, then
    whatever is hidden or coded in it."""
    plain = normalised(text)
    data = plain.encode("utf-8", "replace")
    engine = _engine()
    matched = engine.matched(data)
    found = [*_places(data, matched, Layer(plain)), *_orders(data, Layer(plain))]
    further = [*_decoded(data, matched, Layer(plain))]
    looked: dict[str, Matched] = {}
    for layer in unfolded(text, plain, data):
        further.append(layer)
        if layer.kind == "confusable":
            folded = layer.text.encode("utf-8", "replace")
            looked[layer.text] = engine.matched(folded)
            further += _decoded(folded, looked[layer.text], layer)
    named: set[str] = set()
    for layer in further:
        if layer.kind in OWN_FINDINGS and layer.kind not in named:
            named.add(layer.kind)
            found.append(_own(layer))
        data = layer.text.encode("utf-8", "replace")
        found.extend(_places(data, looked.get(layer.text) or engine.matched(data), layer))
        found.extend(_orders(data, layer))
    return found, [plain, *(layer.text for layer in further)]


def _decoded(data: bytes, matched: Matched, layer: Layer) -> Iterator[Layer]:
    for coding, clear, start, end in decoded(data, matched.regexes):
        yield Layer(clear, coding, _characters(data, start, end) if len(data) != len(layer.text) else (start, end))


OWN_FINDINGS = {
    **dict.fromkeys(("tags", "variations", "bidi", "split"), "invisible"),
    **dict.fromkeys(("confusable", "leet"), "lookalike"),
    **dict.fromkeys(("shifted", "backwards", "binary", "decimal", "morse", "base85"), "coded"),
}
"""The readings that are findings by themselves, whatever they say, with the family of these."""


def _own(layer: Layer) -> Found:
    family = OWN_FINDINGS[layer.kind]
    rule = f"{family}-{layer.kind}"
    return Found(rule, family, *(layer.base or (0, 0)), "plain", rule)


def _places(data: bytes, matched: Matched, layer: Layer) -> Iterator[Found]:
    for pattern, (start, end) in _engine().find(data, matched):
        yield Found(
            pattern.id, pattern.family, *_span(data, layer, start, end), layer.kind, pattern.shared or pattern.id
        )


def _orders(data: bytes, layer: Layer) -> Iterator[Found]:
    for rule, start, end in orders(data):
        yield Found(rule, "orders", *_span(data, layer, start, end), layer.kind, rule)


def _span(data: bytes, layer: Layer, start: int, end: int) -> tuple[int, int]:
    if layer.base is not None:
        return layer.base
    return _characters(data, start, end) if len(data) != len(layer.text) else (start, end)


def _characters(data: bytes, start: int, end: int) -> tuple[int, int]:
    before = len(data[:start].decode("utf-8", "ignore"))
    return before, before + len(data[start:end].decode("utf-8", "ignore"))


def _hit(whole: Joined, found: Found) -> Hit:
    number, start, end = whole.place(found.start, found.end)
    return Hit(found.rule, found.family, start, end, number)


@cache
def _engine() -> Engine:
    return Engine(*shelved())


def shelved() -> tuple[list[Sequence[Pattern]], Sequence[Pattern], list[list[str]]]:
    """Returns the shelves of patterns, the patterns that ASCII texts cannot hold, and the shelves of gates."""
    shelves = [[pattern for family in shelf for pattern in FAMILIES[family]] for shelf in SHELVES]
    gated = [coding for coding in CODINGS if coding.has_gate]
    words = [coding.gate for coding in gated if not coding.counts]
    runs = [[coding.gate] for coding in gated if coding.counts]  # alone each is cheapest
    return [*shelves, multilingual.LATIN], multilingual.OTHERS, [words, *runs]


def sought() -> list[Sought]:
    """Returns the expressions of all patterns and gates."""
    shelves, others, gates = shelved()
    patterns = [each for shelf in (*shelves, others) for each in shelf]
    return [*map(as_sought, patterns), *(Sought(gate) for shelf in gates for gate in shelf)]
