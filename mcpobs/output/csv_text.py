"""A Result as CSV: RFC 4180, with a header. Safe to look at in a terminal and to open in a spreadsheet, unless `raw`.

By default control characters are written as escapes, and a text that a spreadsheet would take for a formula begins with
an apostrophe, so that it stays text. Numbers stay numbers.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Final

from mcpobs.output.json_text import plain
from mcpobs.output.table import Rows
from mcpobs.queries.header import Column
from mcpobs.terminal import printable

_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""Beginnings of cells that spreadsheets calculate; the last four are full-width forms."""
_NUMBER: Final = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_QUOTED: Final = frozenset(',"\r\n;\t')
"""Characters that make quotes necessary; `;` and tabs divide cells in some countries."""


def render(columns: Sequence[Column], rows: Rows, *, raw: bool = False) -> str:
    """Header and rows, ended by CR LF. Null is an empty field, an empty text is `""`. With `raw` values are as they
    are in the lake."""
    lines = [",".join(_field(column.name, raw) for column in columns)]
    lines += [",".join(_field(value, raw) for value in row) for row in rows]
    return "\r\n".join(lines) + "\r\n"


def _field(given: object, raw: bool) -> str:
    value = plain(given)
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict | list):
        value = json.dumps(value)
    text = str(value)
    if isinstance(value, str) and not raw:
        text = _safe(text)
    if text and not _QUOTED.intersection(text):
        return text
    return '"' + text.replace('"', '""') + '"'


def _safe(text: str) -> str:
    shown = printable(text)
    # A spreadsheet may take blanks off first. A number is a number there too, as an error code in a column of text.
    if text.lstrip().startswith(_FORMULA) or text.startswith(_FORMULA):
        return shown if _NUMBER.fullmatch(text) else f"'{shown}"
    return shown
