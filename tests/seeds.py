"""Seeds of random cases: a few on each run, the rest with `pytest -m slow`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import pytest
from _pytest.mark import ParameterSet

Case = TypeVar("Case")


def seeds(usual: int, slow: int, start: int = 0) -> list[int | ParameterSet]:
    """Seeds from `start`: `usual` of them on each run, up to `start + slow` in the slow lane."""
    return some(usual, range(start, start + slow))


def some(usual: int, cases: Iterable[Case]) -> list[Case | ParameterSet]:
    """Cases of one kind that each take long: the first on each run, the others in the slow lane."""
    return [case if number < usual else pytest.param(case, marks=pytest.mark.slow) for number, case in enumerate(cases)]
