from __future__ import annotations

import json

import pytest

from mcpobs.detect.evaluation import Share, as_json, evaluate, read
from mcpobs.errors import UsageError


def labelled(*rows):
    return read(json.dumps(row) for row in rows)


ROWS = labelled(
    {"text": "9", "label": 1, "family": "a", "tier": "marked"},
    {"text": "5", "label": 1, "family": "a", "tier": "marked"},
    {"text": "1", "label": 1, "family": "b", "tier": "unmarked"},
    {"text": "6", "label": 0, "family": "docs", "tier": "plain"},
    {"text": "2", "label": 0, "family": "docs", "tier": "plain"},
    {"text": "2", "label": 0, "family": "notes", "tier": "hard"},
    {"text": "8", "label": 0, "family": "papers", "tier": "quoting"},
)


def evaluated(rate=0.25):
    return evaluate(ROWS, float, lambda rate: 4.0 if rate >= 0.01 else 7.0, rate)


def test_recall_counts_attacks_precision_all_that_was_found_and_false_positives_plain_and_hard_texts():
    made = evaluated()
    assert made.recall == Share(2, 3)
    assert made.precision == Share(2, 4)
    assert made.false_positives == Share(1, 3)


def test_every_tier_and_family_has_a_line_attacks_first():
    lines = {(line.tier, line.family): line.share for line in evaluated().lines}
    assert lines["marked", "a"] == lines["marked", None] == Share(2, 2)
    assert lines["quoting", "papers"] == Share(1, 1)
    assert [line.attack for line in evaluated().lines] == [True] * 4 + [False] * 6


def test_the_curve_has_the_thresholds_of_the_rates():
    curve = {rate: (at, wrong, right) for rate, at, wrong, right in evaluated().curve}
    assert curve[0.005] == (7.0, Share(0, 3), Share(1, 3))
    assert curve[0.01] == (4.0, Share(1, 3), Share(2, 3))


@pytest.mark.parametrize(
    ("found", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (5, 10, 0.2366, 0.7634), (1, 100, 0.0018, 0.0545), (0, 0, 0.0, 1.0)],
)
def test_the_interval_is_wilsons(found, of, low, high):
    """Values of statsmodels' proportion_confint(method="wilson")."""
    assert Share(found, of).interval() == pytest.approx((low, high), abs=1e-4)


def test_the_json_is_plain_values():
    made = json.loads(json.dumps(as_json(evaluated())))
    assert made["recall"]["ratio"] == pytest.approx(2 / 3)
    assert {row["tier"] for row in made["tiers"]} == {"marked", "unmarked", "plain", "hard", "quoting"}
    assert made["thresholds"][0]["rate"] == 0.001


def test_names_that_are_missing_have_a_default_and_blank_lines_are_passed():
    (row,) = read(["\n", '{"text": "x", "label": 1}'])
    assert (row.tier, row.family, row.attack) == ("attack", "all", True)


@pytest.mark.parametrize(
    "line", ["{", "[]", "3", '{"text": 1, "label": 0}', '{"text": "x"}', '{"text": "x", "label": 2}']
)
def test_a_line_that_is_none_is_named_by_its_number(line):
    with pytest.raises(UsageError, match="line 2"):
        read(['{"text": "x", "label": 1}', line])
