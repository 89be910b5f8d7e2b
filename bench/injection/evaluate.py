"""Evaluates the injection scanner with everything refitted per fold: weights, calibration, thresholds.

    python -m bench.injection.evaluate DATA [--by group|family] [--folds 5]

DATA is a folder with injection_dev.jsonl.gz. Prints, per tier, recall with Wilson's 95 % interval at the thresholds
that each fold's scanner names for a rate, for patterns with the model and for patterns alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.injection.corpus import CONTESTED, Seen, own, seen
from bench.injection.cross import Crossed, left_out
from bench.injection.descent import Settings
from bench.injection.rows import load
from mcpobs.detect.evaluation import Share
from mcpobs.detect.native.library import Ngrams

DATA = "injection_dev.jsonl.gz"
RATES = (0.001, 0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1)
TEMPLATES = ("agentdojo_", "injecagent_")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("--by", choices=("group", "family"), default="group")
    parser.add_argument("--folds", type=int, default=5)
    given = parser.parse_args()
    rows = load(given.data / DATA)
    library, settings = Ngrams(), Settings()
    known, ours = [seen(library, row) for row in rows], own(library, rows, settings.seed)
    scores = left_out(known, ours, settings, given.folds, RATES, key(given.by))
    for title, hits in flagged(scores, 0.01).items():
        print(f"\n### {title}\n\n{table(known, hits)}")
    print(f"\n### Curve\n\n{curve(known, scores)}")


def key(by: str) -> Callable[[Seen], str]:
    """What is left out together. A benign text always goes by its group: there is no scanner without benign texts."""
    if by == "group":
        return lambda each: each.row.group
    return lambda each: each.row.family if each.row.attack else each.row.group


def flagged(scores: Sequence[Crossed], rate: float) -> dict[str, list[bool]]:
    return {
        "patterns and model": [each.score > each.thresholds[rate] for each in scores],
        "patterns alone": [each.alone > each.alone_thresholds[rate] for each in scores],
    }


SLICES: dict[str, Callable[[Seen], bool]] = {
    "plain + hard benign": lambda each: each.row.tier in ("plain", "hard"),
    "plain benign": lambda each: each.row.tier == "plain",
    "plain + hard, without contested": lambda each: (
        each.row.tier in ("plain", "hard") and each.row.family not in CONTESTED
    ),
    "hard benign": lambda each: each.row.tier == "hard",
    "quoting": lambda each: each.row.tier == "quoting",
    "template families": lambda each: each.row.attack and each.row.family.startswith(TEMPLATES),
    "template families, marked": lambda each: each.row.tier == "marked" and each.row.family.startswith(TEMPLATES),
    "marked": lambda each: each.row.tier == "marked",
    "marked, without contested": lambda each: each.row.tier == "marked" and each.row.family not in CONTESTED,
    "obfuscated": lambda each: each.row.tier == "obfuscated",
    "multilingual": lambda each: each.row.tier == "multilingual",
    "unmarked": lambda each: each.row.tier == "unmarked",
}


def share(rows: Sequence[Seen], hits: Sequence[bool], counts: Callable[[Seen], bool]) -> Share:
    found = [hit for each, hit in zip(rows, hits, strict=True) if counts(each)]
    return Share(sum(found), len(found))


def table(rows: Sequence[Seen], hits: Sequence[bool]) -> str:
    lines = ["| texts | found | of | % | 95 % interval |", "|---|---|---|---|---|"]
    families = sorted({each.row.family for each in rows if each.row.attack})
    slices = {**SLICES, **{f"  {name}": lambda each, name=name: each.row.family == name for name in families}}
    for name, counts in slices.items():
        one = share(rows, hits, counts)
        low, high = one.interval()
        lines.append(
            f"| {name} | {one.found} | {one.of} | {100 * (one.ratio or 0):.1f} | {100 * low:.1f}–{100 * high:.1f} |"
        )
    return "\n".join(lines)


def curve(rows: Sequence[Seen], scores: Sequence[Crossed]) -> str:
    names = [name for name in SLICES if "benign" not in name or name.startswith("plain")]
    lines = ["| rate % | scanner | " + " | ".join(names) + " |", "|---" * (len(names) + 2) + "|"]
    for rate in RATES:
        for title, hits in flagged(scores, rate).items():
            cells = [f"{100 * (share(rows, hits, SLICES[name]).ratio or 0):.1f}" for name in names]
            lines.append(f"| {100 * rate:g} | {title} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
