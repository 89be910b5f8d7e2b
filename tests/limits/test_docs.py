"""docs/limits.md names every number, and its example is a file that is read."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import pytest

from mcpobs.limits.enforcement import ENFORCED
from mcpobs.limits.file import BASELINE, TOOL, read_text
from mcpobs.limits.model import VALUES, KeyLimits, SessionLimits

PAGE = (Path(__file__).parents[2] / "docs" / "limits.md").read_text(encoding="utf-8")
NUMBERS = [
    *(f"session.{field.name}" for field in fields(SessionLimits)),
    *(f"key.{field.name}" for field in fields(KeyLimits)),
    *(f"tools.T.{name}" for name in TOOL),
    *VALUES,
]


@pytest.mark.parametrize("name", NUMBERS)
def test_every_number_is_documented(name: str):
    assert f"`{name}" in PAGE


def test_the_example_is_a_limits_file():
    (example,) = re.findall(r"```yaml\n(.*?)```", PAGE, re.DOTALL)
    limits = read_text(example)
    assert limits.baseline is not None
    assert limits.baseline.counted_on == ("enforcement_key", "session_id")
    assert set(BASELINE) >= {"run", "cut_rate", "censored"}


WORDS = {
    "refused": "the call is refused",
    "marked": "the call passes, and its row is marked",
    "compared": "passes; `mcpobs check` finds it",
    "described": "nothing: it describes",
}


def test_the_page_says_of_each_number_what_comes_of_a_value_beyond_it():
    rows = re.findall(r"^\| `([^`]+)` \| ([^|]+) \| per (\w+) \|$", PAGE, re.MULTILINE)
    assert rows == [(path, WORDS[one.effect], one.per) for path, one in ENFORCED.items()]
