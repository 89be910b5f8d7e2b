"""The lake's columns are a contract: a change of them must be meant."""

from __future__ import annotations

import json
from pathlib import Path

from mcpobs.lake.schema import DELTA_TYPES, DERIVED, ORDER, REQUIRED, SPOOLED, TYPES, delta_schema, suffix
from tests.golden import check

GOLDEN = Path(__file__).parent / "golden" / "columns.txt"


def test_the_columns_are_those_that_were_agreed_on() -> None:
    """Columns are additive only: append a line to the golden file, and change none."""
    check(GOLDEN, "".join(f"{name} {type_}\n" for name, type_ in TYPES.items()))


def test_each_column_is_spooled_or_derived() -> None:
    assert set(SPOOLED) | set(DERIVED) == set(TYPES) == set(DELTA_TYPES)
    assert not set(SPOOLED) & set(DERIVED)
    assert set(ORDER) | set(REQUIRED) <= set(TYPES)


def test_the_delta_schema_names_the_same_columns() -> None:
    fields = json.loads(delta_schema())["fields"]
    assert [field["name"] for field in fields] == list(TYPES)
    assert all(field["nullable"] for field in fields)


def test_the_name_of_a_file_depends_on_its_columns_and_not_on_the_partition() -> None:
    assert suffix(TYPES) != suffix({**TYPES, "another": "VARCHAR"})
    assert suffix(TYPES) == suffix({name: type_ for name, type_ in TYPES.items() if name != "date"})
