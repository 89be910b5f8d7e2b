"""`report shapes` does not call a call odd for names that its tool declared later."""

from __future__ import annotations

from typing import Any

import pytest

from mcpobs.protocol.facts import Facts
from mcpobs.queries import catalog
from mcpobs.queries.run import Result
from mcpobs.reports.kinds.shapes import _with_names

FACTS = Facts(b"k" * 32)
COLUMNS = catalog.load("shapes").columns
NAMES = "a key that the tool does not declare in 2 of 431 calls, +6 bits"
SHAPE = "a shape seen in 1 of 431 calls, +3 bits"


def _hash(name: str) -> str:
    return name if name.startswith("#") else "#" + FACTS.text_digest(name)[:6]


def _row(shape: str, odd: str | None, bits: float | None) -> tuple[Any, ...]:
    known = {"tool": "get", "args_shape": shape, "odd": odd, "bits": bits, "odd_calls": 1 if odd else 0}
    return tuple(known.get(column.name) for column in COLUMNS)


def _found(shape: str, odd: str) -> dict[str, Any]:
    result = Result(COLUMNS, [_row(shape, odd, 14.2), _row("{path:string}", None, None)], 2)
    return next(row for row in _with_names(result, _hash).records() if row["args_shape"] == shape)


@pytest.mark.parametrize(
    ("odd", "left", "bits"),
    [
        (NAMES, None, None),
        (f"{NAMES}; {_hash('path')}: an argument in 1 of 431 calls, +3 bits; {SHAPE}", None, None),
        (f"{NAMES}; {_hash('path')}: a path that climbs (../) in 1 of 431 calls, +5 bits; {SHAPE}", "climbs", 5.2),
    ],
)
def test_an_early_call_is_odd_only_for_its_values(odd: str, left: str | None, bits: float | None) -> None:
    row = _found(f"{{{_hash('path')}:string}}", odd)
    assert (left or "") in (row["odd"] or "")
    assert (row["odd"] is None) == (left is None)
    assert row["bits"] == pytest.approx(bits)


@pytest.mark.parametrize("shape", ["{#9e11f8:string}", "{#9e11f8:string,path:string}", "{}"])
def test_a_name_that_no_call_has_declared_stays_odd(shape: str) -> None:
    assert _found(shape, NAMES)["odd"] == NAMES
