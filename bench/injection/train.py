"""Trains and calibrates the injection scanner. Writes the model's weights and record, and the calibration.

    python -m bench.injection.train DATA [--seed 20261130] [--check]

DATA is a folder with injection_dev.jsonl.gz. The same data, texts and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from array import array
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

import mcpobs.detect.injection
import mcpobs.detect.model
from bench.injection.corpus import Seen, crossed, learnt, own, seen, with_margin
from bench.injection.cross import left_out
from bench.injection.descent import Model, Settings
from bench.injection.fit import RATES, fitted, threshold
from bench.injection.rows import EXCLUDED, licence, load, repository
from mcpobs.detect.injection.calibration import Calibration
from mcpobs.detect.native.library import Ngrams

DATA = "injection_dev.jsonl.gz"
FOLDS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    given = parser.parse_args()
    settings, library = Settings(seed=given.seed), Ngrams()
    rows = load(given.data / DATA)
    known = [seen(library, row) for row in rows]
    ours = own(library, rows, given.seed)
    model = learnt(known, ours, settings)
    tables = calibrations(known, ours, settings)
    _write(model, known, ours, settings, tables)


def calibrations(rows: Sequence[Seen], ours: Sequence[Seen], settings: Settings) -> dict[str, Calibration]:
    """The weights are fitted on all rows; thresholds are the higher of these and of those of scores left out by group."""
    margins = crossed(rows, ours, settings, FOLDS, "")
    labels = [each.row.attack for each in rows]
    inputs = [with_margin(each, margin) for each, margin in zip(rows, margins, strict=True)]
    both, alone = fitted(inputs, labels), fitted([each.features for each in rows], labels)
    outside = left_out(rows, ours, settings, FOLDS, (), lambda each: each.row.group)
    return {
        "patterns_and_model": _named(
            rows, both, [both.score(each) for each in inputs], [each.score for each in outside]
        ),
        "patterns": _named(
            rows, alone, [alone.score(each.features) for each in rows], [each.alone for each in outside]
        ),
    }


def _named(rows: Sequence[Seen], made: Calibration, *scores: Sequence[float]) -> Calibration:
    limits = []
    for rate in RATES:
        each = [
            threshold(
                [score for row, score in zip(rows, some, strict=True) if row.row.tier == "plain"],
                [score for row, score in zip(rows, some, strict=True) if row.row.tier == "hard"],
                rate,
            )
            for some in scores
        ]
        limits.append((rate, round(max(each), 4)))
    return Calibration(made.intercept, made.weights, tuple(limits))


def _write(
    model: Model, rows: Sequence[Seen], ours: Sequence[Seen], settings: Settings, tables: dict[str, Calibration]
) -> None:
    weights, scale = model.rounded()
    if sys.byteorder == "big":
        weights.byteswap()
    folder = Path(mcpobs.detect.model.__path__[0])
    (folder / "weights.bin").write_bytes(zlib.compress(weights.tobytes(), 9))
    (folder / "training.json").write_text(
        json.dumps(_record(model, scale, rows, ours, settings, weights), indent=1) + "\n"
    )
    written = {
        name: {
            "intercept": table.intercept,
            "weights": dict(sorted(table.weights.items())),
            "thresholds": table.thresholds,
        }
        for name, table in tables.items()
    }
    folder = Path(mcpobs.detect.injection.__path__[0])
    (folder / "calibration.json").write_text(json.dumps(written, indent=1) + "\n")


def _record(
    model: Model, scale: float, rows: Sequence[Seen], ours: Sequence[Seen], settings: Settings, weights: array[int]
) -> dict[str, object]:
    used = [each.row for each in rows if licence(each.row.source)]
    sources = Counter((repository(row.source), licence(row.source)) for row in used)
    return {
        "bits": settings.bits,
        "scale": scale,
        "bias": model.bias,
        "seed": settings.seed,
        "date": datetime.now(UTC).date().isoformat(),
        "settings": {
            "least_groups": settings.least,
            "warm": settings.warm,
            "epochs": settings.epochs,
            "rate": settings.rate,
        },
        "texts": {
            "attacks": sum(row.attack for row in used),
            "benign": sum(not row.attack for row in used),
            "written_for_it": len(ours),
        },
        "weights_not_zero": sum(1 for weight in weights if weight),
        "sources": [
            {"name": name, "licence": terms, "texts": count} for (name, terms), count in sorted(sources.items())
        ],
        "not_trained_on": EXCLUDED,
    }


if __name__ == "__main__":
    main()
