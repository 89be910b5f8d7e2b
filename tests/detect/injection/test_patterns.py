from __future__ import annotations

import pytest

from mcpobs.detect.injection.families import FAMILIES
from mcpobs.detect.injection.scanning import found_in

PATTERNS = [pattern for patterns in FAMILIES.values() for pattern in patterns]


@pytest.mark.parametrize("pattern", PATTERNS, ids=lambda pattern: pattern.id)
def test_a_pattern_finds_its_example_and_passes_its_counterexample(pattern):
    assert pattern.id in {found.rule for found in found_in(pattern.finds)}
    assert pattern.id not in {found.rule for found in found_in(pattern.passes)}


@pytest.mark.parametrize("family", FAMILIES)
def test_a_pattern_is_named_after_its_family(family):
    assert all(pattern.id.startswith(f"{family}-") for pattern in FAMILIES[family])


def test_no_two_patterns_share_a_name():
    assert len({pattern.id for pattern in PATTERNS}) == len(PATTERNS)
