"""Rows with what the scanner makes of them: features of the patterns, and n-gram hashes of their readings."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from random import Random
from typing import Final

from bench.injection.descent import Hashed, Model, Settings, train
from bench.injection.rows import licence
from bench.injection.texts import BARE, CARRIED, carried, written
from mcpobs.detect.evaluation import Labelled
from mcpobs.detect.injection.calibration import MODEL
from mcpobs.detect.injection.scanning import measured
from mcpobs.detect.native.library import Ngrams

CONTESTED: Final = frozenset({"slabs", "deepset", "embedded_benign"})
"""Families whose labels are disputed: user prompts and questions, labelled by intent, in carriers."""

VARIANTS: Final = 8
"""Texts that are made of a written line, at most."""

OWN_SHARE: Final = 0.3
"""What one of them counts in the training, beside a text of the data: there are three to one."""


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
    allowed = [row for row in rows if licence(row.source) and row.family not in CONTESTED]
    carriers = [row for row in allowed if row.tier in ("plain", "hard") and len(row.text) > 300]
    return [seen(library, row) for row in [*bare, *carried(bare, carriers, random)]]


def fold(group: str, folds: int, salt: str = "") -> int:
    return zlib.crc32(f"{salt}{group}".encode()) % folds


def learnt(rows: Iterable[Seen], settings: Settings) -> Model:
    """Trains on the rows whose licence allows it."""
    used = [each for each in rows if licence(each.row.source)]
    labels, groups = [each.row.attack for each in used], [each.row.group for each in used]
    shares = [OWN_SHARE if each.row.tier in (BARE, CARRIED) else 1.0 for each in used]
    return train([each.hashed for each in used], labels, shares, groups, settings)


def crossed(rows: Sequence[Seen], settings: Settings, folds: int, salt: str) -> list[float]:
    """The margin of each row by a model that saw no row of its group. Carried texts of our own get none."""
    margins = [0.0] * len(rows)
    numbers = [fold(each.row.group, folds, salt) for each in rows]
    for number in range(folds):
        model = learnt((each for each, other in zip(rows, numbers, strict=True) if other != number), settings)
        for index, each in enumerate(rows):
            if numbers[index] == number and each.row.tier != CARRIED:
                margins[index] = model.score(each.hashed)
    return margins


def with_margin(each: Seen, margin: float) -> dict[str, float]:
    return {**each.features, MODEL: margin}
