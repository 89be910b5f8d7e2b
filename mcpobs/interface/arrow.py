"""A result as an Arrow table. Loads arro3, which deltalake brings."""

from __future__ import annotations

import json
from collections.abc import Sequence

from arro3.core import Array, DataType, Field, Schema, Table

from mcpobs.output.json_text import plain
from mcpobs.queries.run import Result

_LARGEST = (1 << 63) - 1
_INTEGERS = frozenset({"bigint", "integer", "smallint", "tinyint", "uinteger", "usmallint", "utinyint"})
_WIDE = frozenset({"hugeint", "ubigint", "uhugeint"})
"""Integers that may exceed 64 bits with a sign."""


def table_of(result: Result) -> Table:
    """Returns the result with a column for each of its columns, all nullable."""
    arrays, fields = [], []
    for index, column in enumerate(result.columns):
        values = [row[index] for row in result.rows]
        kind, content = _typed(column.type, values)
        arrays.append(Array(content, type=kind))
        fields.append(Field(column.name, kind, nullable=True))
    return Table.from_arrays(arrays, schema=Schema(fields))


def _typed(type_: str, values: Sequence[object]) -> tuple[DataType, Sequence[object]]:
    if type_ in _INTEGERS or (type_ in _WIDE and _fit(values)):
        return DataType.int64(), values
    if type_ in ("double", "float"):
        return DataType.float64(), values
    if type_ == "boolean":
        return DataType.bool(), values
    return DataType.utf8(), [_text(value) for value in values]


def _fit(values: Sequence[object]) -> bool:
    return all(value is None or (isinstance(value, int) and -_LARGEST <= value <= _LARGEST) for value in values)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    found = plain(value)
    return found if isinstance(found, str) else json.dumps(found, ensure_ascii=False)
