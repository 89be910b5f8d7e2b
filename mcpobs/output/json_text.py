"""A report as JSON, in a form that programs can count on. ASCII only, so that no name can move a cursor."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence

from mcpobs.output.table import Rows
from mcpobs.queries.header import Column

Json = None | bool | int | float | str | list["Json"] | dict[str, "Json"]


def document(columns: Sequence[Column], rows: Rows) -> dict[str, object]:
    """`columns` and `rows` of a report's document."""
    names = [column.name for column in columns]
    return {
        "columns": [
            {"name": column.name, "type": column.type} | ({"meaning": column.meaning} if column.meaning else {})
            for column in columns
        ],
        "rows": [{name: plain(value) for name, value in zip(names, row, strict=True)} for row in rows],
    }


def render(content: Mapping[str, object]) -> str:
    return json.dumps(content, indent=2, allow_nan=False).replace("\x7f", "\\u007f") + "\n"  # the one that is left


def plain(value: object) -> Json:
    """A value of the engine as JSON. Values that JSON lacks (infinity, bytes, dates) become text."""
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    if isinstance(value, bytes | bytearray):
        return value.hex()
    if isinstance(value, dict):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set):
        return [plain(item) for item in value]
    return value.isoformat() if hasattr(value, "isoformat") else str(value)
