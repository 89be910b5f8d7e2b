"""A Result as CSV: RFC 4180, with a header. Values as they are: quoted where they must be, and not altered."""

from __future__ import annotations

from collections.abc import Sequence

from mcpobs.output.json_text import plain
from mcpobs.output.table import Rows
from mcpobs.queries.header import Column


def render(columns: Sequence[Column], rows: Rows) -> str:
    """Header and rows, ended by CR LF. Null is an empty field, an empty text is `""`."""
    lines = [",".join(_field(column.name) for column in columns)]
    lines += [",".join(_field(value) for value in row) for row in rows]
    return "\r\n".join(lines) + "\r\n"


def _field(given: object) -> str:
    value = plain(given)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        from json import dumps

        value = dumps(value)
    text = str(value)
    if text and not any(char in text for char in ',"\r\n'):
        return text
    return '"' + text.replace('"', '""') + '"'
