"""Makes the automaton of the patterns' expressions and of the gates of codings. Writes it beside the patterns.

    python -m bench.injection.automaton DATA

DATA is a folder with injection_dev.jsonl.gz: states that its harmless texts visit most lie side by side. Run it
after a change of a pattern, a vocabulary or a coding: an expression that the file does not have is still found, slower.
Takes half a minute.
"""

from __future__ import annotations

from argparse import ArgumentParser, RawDescriptionHelpFormatter
from pathlib import Path
from typing import Final

import mcpobs.detect.injection
from bench.injection.deterministic import deterministic
from bench.injection.evaluate import DATA
from bench.injection.packing import packed
from bench.injection.rows import load
from mcpobs.detect.injection.codings import CODINGS
from mcpobs.detect.injection.layers import normalised
from mcpobs.detect.injection.scanning import sought
from mcpobs.detect.injection.table import FILE, name

ANYWHERE: Final = ("hex",)
"""Codings whose gate counts characters: one that began at every character would have as many threads as it counts."""


SAMPLE_BYTES: Final = 200_000


def _sample(data: Path) -> bytes:
    texts = [row.text for row in load(data / DATA) if row.tier in ("plain", "hard")]
    return "\n".join(normalised(text)[:1000] for text in texts).encode("utf-8", "replace")[:SAMPLE_BYTES]


def main() -> None:
    parser = ArgumentParser(description=__doc__, formatter_class=RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    given = parser.parse_args()
    pairs = dict.fromkeys((each.regex, bool(each.near)) for each in sought())
    on = {regex for regex, paired in pairs if paired}
    regexes = sorted({regex for each in sought() for regex in (each.regex, each.near) if regex})
    counting = {coding.gate for coding in CODINGS if coding.name in ANYWHERE}
    made = [deterministic(each, on=each in on, anywhere=each in counting) for each in regexes]
    lanes = [number for number, each in enumerate(regexes) if each in counting]
    table = packed([name(each) for each in regexes], made, lanes, _sample(given.data))
    file = table.packed()
    (Path(mcpobs.detect.injection.__path__[0]) / FILE).write_bytes(file)
    states, cut = sum(len(each.steps) for each in made), sum(each.cut for each in made)
    print(f"{len(regexes)} expressions ({cut} cut), {states} states, {len(table.entries)} entries, {len(file)} bytes")


if __name__ == "__main__":
    main()
