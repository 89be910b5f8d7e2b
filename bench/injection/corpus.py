"""Rows with what the scanner makes of them: features of the patterns, and n-gram hashes of their readings."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from bench.injection.descent import Hashed, Model, Settings, train
from bench.injection.rows import licence
from bench.injection.texts import carried, written
from mcpobs.detect.evaluation import Labelled
from mcpobs.detect.injection.calibration import MODEL
from mcpobs.detect.injection.scanning import measured
from mcpobs.detect.native.library import Ngrams

CONTESTED: Final = frozenset({"slabs", "deepset", "embedded_benign"})
"""Families whose labels are disputed: user prompts and questions, labelled by intent, in carriers."""

VARIANTS: Final = 8
"""Texts that are made of a written line, at most."""


@dataclass(frozen=True)
class Seen:
    row: Labelled
    features: Mapping[str, float]
    hashed: Hashed


def seen(library: Ngrams, row: Labelled) -> Seen:
    features, readings = measured(row.text)
    return Seen(row, features, Hashed(library, readings))


def own(library: Ngrams, rows: Sequence[Labelled], seed: int) -> list[Seen]:
    """The texts written for the model, bare and in carriers from `rows`."""
    random = Random(seed)
    bare = list(written(random, VARIANTS))
    carriers = [row for row in rows if licence(row.source) and row.tier in ("plain", "hard") and len(row.text) > 300]
    carriers = [row for row in carriers if row.family not in CONTESTED]
    return [seen(library, row) for row in [*bare, *carried(bare, carriers, random)]]


def for_weights(own: Sequence[Seen]) -> list[tuple[Mapping[str, float], int]]:
    """Our own texts that weights of rules are fitted on: bare, and not the orders that no rule can know."""
    used = [each for each in own if each.row.tier != "unmarked" and len(each.row.text) <= LONGEST_BARE]
    return [(each.features, int(each.row.attack)) for each in used]


LONGEST_BARE: Final = 300


def fold(group: str, folds: int, salt: str = "") -> int:
    return zlib.crc32(f"{salt}{group}".encode()) % folds


def learnt(rows: Iterable[Seen], own: Iterable[Seen], settings: Settings) -> Model:
    """Trains on the rows whose licence allows it, and on our own."""
    used = [each for each in rows if licence(each.row.source)] + list(own)
    labels, groups = [each.row.attack for each in used], [each.row.group for each in used]
    return train([each.hashed for each in used], labels, [1.0] * len(used), groups, settings)


def crossed(rows: Sequence[Seen], own: Sequence[Seen], settings: Settings, folds: int, salt: str) -> list[float]:
    """The margin of each row by a model that saw no row of its group."""
    margins = [0.0] * len(rows)
    for number in range(folds):
        left_out = [index for index, each in enumerate(rows) if fold(each.row.group, folds, salt) == number]
        others = [each for each in rows if fold(each.row.group, folds, salt) != number]
        model = learnt(others, own, settings)
        for index in left_out:
            margins[index] = model.score(rows[index].hashed)
    return margins


def with_margin(each: Seen, margin: float) -> dict[str, float]:
    return {**each.features, MODEL: margin}
