from __future__ import annotations

import pytest

from mcpobs.detect.injection.families import FAMILIES, SHELVES
from mcpobs.detect.injection.scanning import read

PATTERNS = [pattern for patterns in FAMILIES.values() for pattern in patterns]


def rules(text: str) -> set[str]:
    return {found.rule for found in read(text)[0]}


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_a_pattern_finds_its_example_and_passes_its_counterexample(pattern):
    assert pattern.id in rules(pattern.finds)
    assert pattern.id not in rules(pattern.passes)


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pattern_is_named_after_its_family(family):
    assert {pattern.family for pattern in FAMILIES[family]} == {family}


def test_no_two_patterns_share_a_name():
    assert len({pattern.id for pattern in PATTERNS}) == len(PATTERNS)


def test_every_family_lies_on_one_shelf():
    assert sorted([*(family for shelf in SHELVES for family in shelf), "multilingual"]) == sorted(FAMILIES)
