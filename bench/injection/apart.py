"""Counts what the shipped scanner finds in texts that nothing is fitted on: `texts/apart/`, and labelled files.

    python -m bench.injection.apart [--rate 0.01] [--by tier|kind|style] [FILE ...]

The texts in `texts/apart/` were written before the changes that they measure, in several styles. Neither the training
nor the calibration reads them, and no pattern repeats their wording. Prints counts only, never a text.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from bench.injection.rows import load
from mcpobs.detect.evaluation import Labelled, Share
from mcpobs.detect.injection.scanning import scan, threshold

FOLDER: Final = Path(__file__).with_name("texts") / "apart"
BENIGN: Final = frozenset({"plain", "hard", "quoting"})
HEADER: Final = "=== "


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", type=Path, nargs="*")
    parser.add_argument("--rate", type=float, default=0.01)
    parser.add_argument("--by", choices=("tier", "kind", "style"), default="tier")
    given = parser.parse_args()
    for name, rows in [("texts/apart", list(apart())), *((file.name, load(file)) for file in given.files)]:
        found = [scan([row.text]).score > threshold(given.rate) for row in rows]
        print(f"### {name}, at the rate {given.rate:g}\n\n{counted(rows, found, BY[given.by])}\n")


def apart() -> Iterator[Labelled]:
    """Yields the texts of `texts/apart/`: the file is the tier, the family is `kind/style`."""
    for file in sorted(FOLDER.glob("*.txt")):
        for block in file.read_text(encoding="utf-8").split(f"\n{HEADER}"):
            family, _, text = block.removeprefix(HEADER).partition("\n")
            yield Labelled(text.strip("\n"), file.stem not in BENIGN, family, file.stem, family, "written apart")


BY: Final[dict[str, Callable[[Labelled], str]]] = {
    "tier": lambda row: "",
    "kind": lambda row: row.family.partition("/")[0],
    "style": lambda row: row.family.rpartition("/")[2],
}


def counted(rows: Sequence[Labelled], found: Sequence[bool], part: Callable[[Labelled], str]) -> str:
    """Returns a table with the counts of each tier and part, attacks together first."""
    lines = ["| texts | found | of | % | 95 % interval |", "|---|---|---|---|---|"]
    pairs = list(zip(rows, found, strict=True))
    lines.append(_line("attacks", [hit for row, hit in pairs if row.attack]))
    for tier in sorted({row.tier for row in rows}):
        for name in sorted({part(row) for row in rows if row.tier == tier}):
            hits = [hit for row, hit in pairs if row.tier == tier and part(row) == name]
            lines.append(_line(f"{tier} {name}".strip(), hits))
    return "\n".join(lines)


def _line(name: str, hits: Sequence[bool]) -> str:
    one = Share(sum(hits), len(hits))
    low, high = one.interval()
    return f"| {name} | {one.found} | {one.of} | {100 * (one.ratio or 0):.0f} | {100 * low:.0f}–{100 * high:.0f} |"


if __name__ == "__main__":
    main()
