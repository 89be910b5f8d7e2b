"""Trains and calibrates the injection scanner. Writes the model's weights and record, and the calibration.

    python -m bench.injection.train DATA [--seed 20261130]

DATA is a folder with injection_dev.jsonl.gz. The same data, texts and seed give the same bytes.
"""

from __future__ import annotations

import argparse
import json
import sys
import zlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

import mcpobs.detect.injection
import mcpobs.detect.model
from bench.injection.corpus import Seen, crossed, learnt, own, seen, with_margin
from bench.injection.cross import Crossed, left_out, limit
from bench.injection.descent import Model, Settings
from bench.injection.evaluate import DATA, SLICES, flagged, key, share
from bench.injection.fit import RATES, weighed
from bench.injection.rows import EXCLUDED, licence, load, repository
from mcpobs.detect.injection.calibration import Calibration
from mcpobs.detect.native.library import Ngrams

FOLDS = 5
RATE = 0.01


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--seed", type=int, default=Settings.seed)
    given = parser.parse_args()
    settings, library = Settings(seed=given.seed), Ngrams()
    rows = load(given.data / DATA)
    known = [seen(library, row) for row in rows]
    ours = own(library, rows, given.seed)
    model = learnt([*known, *ours], settings)
    outside = left_out(known, ours, settings, FOLDS, (RATE,), key("group"))
    tables = calibrations(known, ours, settings, outside)
    hits = flagged(outside, RATE)
    figures = {title: figures_of(known, hits[title]) for title in hits}
    _write(model, tables, _record(model, known, ours, settings, figures))


def calibrations(
    rows: Sequence[Seen], ours: Sequence[Seen], settings: Settings, outside: Sequence[Crossed]
) -> dict[str, Calibration]:
    """Weights are fitted on all rows. A threshold is the higher of two: by the scores of these weights, and by scores
    of scanners that saw no row of the group."""
    every = [*rows, *ours]
    margins = crossed(every, settings, FOLDS, "")
    inputs = [with_margin(each, margin) for each, margin in zip(every, margins, strict=True)]
    both, alone = weighed(every, inputs), weighed(every, [each.features for each in every])
    sides = {
        "patterns_and_model": (both, inputs, [each.score for each in outside]),
        "patterns": (alone, [each.features for each in rows], [each.alone for each in outside]),
    }
    return {
        name: _named(rows, made, [made.score(each) for each in given[: len(rows)]], apart)
        for name, (made, given, apart) in sides.items()
    }


def _named(rows: Sequence[Seen], made: Calibration, *scores: Sequence[float]) -> Calibration:
    limits = [(rate, round(max(limit(rows, some, rate) for some in scores), 4)) for rate in RATES]
    return Calibration(made.intercept, made.weights, tuple(limits))


def figures_of(rows: Sequence[Seen], hits: Sequence[bool]) -> dict[str, object]:
    made: dict[str, object] = {}
    for name, counts in SLICES.items():
        one = share(rows, hits, counts)
        made[name] = {"found": one.found, "of": one.of}
    return made


def _write(model: Model, tables: dict[str, Calibration], record: dict[str, object]) -> None:
    weights, _ = model.rounded()
    if sys.byteorder == "big":
        weights.byteswap()
    folder = Path(mcpobs.detect.model.__path__[0])
    (folder / "weights.bin").write_bytes(zlib.compress(weights.tobytes(), 9))
    (folder / "training.json").write_text(json.dumps(record, indent=1) + "\n")
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
    model: Model, rows: Sequence[Seen], ours: Sequence[Seen], settings: Settings, figures: dict[str, dict[str, object]]
) -> dict[str, object]:
    used = [each.row for each in rows if licence(each.row.source)]
    sources = Counter((repository(row.source), licence(row.source)) for row in used)
    weights, scale = model.rounded()
    return {
        "bits": settings.bits,
        "scale": scale,
        "bias": model.bias,
        "date": datetime.now(UTC).date().isoformat(),
        **asdict(settings),
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
        "figures": {"left_out_by": "group", "folds": FOLDS, "rate": RATE, **figures},
    }


if __name__ == "__main__":
    main()
