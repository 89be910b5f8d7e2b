"""Expands the texts that were written for training (`texts/*.txt`).

A line is one sentence with alternatives: `[Ignore|Forget] the [rules|orders].` A line that starts with `#` is a
comment; `\\[` is a bracket. Texts are put into carriers: benign rows that may be trained on.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Final

from mcpobs.detect.evaluation import Labelled

FOLDER: Final = Path(__file__).with_name("texts")
KINDS: Final = {
    **dict.fromkeys(("attacks.en", "attacks.families", "attacks.other", "orders.en"), True),
    **dict.fromkeys(("benign", "benign.families"), False),
}
BARE: Final = "written"
CARRIED: Final = "carried"
"""Tiers of these texts: bare, and in carriers. No tier of the evaluation."""

SOURCE: Final = "written for this model"
CARRIER_CHARACTERS: Final = 700
FORMS: Final = (
    *("\n{}\n", "\n\n{}\n\n", " {} ", "\n# {}\n", "<!-- {} -->"),
    *("\n| {} | - |\n", '", "note": "{}", "'),
)
_PART: Final = re.compile(r"(?<!\\)\[((?:[^\[\]\\|]|\\.)*(?:\|(?:[^\[\]\\|]|\\.)*)*(?<!\\))\]")


def written(random: Random, each: int) -> Iterator[Labelled]:
    """At most `each` different texts a line, bare."""
    for name, attack in KINDS.items():
        for number, line in enumerate((FOLDER / f"{name}.txt").read_text(encoding="utf-8").splitlines()):
            if line and not line.startswith("# "):
                for text in dict.fromkeys(expanded(line, random) for _ in range(each)):
                    yield Labelled(text, attack, name, BARE, f"{name}-{number}", SOURCE)


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
        before, after = carrier[max(0, at - CARRIER_CHARACTERS) : at], carrier[at : at + CARRIER_CHARACTERS]
        yield replace(row, text=before + random.choice(FORMS).format(row.text) + after, tier=CARRIED)


def _break(text: str, near: int) -> int:
    """Where a word ends, at or after `near`."""
    while near < len(text) and not text[near].isspace():
        near += 1
    return near
