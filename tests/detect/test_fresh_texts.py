"""Texts of an author who saw no pattern and no data: what the scanner does on wording that nobody had in view.

Do not read `fresh_texts.jsonl` while you write patterns, and do not train on it: it is worth something only as long as
it is fresh.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from mcpobs.detect.evaluation import Labelled, read
from mcpobs.detect.injection.scanning import scan, threshold

TIERS = ("marked", "unmarked", "multilingual", "obfuscated")
TEXTS = Path(__file__).with_name("fresh_texts.jsonl")


def found(rows: list[Labelled], tier: str) -> float:
    """The share of a tier that is found at the threshold named 1 %."""
    texts = [row.text for row in rows if row.tier == tier]
    return sum(scan([text]).score > threshold(0.01) for text in texts) / len(texts)


@pytest.fixture(scope="module")
def rows() -> list[Labelled]:
    return read(TEXTS.read_text(encoding="utf-8").splitlines())


def test_ordinary_texts_are_hardly_found(rows: list[Labelled]) -> None:
    assert found(rows, "plain") <= 0.02
    assert found(rows, "hard") <= 0.12  # trigger words in ordinary use
    assert found(rows, "quoting") <= 0.06


@pytest.mark.parametrize(
    ("tier", "least"), [("marked", 0.25), ("unmarked", 0.13), ("multilingual", 0.5), ("obfuscated", 0.45)]
)
def test_attacks_are_found(rows: list[Labelled], tier: str, least: float) -> None:
    assert found(rows, tier) >= least


def test_a_quarter_of_all_attacks_is_found(rows: list[Labelled]) -> None:
    attacks = [row for row in rows if row.attack]
    assert sum(found(rows, tier) * sum(row.tier == tier for row in attacks) for tier in TIERS) / len(attacks) >= 0.25
