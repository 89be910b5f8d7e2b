"""Expands the texts that were written for training (`texts/*.txt`).

A line is one sentence with alternatives: `[Ignore|Forget] the [rules|orders].` A line that starts with `#` is a comment;
`\\[` is a bracket. Attacks are put into carriers: benign rows that may be trained on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Final

from mcpobs.detect.evaluation import Labelled

FOLDER: Final = Path(__file__).with_name("texts")
KINDS: Final = {
    "attacks.en": (1, "marked"),
    "attacks.other": (1, "multilingual"),
    "orders.en": (1, "unmarked"),
    "benign": (0, "hard"),
    "benign.families": (0, "hard"),
}
_PART: Final = re.compile(r"(?<!\\)\[((?:[^\[\]\\|]|\\.)*(?:\|(?:[^\[\]\\|]|\\.)*)*(?<!\\))\]")


def written(random: Random, each: int) -> Iterator[Labelled]:
    """At most `each` different texts a line, bare."""
    for name, (label, tier) in KINDS.items():
        for number, line in enumerate((FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()):
            if line and not line.startswith("# "):
                for text in dict.fromkeys(expanded(line, random) for _ in range(each)):
                    yield Labelled(
                        text, bool(label), f"written_{name}", tier, f"written-{name}-{number}", "written for this model"
                    )


def expanded(line: str, random: Random) -> str:
    """One text of a line: an alternative of each bracket, from the inside out."""
    while found := _PART.search(line):
        line = line[: found.start()] + random.choice(found[1].split("|")) + line[found.end() :]
    return re.sub(r"\s+", " ", line.replace("\\", "")).strip()


def carried(rows: Sequence[Labelled], carriers: Sequence[Labelled], random: Random) -> Iterator[Labelled]:
    """Each text in the middle of a benign one, set apart as such texts are: a line, a comment, a cell, a JSON value."""
    for row in rows:
        carrier = random.choice(carriers).text
        at = _break(carrier, random.randrange(len(carrier) + 1))
        form = random.choice(
            ("\n{}\n", "\n\n{}\n\n", " {} ", "\n# {}\n", "<!-- {} -->", "\n| {} | - |\n", '", "note": "{}", "')
        )
        text = carrier[max(0, at - 700) : at] + form.format(row.text) + carrier[at : at + 700]
        yield Labelled(text, row.attack, row.family, row.tier, row.group, row.source)


def _break(text: str, near: int) -> int:
    """Where a word ends, at or after `near`."""
    while near < len(text) and not text[near].isspace():
        near += 1
    return near
